"""The residual networks of MASTER and ASTER, which MMOCR builds of one module with plugins.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Lu et al., "MASTER: Multi-aspect Non-local Network
for Scene Text Recognition", Pattern Recognition 2021 (global context); MMOCR v0.6.3 and v1.0.1
`mmocr.models.textrecog.backbones.resnet.ResNet` and `plugins.common.GCAModule`.
"""

from itertools import pairwise

from torch import Tensor, nn

from .convolution import conv_module
from .recogniser_settings import WordResNetSettings

Stride = tuple[int, int]


class WordResNet(nn.Module):
    """A word to a feature map; the names of its parameters are those of MMOCR's checkpoints.

    Args:
        settings: Channels, blocks, poolings.
    """

    def __init__(self, settings: WordResNetSettings) -> None:
        super().__init__()
        widths = (settings.in_channels, *settings.stem_channels)
        self.stem_layers = nn.Sequential(*(conv_module(before, after, 3) for before, after in pairwise(widths)))
        channels = widths[-1]
        pools = settings.pools or (None,) * len(settings.arch_layers)
        self.pools = [None if each is None else nn.MaxPool2d(each, each) for each in pools]
        self.has_last_conv = settings.has_last_conv or (False,) * len(pools)
        for stage, width in enumerate(settings.arch_channels):
            self.add_module(f"layer{stage + 1}", _stage(settings, stage, channels))
            if self.has_last_conv[stage]:
                self.add_module(f"conv_block_after_stage_{stage + 1}", conv_module(width, width, 3))
            channels = width

    def forward(self, images: Tensor) -> Tensor:
        """Return N×channels×h×w, not negative, for images N×C×H×W, float.

        h and w are H and W divided by the settings' `stride`; poolings round down, strides round up.
        """
        features: Tensor = self.stem_layers(images)
        for stage, pool in enumerate(self.pools, start=1):
            if pool is not None:
                features = pool(features)
            features = self.get_submodule(f"layer{stage}")(features)
            if self.has_last_conv[stage - 1]:
                features = self.get_submodule(f"conv_block_after_stage_{stage}")(features)
        return features


class WordBlock(nn.Module):
    """Two convolutions beside a shortcut, with or without global context.

    Args:
        in_channels: Channels of the input N×C×H×W.
        channels: Channels of the output.
        stride: How many times lower and narrower the output is.
        use_conv1x1: Whether the first convolution is 1×1, and the second one has the stride.
        context_ratio: Channels of the global context, as a part of the block's; None without one.
    """

    def __init__(
        self, in_channels: int, channels: int, stride: Stride, *, use_conv1x1: bool, context_ratio: float | None
    ) -> None:
        super().__init__()
        first, second = ((1, 1), stride) if use_conv1x1 else (stride, (1, 1))
        edge = 1 if use_conv1x1 else 3
        self.conv1 = nn.Conv2d(in_channels, channels, edge, first, padding=edge // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.gca_module = None if context_ratio is None else GlobalContext(channels, int(channels * context_ratio))
        self.downsample: nn.Module | None = None
        if stride != (1, 1) or in_channels != channels:
            self.downsample = nn.Sequential()
            self.downsample.add_module("conv", nn.Conv2d(in_channels, channels, 1, stride, bias=False))
            self.downsample.add_module("bn", nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return the feature map after the block."""
        shortcut = features if self.downsample is None else self.downsample(features)
        features = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(features)))))
        if self.gca_module is not None:
            features = self.gca_module(features)
        result: Tensor = self.relu(features + shortcut)
        return result


class GlobalContext(nn.Module):
    """Adds to every place of a feature map N×C×h×w what attention to all places reads.

    Args:
        channels: Channels of the map.
        hidden: Channels between the two layers behind the attention.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv_mask = nn.Conv2d(channels, 1, 1)
        self.channel_add_conv = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.LayerNorm([hidden, 1, 1]), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the feature map."""
        weights = self.conv_mask(features).flatten(2).softmax(dim=2)
        context = (features.flatten(2) @ weights.transpose(1, 2)).unsqueeze(3)
        result: Tensor = features + self.channel_add_conv(context)
        return result


def _stage(settings: WordResNetSettings, stage: int, in_channels: int) -> nn.Sequential:
    """Return the blocks of a stage, the first of which has its stride."""
    channels = settings.arch_channels[stage]
    return nn.Sequential(
        *(
            WordBlock(
                channels if index else in_channels,
                channels,
                (1, 1) if index else settings.strides[stage],
                use_conv1x1=settings.use_conv1x1,
                context_ratio=settings.context_ratio,
            )
            for index in range(settings.arch_layers[stage])
        )
    )
