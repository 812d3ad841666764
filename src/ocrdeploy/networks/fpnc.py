"""DBNet's feature pyramid network."""

import torch
from torch import Tensor, nn

from ocrdeploy.networks.convolution import conv_module
from ocrdeploy.networks.settings import FPNCSettings, Upsample
from ocrdeploy.networks.upsampling import enlarge


class FPNC(nn.Module):
    """A feature pyramid whose levels are smoothed, enlarged to the finest and concatenated.

    Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020; MMOCR v0.6.3
    `mmocr.models.textdet.necks.fpn_cat.FPNC` without adaptive scale fusion.

    Args:
        settings: Channels, biases and normalisation.
        upsample: How coarser levels are enlarged; MMOCR's is `nearest`.
    """

    def __init__(self, settings: FPNCSettings, upsample: Upsample) -> None:
        super().__init__()
        self.upsample: Upsample = upsample
        self.lateral_convs = nn.ModuleList(
            conv_module(
                channels,
                settings.lateral_channels,
                1,
                bias=settings.bias_on_lateral,
                bn_relu=settings.bn_re_on_lateral,
            )
            for channels in settings.in_channels
        )
        self.smooth_convs = nn.ModuleList(
            conv_module(
                settings.lateral_channels,
                settings.out_channels,
                3,
                bias=settings.bias_on_smooth,
                bn_relu=settings.bn_re_on_smooth,
            )
            for _ in settings.in_channels
        )
        fused = sum(settings.fused_channels)
        self.out_conv = conv_module(fused, fused, 3) if settings.conv_after_concat else nn.Identity()

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return one feature map at the size of the finest level.

        Args:
            features: Feature maps, finest first, each N×C×H×W with half the size of the one before.

        Returns:
            N×(out_channels·levels)×H×W, the finest level's channels first.
        """
        levels: list[Tensor] = [conv(level) for conv, level in zip(self.lateral_convs, features, strict=True)]
        for index in range(len(levels) - 1, 0, -1):
            levels[index - 1] = levels[index - 1] + enlarge(levels[index], 2, self.upsample)
        smooth = [conv(level) for conv, level in zip(self.smooth_convs, levels, strict=True)]
        fused = torch.cat([enlarge(level, 2**index, self.upsample) for index, level in enumerate(smooth)], dim=1)
        result: Tensor = self.out_conv(fused)
        return result
