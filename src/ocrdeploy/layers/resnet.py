"""The residual network of MMOCR's text detectors.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; deep stem and average pooling on the shortcut:
He et al., "Bag of Tricks for Image Classification with Convolutional Neural Networks", CVPR 2019. Parameter names and
numbers are those of mmdet 2.28's ResNet, which MMOCR 0.6.3 uses; and of `CLIPResNet` of MMOCR v1.0.1
`mmocr.models.common.backbones.clip_resnet` (Xue et al., "Language Matters: A Weakly Supervised Vision-Language
Pre-training Approach for Scene Text Detection and Spotting", ECCV 2022).
"""

from torch import Tensor, nn

from .deformable_convolution import DeformableConv2d
from .settings import ResNetSettings

BLOCKS_OF_STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut; takes N×C×H×W, gives N×channels×H/stride×W/stride.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        stride: Stride of the first convolution.
        downsample: The shortcut, which brings the input to the output's shape.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, downsample: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's feature maps, not negative."""
        residual = self.relu(self.bn1(self.conv1(features)))
        residual = self.bn2(self.conv2(residual))
        result: Tensor = self.relu(residual + self.downsample(features))
        return result


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions and a shortcut; takes N×C×H×W, gives N×(4·channels)×H/stride×W/stride.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the 3×3 convolution.
        stride: Stride of the 3×3 convolution; with style `caffe` that of the first 1×1 convolution; with averages that
            of a pool behind the 3×3 convolution.
        downsample: The shortcut, which brings the input to the output's shape.
        settings: Style, and whether strides are averages.
        deform_groups: Groups of a 3×3 convolution that is deformable; 0 where it is not.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        downsample: nn.Module,
        settings: ResNetSettings,
        deform_groups: int,
    ) -> None:
        super().__init__()
        strides = (stride, 1) if settings.style == "caffe" else (1, stride)
        stride1, stride2 = (1, 1) if settings.averages else strides
        self.conv1 = nn.Conv2d(in_channels, channels, 1, stride=stride1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = (
            DeformableConv2d(channels, channels, stride2, deform_groups)
            if deform_groups
            else nn.Conv2d(channels, channels, 3, stride=stride2, padding=1, bias=False)
        )
        self.bn2 = nn.BatchNorm2d(channels)
        self.pool = nn.AvgPool2d(stride) if settings.averages and stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(channels, channels * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * 4)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's feature maps, not negative."""
        residual = self.relu(self.bn1(self.conv1(features)))
        residual = self.pool(self.relu(self.bn2(self.conv2(residual))))
        residual = self.bn3(self.conv3(residual))
        result: Tensor = self.relu(residual + self.downsample(features))
        return result


class ResNet(nn.Module):
    """A residual network of four stages.

    Args:
        settings: Depth, style, widths, stem, and where convolutions are deformable.
    """

    def __init__(self, settings: ResNetSettings) -> None:
        super().__init__()
        stem_channels = settings.stem_channels or settings.base_channels
        self.deep_stem = settings.deep_stem
        self.out_indices = settings.out_indices
        if settings.deep_stem:
            self.stem = _deep_stem(settings.in_channels, stem_channels)
        else:
            self.conv1 = nn.Conv2d(settings.in_channels, stem_channels, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(stem_channels)
            self.relu = nn.ReLU()
        self.maxpool = (
            nn.AvgPool2d(2)
            if settings.averages and settings.deep_stem
            else nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        )
        widths = (stem_channels, *settings.stage_channels)
        self.layer1 = _stage(settings, 0, widths[0])
        self.layer2 = _stage(settings, 1, widths[1])
        self.layer3 = _stage(settings, 2, widths[2])
        self.layer4 = _stage(settings, 3, widths[3])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return feature maps at 1/4, 1/8, 1/16 and 1/32 of the images' size, or those of them that are asked for.

        Args:
            images: Normalised images, float, N×C×H×W, H and W multiples of 32.

        Returns:
            Tensors N×C×H/s×W/s, s a power of two from 4 to 32, finest first; C from `settings.out_channels`; none is
            negative.
        """
        features = self.stem(images) if self.deep_stem else self.relu(self.bn1(self.conv1(images)))
        c2 = self.layer1(self.maxpool(features))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        c5 = self.layer4(c4)
        return tuple((c2, c3, c4, c5)[index] for index in self.out_indices)


def _deep_stem(in_channels: int, channels: int) -> nn.Sequential:
    """Return three 3×3 convolutions in place of one of 7×7."""
    half = channels // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, half, 3, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def _stage(settings: ResNetSettings, index: int, in_channels: int) -> nn.Sequential:
    """Return the blocks of one stage; the first brings the input to the stage's stride and width."""
    stride = 1 if index == 0 else 2
    out_channels = settings.stage_channels[index]
    changes_shape = stride != 1 or in_channels != out_channels
    shortcut = _shortcut(settings, in_channels, out_channels, stride) if changes_shape else nn.Identity()
    first = _block(settings, (index, 0), in_channels, stride, shortcut)
    numbers = range(1, BLOCKS_OF_STAGES[settings.depth][index])
    return nn.Sequential(
        first, *(_block(settings, (index, number), out_channels, 1, nn.Identity()) for number in numbers)
    )


def _block(
    settings: ResNetSettings, place: tuple[int, int], in_channels: int, stride: int, downsample: nn.Module
) -> BasicBlock | Bottleneck:
    """Return a block of the kind that the depth has; its place is the stage's index and its own in the stage."""
    channels = settings.base_channels * 2 ** place[0]
    if settings.depth < 50:
        return BasicBlock(in_channels, channels, stride, downsample)
    deformable = settings.deformable
    groups = deformable.groups if deformable is not None and deformable.is_deformable(*place) else 0
    return Bottleneck(in_channels, channels, stride, downsample, settings, groups)


def _shortcut(settings: ResNetSettings, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return a 1×1 convolution with the stride, or one behind average pooling."""
    layers: list[nn.Module] = []
    if settings.avg_down:
        # The pool of the first stage has stride 1 and changes nothing, but counts in the names of what follows.
        layers.append(nn.AvgPool2d(stride, stride) if stride > 1 else nn.Identity())
        stride = 1
    layers.append(nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False))
    layers.append(nn.BatchNorm2d(out_channels))
    return nn.Sequential(*layers)
