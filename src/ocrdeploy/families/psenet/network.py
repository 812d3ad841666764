"""PSENet in PyTorch: a residual network, FPNF, and a head of kernels."""

import torch
from torch import Tensor, nn

from ocrdeploy.layers.convolution import conv_module
from ocrdeploy.layers.detector import Detector
from ocrdeploy.layers.map_head import MapHead
from ocrdeploy.layers.resnet import ResNet
from ocrdeploy.layers.upsampling import enlarge
from ocrdeploy.model_spec import Upsample

from .settings import FPNFSettings, PSENetSettings


def build_psenet(settings: PSENetSettings, upsample: Upsample = "nearest") -> Detector:
    """Return the network with random weights; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        upsample: How the neck enlarges feature maps; MMOCR's way is `nearest`.
    """
    neck, head = FPNF(settings.neck, upsample), MapHead(settings.head)
    return Detector(ResNet(settings.backbone), neck, head, settings.backbone.in_channels)


class FPNF(nn.Module):
    """A feature pyramid whose levels are enlarged to the finest and fused by concatenation or addition.

    Wang et al., "Shape Robust Text Detection with Progressive Scale Expansion Network", CVPR 2019; MMOCR v0.6.3
    `mmocr.models.textdet.necks.fpnf.FPNF`. MMOCR writes the channels after fusion as 1024 (concatenation) and 256
    (addition), so that any other `out_channels` than 256 fails at the first image. Here they are what fusion gives:
    `out_channels` times the number of levels, or `out_channels`; wherever MMOCR's network runs, it is the same network.

    Args:
        settings: Channels and fusion.
        upsample: How coarser levels are enlarged; MMOCR's is `nearest`.
    """

    def __init__(self, settings: FPNFSettings, upsample: Upsample) -> None:
        super().__init__()
        self.upsample: Upsample = upsample
        self.concatenates = settings.fusion_type == "concat"
        channels = settings.out_channels
        self.lateral_convs = nn.ModuleList(conv_module(width, channels, 1) for width in settings.in_channels)
        self.fpn_convs = nn.ModuleList(conv_module(channels, channels, 3) for _ in settings.in_channels[1:])
        fused = channels * len(settings.in_channels) if self.concatenates else channels
        self.output_convs = conv_module(fused, channels, 3)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return one feature map at the size of the finest level.

        Args:
            features: Feature maps, finest first, each N×C×H×W with half the size of the one before.

        Returns:
            N×out_channels×H×W, not negative.
        """
        levels: list[Tensor] = [conv(level) for conv, level in zip(self.lateral_convs, features, strict=True)]
        for index in range(len(levels) - 1, 0, -1):
            merged = levels[index - 1] + enlarge(levels[index], 2, self.upsample)
            levels[index - 1] = self.fpn_convs[index - 1](merged)
        enlarged = [enlarge(level, 2**index, self.upsample) for index, level in enumerate(levels)]
        if self.concatenates:
            fused = torch.cat(enlarged, dim=1)
        else:
            fused = enlarged[0]
            for level in enlarged[1:]:
                fused = fused + level
        result: Tensor = self.output_convs(fused)
        return result
