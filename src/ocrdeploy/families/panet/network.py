"""PANet in PyTorch: a residual network, feature pyramid enhancement (FPEM) and fusion (FFM), and a head of maps."""

from torch import Tensor, nn

from ocrdeploy.layers.convolution import separable_conv
from ocrdeploy.layers.detector import Detector
from ocrdeploy.layers.map_head import MapHead
from ocrdeploy.layers.resnet import ResNet
from ocrdeploy.layers.upsampling import enlarge
from ocrdeploy.model_spec import Upsample

from .settings import FPEMFFMSettings, PANetSettings

FeatureMaps = tuple[Tensor, Tensor, Tensor, Tensor]


def build_panet(settings: PANetSettings, upsample: Upsample = "nearest") -> Detector:
    """Return the network with random weights; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        upsample: How an FPEM enlarges feature maps; MMOCR's way is `nearest`.
    """
    neck, head = FPEMFFM(settings.neck, upsample), MapHead(settings.head)
    return Detector(ResNet(settings.backbone), neck, head, settings.backbone.in_channels)


class FPEM(nn.Module):
    """Enhances four feature maps by a pass up the pyramid and a pass down.

    Args:
        channels: Channels of every feature map.
        upsample: How coarser levels are enlarged; MMOCR's is `nearest`.
    """

    def __init__(self, channels: int, upsample: Upsample) -> None:
        super().__init__()
        self.upsample: Upsample = upsample
        self.up_add1 = separable_conv(channels, 1)
        self.up_add2 = separable_conv(channels, 1)
        self.up_add3 = separable_conv(channels, 1)
        self.down_add1 = separable_conv(channels, 2)
        self.down_add2 = separable_conv(channels, 2)
        self.down_add3 = separable_conv(channels, 2)

    def forward(self, c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> FeatureMaps:
        """Return four feature maps of the shapes given, N×C×H×W, each half the size of the one before; not negative."""
        # The pass down adds the same enlarged levels as the pass up.
        c5_enlarged = enlarge(c5, 2, self.upsample)
        c4 = self.up_add1(c5_enlarged + c4)
        c4_enlarged = enlarge(c4, 2, self.upsample)
        c3 = self.up_add2(c4_enlarged + c3)
        c3_enlarged = enlarge(c3, 2, self.upsample)
        c2 = self.up_add3(c3_enlarged + c2)
        c3 = self.down_add1(c3_enlarged + c2)
        c4 = self.down_add2(c4_enlarged + c3)
        c5 = self.down_add3(c5_enlarged + c4)
        return c2, c3, c4, c5


class FPEMFFM(nn.Module):
    """Reduces four feature maps to one width, enhances them repeatedly, and sums the results of all repetitions.

    Wang et al., "Efficient and Accurate Arbitrary-Shaped Text Detection with Pixel Aggregation Network", ICCV 2019;
    MMOCR v0.6.3 `mmocr.models.textdet.necks.fpem_ffm.FPEM_FFM`.

    Args:
        settings: Channels, repetitions, and how corners align when the results are brought to one size.
        upsample: How coarser levels are enlarged inside an FPEM; MMOCR's is `nearest`. The last enlargement is bilinear
            in any case.
    """

    def __init__(self, settings: FPEMFFMSettings, upsample: Upsample) -> None:
        super().__init__()
        width = settings.conv_out
        self.align_corners = settings.align_corners
        self.reduce_conv_c2 = _reduction(settings.in_channels[0], width)
        self.reduce_conv_c3 = _reduction(settings.in_channels[1], width)
        self.reduce_conv_c4 = _reduction(settings.in_channels[2], width)
        self.reduce_conv_c5 = _reduction(settings.in_channels[3], width)
        self.fpems = nn.ModuleList(FPEM(width, upsample) for _ in range(settings.fpem_repeat))

    def forward(self, features: FeatureMaps) -> FeatureMaps:
        """Return four feature maps at the size of the finest level.

        Args:
            features: Four feature maps, finest first, each N×C×H×W with half the size of the one before.

        Returns:
            Four tensors N×conv_out×H×W with the finest level's H and W; not negative.
        """
        c2, c3, c4, c5 = features
        levels = (
            self.reduce_conv_c2(c2),
            self.reduce_conv_c3(c3),
            self.reduce_conv_c4(c4),
            self.reduce_conv_c5(c5),
        )
        levels = sums = self.fpems[0](*levels)
        for fpem in self.fpems[1:]:
            levels = fpem(*levels)
            sums = tuple(total + level for total, level in zip(sums, levels, strict=True))
        return sums[0], self._enlarge(sums[1], 2), self._enlarge(sums[2], 4), self._enlarge(sums[3], 8)

    def _enlarge(self, level: Tensor, factor: int) -> Tensor:
        """Return a level at the size of the finest."""
        return enlarge(level, factor, "bilinear", align_corners=self.align_corners)


def _reduction(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return a 1×1 convolution with batch normalisation and ReLU, its children numbered."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU())
