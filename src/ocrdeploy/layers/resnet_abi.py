"""The residual network of ABINet.

Fang et al., "Read Like Humans: Autonomous, Bidirectional and Iterative Language Modeling for Scene Text Recognition",
CVPR 2021; MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.backbones.resnet_abi.ResNetABI`.
"""

from torch import Tensor, nn

from .recogniser_settings import ResNetABISettings
from .word_resnet import WordBlock

STRIDES = ((2, 2), (1, 1), (2, 2), (1, 1), (1, 1))


class ResNetABI(nn.Module):
    """A word to a feature map of a quarter of its height and width.

    Args:
        settings: Channels and blocks.
    """

    def __init__(self, settings: ResNetABISettings) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(settings.in_channels, settings.stem_channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(settings.stem_channels)
        self.relu1 = nn.ReLU()
        channels = settings.stem_channels
        for stage, (count, stride) in enumerate(zip(settings.arch_settings, STRIDES, strict=True)):
            width = settings.base_channels * 2**stage
            blocks = [_block(channels, width, stride), *(_block(width, width, (1, 1)) for _ in range(1, count))]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            channels = width

    def forward(self, images: Tensor) -> Tensor:
        """Return N×C×H/4×W/4, not negative, for images N×C×H×W, float; both lengths are rounded up."""
        features: Tensor = self.relu1(self.bn1(self.conv1(images)))
        for stage in range(len(STRIDES)):
            features = self.get_submodule(f"layer{stage + 1}")(features)
        return features


def _block(in_channels: int, channels: int, stride: tuple[int, int]) -> WordBlock:
    """Return a block whose shortcut has the names that ABINet's checkpoints have: numbers."""
    block = WordBlock(in_channels, channels, stride, use_conv1x1=True, context_ratio=None)
    if block.downsample is not None:
        block.downsample = nn.Sequential(*block.downsample.children())
    return block
