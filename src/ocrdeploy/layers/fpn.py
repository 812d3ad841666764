"""The feature pyramid of FCENet."""

from torch import Tensor, nn

from ocrdeploy.model_spec import Upsample

from .convolution import conv_module
from .settings import FPNSettings
from .upsampling import enlarge


class FPN(nn.Module):
    """A feature pyramid: each level is the backbone's, plus the next coarser one enlarged, smoothed.

    Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017; mmdet v2.28.2 `mmdet.models.necks.fpn.FPN`
    without normalisation and without levels beyond those of the backbone.

    Args:
        settings: Channels.
        upsample: How coarser levels are enlarged; mmdet's is `nearest`.
    """

    def __init__(self, settings: FPNSettings, upsample: Upsample) -> None:
        super().__init__()
        self.upsample: Upsample = upsample
        channels = settings.out_channels
        self.lateral_convs = nn.ModuleList(
            conv_module(width, channels, 1, bias=True, bn_relu=False) for width in settings.in_channels
        )
        self.fpn_convs = nn.ModuleList(
            conv_module(channels, channels, 3, bias=True, bn_relu=False) for _ in settings.in_channels
        )

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return a feature map for each that is given, at its size.

        Args:
            features: Feature maps, finest first, each N×C×H×W with half the size of the one before.

        Returns:
            N×out_channels×H×W each, in the same order.
        """
        levels: list[Tensor] = [conv(level) for conv, level in zip(self.lateral_convs, features, strict=True)]
        for index in range(len(levels) - 1, 0, -1):
            levels[index - 1] = levels[index - 1] + enlarge(levels[index], 2, self.upsample)
        return tuple(conv(level) for conv, level in zip(self.fpn_convs, levels, strict=True))
