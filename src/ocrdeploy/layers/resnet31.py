"""The residual network of 31 layers that SAR, RobustScanner and NRTR read words with.

Li et al., "Show, Attend and Read: A Simple and Strong Baseline for Irregular Text Recognition", AAAI 2019; MMOCR v0.6.3
and v1.0.1 `mmocr.models.textrecog.backbones.resnet31_ocr.ResNet31OCR`.
"""

from torch import Tensor, nn

from .recogniser_settings import ResNet31Settings


class ResNet31(nn.Module):
    """A word to a feature map; the names of its parameters are those of MMOCR's checkpoints.

    Args:
        settings: Channels, blocks and poolings.
    """

    def __init__(self, settings: ResNet31Settings) -> None:
        super().__init__()
        first, channels = settings.channels[0], settings.channels[1]
        self.conv1_1, self.bn1_1 = nn.Conv2d(settings.base_channels, first, 3, padding=1), nn.BatchNorm2d(first)
        self.conv1_2, self.bn1_2 = nn.Conv2d(first, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        poolings = [(2, 2), (2, 2), settings.stage4_pool, (2, 2) if settings.last_stage_pool else None]
        self.poolings = [None if each is None else nn.MaxPool2d(each, each, ceil_mode=True) for each in poolings]
        for stage, (blocks, width) in enumerate(zip(settings.layers, settings.channels[2:6], strict=True), start=2):
            self.add_module(f"block{stage}", _blocks(channels, width, blocks))
            self.add_module(f"conv{stage}", nn.Conv2d(width, width, 3, padding=1))
            self.add_module(f"bn{stage}", nn.BatchNorm2d(width))
            channels = width

    def forward(self, images: Tensor) -> Tensor:
        """Return the feature map of word images.

        Args:
            images: Normalised images, float, N×C×H×W.

        Returns:
            N×channels×h×w, not negative; h and w are H and W divided by the settings' `stride`, rounded up.
        """
        features: Tensor = self.relu(self.bn1_1(self.conv1_1(images)))
        features = self.relu(self.bn1_2(self.conv1_2(features)))
        for stage, pooling in enumerate(self.poolings, start=2):
            if pooling is not None:
                features = pooling(features)
            features = self.get_submodule(f"block{stage}")(features)
            features = self.get_submodule(f"conv{stage}")(features)
            features = self.relu(self.get_submodule(f"bn{stage}")(features))
        return features


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which has a 1×1 convolution where the number of channels changes.

    Args:
        in_channels: Channels of the input N×C×H×W.
        channels: Channels of the output N×C×H×W.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if in_channels != channels:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return N×C×H×W of the same height and width."""
        shortcut = features if self.downsample is None else self.downsample(features)
        features = self.relu(self.bn1(self.conv1(features)))
        result: Tensor = self.relu(self.bn2(self.conv2(features)) + shortcut)
        return result


def _blocks(in_channels: int, channels: int, count: int) -> nn.Sequential:
    """Return the blocks of a stage."""
    return nn.Sequential(*(Block(in_channels if index == 0 else channels, channels) for index in range(count)))
