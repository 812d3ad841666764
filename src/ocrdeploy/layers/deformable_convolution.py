"""Deformable convolution, without an operator of its own.

PyTorch has none: here it samples by `grid_sample`. An exported graph gets ONNX's `DeformConv`, which
`ocrdeploy.graphs.deformable` writes out as `GridSample` where opset or runtime do not know it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = 9
"""Pixels that a kernel of 3×3 reads."""


class DeformableConv2d(nn.Module):
    """A 3×3 convolution that reads each of its nine pixels beside its place, and weighs it.

    Zhu et al., "Deformable ConvNets v2: More Deformable, Better Results", CVPR 2019; mmcv-full v1.7.2
    `mmcv.ops.modulated_deform_conv.ModulatedDeformConv2dPack` (`DCNv2`), without a bias. The child `conv_offset` and
    the order of its channels are those of MMOCR's checkpoints.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the convolution.
        groups: Groups of input channels that have offsets and weights of their own.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: int) -> None:
        super().__init__()
        self.stride = stride
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.conv_offset = nn.Conv2d(in_channels, groups * 3 * TAPS, 3, stride=stride, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return feature maps N×out_channels×H/stride×W/stride of feature maps N×in_channels×H×W."""
        given = self.conv_offset(features)
        split = self.groups * 2 * TAPS
        offsets, factors = given[:, :split], torch.sigmoid(given[:, split:])
        if torch.onnx.is_in_onnx_export():
            arguments = features, self.weight, offsets, factors, self.stride, self.groups
            written: Tensor = _DeformConv.apply(*arguments)  # type: ignore[no-untyped-call]
            return written
        return deform_conv2d(features, self.weight, offsets, factors, self.stride)


def deform_conv2d(features: Tensor, weight: Tensor, offsets: Tensor, factors: Tensor, stride: int) -> Tensor:
    """Return the convolution of features that are read beside their places.

    Between pixels values are interpolated bilinearly; outside of the features they are zero.

    Args:
        features: N×C×H×W, float.
        weight: Kernels of 3×3, out×C×3×3.
        offsets: How far beside its place each pixel is read, N×(groups·9·2)×H'×W' in pixels of the features: of each
            group and pixel of the kernel the offset downwards, then the one to the right.
        factors: What each pixel is multiplied by, N×(groups·9)×H'×W'.
        stride: Stride of the convolution, whose padding is 1.

    Returns:
        N×out×H'×W'.
    """
    batch, channels, height, width = features.shape
    out_height, out_width = factors.shape[2:]
    groups = factors.shape[1] // TAPS
    steps = torch.arange(3, device=features.device, dtype=features.dtype) - 1
    rows = torch.arange(out_height, device=features.device, dtype=features.dtype) * stride
    columns = torch.arange(out_width, device=features.device, dtype=features.dtype) * stride
    moved = offsets.reshape(batch * groups, TAPS, 2, out_height, out_width)
    y = moved[:, :, 0] + (steps.repeat_interleave(3)[:, None, None] + rows[:, None])
    x = moved[:, :, 1] + (steps.repeat(3)[:, None, None] + columns)
    # -1 and 1 are the outer edges of the corner pixels, so that maps of one pixel have a size as well.
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    sampled = functional.grid_sample(
        features.reshape(batch * groups, channels // groups, height, width),
        grid.reshape(batch * groups, TAPS * out_height, out_width, 2),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    sampled = sampled.reshape(batch, groups, -1, TAPS, out_height, out_width)
    weighed = sampled * factors.reshape(batch, groups, 1, TAPS, out_height, out_width)
    # Each pixel of the kernel has become a channel.
    columns_of_pixels = weighed.reshape(batch, channels * TAPS, out_height, out_width)
    return functional.conv2d(columns_of_pixels, weight.reshape(-1, channels * TAPS, 1, 1))


class _DeformConv(torch.autograd.Function):
    """What the exporter writes as ONNX's `DeformConv`."""

    @staticmethod
    def forward(
        _context: Any, features: Tensor, weight: Tensor, _offsets: Tensor, factors: Tensor, _stride: int, _groups: int
    ) -> Tensor:
        """Return zeros of the right shape, N×out×H'×W': while a graph is recorded no values are read."""
        return features.new_zeros(factors.shape[0], weight.shape[0], *factors.shape[2:])

    @staticmethod
    def symbolic(graph: Any, features: Any, weight: Any, offsets: Any, factors: Any, stride: int, groups: int) -> Any:
        """Return the node: its inputs are features, weight, offsets, bias and factors."""
        out_channels = weight.type().sizes()[0]
        bias = graph.op("Constant", value_t=torch.zeros(out_channels))
        node = graph.op(
            "DeformConv",
            *(features, weight, offsets, bias, factors),
            kernel_shape_i=[3, 3],
            pads_i=[1, 1, 1, 1],
            strides_i=[stride, stride],
            dilations_i=[1, 1],
            group_i=1,
            offset_group_i=groups,
        )
        node.setType(features.type().with_sizes([None, out_channels, None, None]))
        return node
