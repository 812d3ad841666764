"""TextSnake in PyTorch: a residual network, FPN_UNet, and a head of five maps."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrdeploy.decoders.textsnake import CHANNELS
from ocrdeploy.layers.detector import Detector
from ocrdeploy.layers.resnet import ResNet

from .settings import FPNUNetSettings, TextSnakeHeadSettings, TextSnakeSettings

MOST_CHANNELS = 256
"""Of what each level is enlarged to."""


def build_textsnake(settings: TextSnakeSettings) -> Detector:
    """Return the network with random weights; its state-dict keys are those of MMOCR's checkpoints."""
    neck, head = FPNUNet(settings.neck), TextSnakeHead(settings.head)
    return Detector(ResNet(settings.backbone), neck, head, settings.backbone.in_channels)


class FPNUNet(nn.Module):
    """A feature pyramid that enlarges the coarsest level by transposed convolutions, and takes up each finer one.

    Long et al., "TextSnake: A Flexible Representation for Detecting Text of Arbitrary Shapes", ECCV 2018; MMOCR v0.6.3
    `mmocr.models.textdet.necks.fpn_unet.FPN_UNet`.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: FPNUNetSettings) -> None:
        super().__init__()
        first, *widths = [settings.out_channels] + [min(settings.out_channels * 2**i, MOST_CHANNELS) for i in range(4)]
        c2, c3, c4, c5 = settings.in_channels
        self.up4 = _double(c5, widths[3])
        self.up_block3 = UpBlock(c4 + widths[3], widths[2])
        self.up_block2 = UpBlock(c3 + widths[2], widths[1])
        self.up_block1 = UpBlock(c2 + widths[1], widths[0])
        self.up_block0 = UpBlock(widths[0], first)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return one feature map of four times the size of the finest level, which is the size of the image.

        Args:
            features: Four feature maps, finest first, each N×C×H×W with half the size of the one before.

        Returns:
            N×out_channels×4H×4W.
        """
        c2, c3, c4, c5 = features
        fused = functional.relu(self.up4(c5))
        fused = functional.relu(self.up_block3(torch.cat((fused, c4), dim=1)))
        fused = functional.relu(self.up_block2(torch.cat((fused, c3), dim=1)))
        fused = functional.relu(self.up_block1(torch.cat((fused, c2), dim=1)))
        result: Tensor = self.up_block0(fused)
        return result


class UpBlock(nn.Module):
    """A 1×1 and a 3×3 convolution and a transposed one; takes N×in_channels×H×W, gives N×out_channels×2H×2W.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(in_channels, in_channels, 1)
        self.conv3x3 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.deconv = _double(out_channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's feature maps."""
        hidden = functional.relu(self.conv3x3(functional.relu(self.conv1x1(features))))
        result: Tensor = self.deconv(hidden)
        return result


class TextSnakeHead(nn.Module):
    """Maps features to logits of text and of its centre, sine and cosine of its direction, and radius.

    Long et al., as above; MMOCR v0.6.3 `mmocr.models.textdet.dense_heads.textsnake_head.TextSnakeHead`.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: TextSnakeHeadSettings) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(settings.in_channels, CHANNELS, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps N×5×H×W of features N×C×H×W."""
        maps: Tensor = self.out_conv(features)
        return maps


def _double(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that doubles the size."""
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1)
