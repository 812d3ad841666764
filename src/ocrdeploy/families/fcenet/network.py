"""FCENet in PyTorch: a residual network, a feature pyramid, and a head that is the same for each level."""

from torch import Tensor, nn

from ocrdeploy.decoders.fcenet import CLASSES
from ocrdeploy.layers.detector import Detector
from ocrdeploy.layers.fpn import FPN
from ocrdeploy.layers.resnet import ResNet
from ocrdeploy.model_spec import Upsample

from .settings import FCEHeadSettings, FCENetSettings


def build_fcenet(settings: FCENetSettings, upsample: Upsample = "nearest") -> Detector:
    """Return the network with random weights; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        upsample: How the neck enlarges feature maps; MMOCR's way is `nearest`.
    """
    neck, head = FPN(settings.neck, upsample), FCEHead(settings.head)
    return Detector(ResNet(settings.backbone), neck, head, settings.backbone.in_channels)


class FCEHead(nn.Module):
    """Maps the features of each level to class logits and Fourier coefficients.

    Zhu et al., "Fourier Contour Embedding for Arbitrary-Shaped Text Detection", CVPR 2021; MMOCR v0.6.3
    `mmocr.models.textdet.dense_heads.fce_head.FCEHead`.

    Args:
        settings: Channels, and the degree k of the contours.
    """

    def __init__(self, settings: FCEHeadSettings) -> None:
        super().__init__()
        coefficients = 2 * (2 * settings.fourier_degree + 1)
        self.out_conv_cls = nn.Conv2d(settings.in_channels, CLASSES, 3, padding=1)
        self.out_conv_reg = nn.Conv2d(settings.in_channels, coefficients, 3, padding=1)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the outputs of all levels, one after the other.

        Args:
            features: Features N×C×h×w of each level.

        Returns:
            For each level class logits N×4×h×w, then Fourier coefficients N×(4k+2)×h×w in pixels of the level.
        """
        return tuple(output for level in features for output in (self.out_conv_cls(level), self.out_conv_reg(level)))
