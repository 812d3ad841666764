"""Blocks of convolution, batch normalisation and activation, named as MMOCR's checkpoints name them."""

from collections import OrderedDict

from torch import nn


def conv_module(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int | tuple[int, int] = 1,
    bias: bool = False,
    bn_relu: bool = True,
    groups: int = 1,
    activation: type[nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Return a convolution with or without batch normalisation and activation.

    The children are `conv`, `bn` and `activate`, as in mmcv's ConvModule.

    Args:
        in_channels: Channels of the input, N×C×H×W.
        out_channels: Channels of the output, N×C×H×W with the same H and W for a stride of 1.
        kernel_size: 1 or 3, an odd number of pixels.
        stride: Stride of the convolution.
        bias: Whether the convolution has a bias.
        bn_relu: Whether batch normalisation and activation follow.
        groups: In how many groups of channels the convolution is cut.
        activation: What follows the normalisation.
    """
    children: OrderedDict[str, nn.Module] = OrderedDict()
    children["conv"] = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=bias, groups=groups
    )
    if bn_relu:
        children["bn"] = nn.BatchNorm2d(out_channels)
        children["activate"] = activation()
    return nn.Sequential(children)


def separable_conv(channels: int, stride: int) -> nn.Sequential:
    """Return a depthwise 3×3 and a pointwise convolution, batch normalisation and ReLU.

    The children are `depthwise_conv`, `pointwise_conv`, `bn` and `relu`, as in MMOCR's SeparableConv2d.

    Args:
        channels: Channels of the input N×C×H×W and of the output N×C×H/stride×W/stride.
        stride: Stride of the depthwise convolution, 1 or 2.
    """
    children: OrderedDict[str, nn.Module] = OrderedDict()
    children["depthwise_conv"] = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels)
    children["pointwise_conv"] = nn.Conv2d(channels, channels, 1)
    children["bn"] = nn.BatchNorm2d(channels)
    children["relu"] = nn.ReLU()
    return nn.Sequential(children)
