"""DBNet and DBNet++ in PyTorch: a residual network, FPNC, and a head of maps."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from ocrdeploy.layers.convolution import conv_module
from ocrdeploy.layers.detector import Detector
from ocrdeploy.layers.resnet import ResNet
from ocrdeploy.layers.upsampling import enlarge
from ocrdeploy.model_spec import Upsample

from .settings import DBHeadSettings, DBNetSettings, FPNCSettings

BINARY_MAP_STEEPNESS = 50.0
"""The factor k of differentiable binarisation."""


def build_dbnet(settings: DBNetSettings, upsample: Upsample = "nearest", *, all_outputs: bool = False) -> Detector:
    """Return the network with random weights; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        upsample: How the neck enlarges feature maps; MMOCR's way is `nearest`.
        all_outputs: Whether the threshold and the binary map are computed too.
    """
    neck, head = FPNC(settings.neck, upsample), DBHead(settings.head, all_outputs=all_outputs)
    return Detector(ResNet(settings.backbone), neck, head, settings.backbone.in_channels)


class FPNC(nn.Module):
    """A feature pyramid whose levels are smoothed, enlarged to the finest and concatenated.

    Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020, and with adaptive scale
    fusion "Real-Time Scene Text Detection with Differentiable Binarization and Adaptive Scale Fusion", TPAMI 2022;
    MMOCR v0.6.3 `mmocr.models.textdet.necks.fpn_cat.FPNC`.

    Args:
        settings: Channels, biases, normalisation, and whether levels are multiplied by attention.
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
        self.fuses_scales = settings.fuses_scales
        if settings.fuses_scales:
            self.asf_conv = conv_module(fused, fused, 3, bias=True, bn_relu=False)
            self.asf_attn = ScaleAttention(fused, len(settings.in_channels))
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
        enlarged = [enlarge(level, 2**index, self.upsample) for index, level in enumerate(smooth)]
        fused = torch.cat(enlarged, dim=1)
        if self.fuses_scales:
            attention: Tensor = self.asf_attn(self.asf_conv(fused))
            weighed = [attention[:, index : index + 1] * level for index, level in enumerate(enlarged)]
            fused = torch.cat(weighed, dim=1)
        result: Tensor = self.out_conv(fused)
        return result


class ScaleAttention(nn.Module):
    """How much each level of a feature pyramid counts, for each pixel.

    Liao et al., TPAMI 2022, as above; MMOCR v0.6.3 `mmocr.models.textdet.necks.fpn_cat.ScaleChannelSpatialAttention`.

    Args:
        channels: Channels of the features, at least 4.
        levels: How many levels the features are of.
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        squeezed = channels // 4
        self.channel_wise = nn.Sequential(
            _activated(channels, squeezed, 1, nn.ReLU()), _activated(squeezed, channels, 1, nn.Sigmoid())
        )
        self.spatial_wise = nn.Sequential(_activated(1, 1, 3, nn.ReLU()), _activated(1, 1, 1, nn.Sigmoid()))
        self.attention_wise = _activated(channels, levels, 1, nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Return N×levels×H×W, each in 0..1, of features N×C×H×W."""
        by_channel = self.channel_wise(self.avg_pool(features)) + features
        by_pixel = self.spatial_wise(by_channel.mean(dim=1, keepdim=True)) + by_channel
        attention: Tensor = self.attention_wise(by_pixel)
        return attention


def _activated(in_channels: int, out_channels: int, kernel_size: int, activation: nn.Module) -> nn.Sequential:
    """Return a convolution without a bias that keeps the size of its input, and what follows it."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=convolution, activate=activation))


class DBHead(nn.Module):
    """Maps features to a probability map and, if asked, to a threshold map and their approximate binary map.

    Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020; MMOCR v0.6.3
    `mmocr.models.textdet.dense_heads.db_head.DBHead`. Decoding reads the probability map alone; threshold and binary
    map serve training. The threshold branch's parameters are there in any case, as checkpoints hold them.

    Args:
        settings: Channels and bias.
        all_outputs: Whether the threshold and the binary map are computed too.
    """

    def __init__(self, settings: DBHeadSettings, *, all_outputs: bool) -> None:
        super().__init__()
        self.all_outputs = all_outputs
        self.binarize = _branch(settings.in_channels, bias=settings.with_bias)
        self.threshold = _branch(settings.in_channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps at four times the size of the features, which is the size of the image.

        Args:
            features: Features, N×C×H×W.

        Returns:
            N×1×4H×4W, the probability of text in 0..1. With `all_outputs` N×3×4H×4W: probability p, threshold t, and
            binary 1 / (1 + exp(-50 (p - t))), each in 0..1.
        """
        probability: Tensor = self.binarize(features)
        if not self.all_outputs:
            return probability
        threshold: Tensor = self.threshold(features)
        binary = torch.sigmoid(BINARY_MAP_STEEPNESS * (probability - threshold))
        return torch.cat((probability, threshold, binary), dim=1)


def _branch(in_channels: int, *, bias: bool) -> nn.Sequential:
    """Return a convolution and two transposed ones, which give one channel in 0..1 at four times the size."""
    channels = in_channels // 4
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=bias),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, channels, 2, stride=2),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, 1, 2, stride=2),
        nn.Sigmoid(),
    )
