"""Attention with one weight for queries, keys and values, and the layers around it, as mmcv has them.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017; mmcv 1.7.2 and 2.1.0 `cnn.bricks.transformer`
(BaseTransformerLayer, MultiheadAttention, FFN) over PyTorch's MultiheadAttention.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .padding import MASKED


class PackedLayer(nn.Module):
    """Attention beside a shortcut, two linear layers beside another, normalisation behind each sum.

    Args:
        heads: Number of heads.
        channels: Channels of a position.
        hidden: Channels between the two linear layers.
        counts: Q and K: how many positions there are, and how many they attend to.
    """

    def __init__(self, heads: int, channels: int, hidden: int, counts: tuple[int, int]) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([_Attention(heads, channels, counts)])
        self.ffns = nn.ModuleList([_FeedForward(channels, hidden)])
        self.norms = nn.ModuleList([nn.LayerNorm(channels), nn.LayerNorm(channels)])

    def forward(self, query: Tensor, source: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return the positions after the layer, N×Q×C.

        Args:
            query: Positions, N×Q×C or 1×Q×C.
            source: What they attend to, N×K×C.
            seen: Which of it a position sees, bool, such that it can be broadcast to N×heads×Q×K; None for all.
        """
        read = self.attentions[0](query, source, seen)
        positions = self.norms[0](query + read)
        result: Tensor = self.norms[1](positions + self.ffns[0](positions))
        return result


class PackedAttention(nn.Module):
    """Attention of several heads; parameters are named as those of PyTorch's MultiheadAttention.

    Args:
        heads: Number of heads.
        channels: Channels of queries, sources and output.
        counts: Numbers of queries and of sources; with them the graph needs no arithmetic on shapes.
    """

    def __init__(self, heads: int, channels: int, counts: tuple[int, int]) -> None:
        super().__init__()
        queries, sources = counts
        self.shape = (-1, queries, channels)
        self.scale = (channels // heads) ** -0.5
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        width = channels // heads
        self.project_query = Projection((-1, queries, heads, width), (0, 2, 1, 3))
        self.project_key = Projection((-1, sources, heads, width), (0, 2, 3, 1))
        self.project_value = Projection((-1, sources, heads, width), (0, 2, 1, 3))
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, query: Tensor, source: Tensor, seen: Tensor | None) -> Tensor:
        """Return what each query reads, N×Q×C; see `PackedLayer`."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        queries = self.project_query(query, weights[0], biases[0])
        keys = self.project_key(source, weights[1], biases[1])
        values = self.project_value(source, weights[2], biases[2])
        scores = torch.matmul(queries * self.scale, keys)
        if seen is not None:
            scores = scores.masked_fill(~seen, MASKED)
        read = torch.matmul(scores.softmax(dim=3), values).transpose(1, 2)
        result: Tensor = self.out_proj(read.reshape(self.shape))
        return result


class Projection(nn.Module):
    """A linear layer whose parameters are a part of others, cut into heads.

    It is a module so that its nodes in a graph have its name, whichever of them the exporter leaves out.

    Args:
        shape: Shape N×L×heads×C of what the linear layer gives.
        order: The order of these dimensions in the result.
    """

    def __init__(self, shape: tuple[int, int, int, int], order: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.order = order

    def forward(self, given: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the heads for N×L×in, out×in and out."""
        return functional.linear(given, weight, bias).reshape(self.shape).permute(self.order)


class _Attention(nn.Module):
    """What mmcv has around its attention: nothing at inference, but a name."""

    def __init__(self, heads: int, channels: int, counts: tuple[int, int]) -> None:
        super().__init__()
        self.attn = PackedAttention(heads, channels, counts)

    def forward(self, query: Tensor, source: Tensor, seen: Tensor | None) -> Tensor:
        """Return what each query reads."""
        read: Tensor = self.attn(query, source, seen)
        return read


class _FeedForward(nn.Module):
    """Two linear layers with ReLU between them, N×L×C to the same."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU())
        self.layers = nn.Sequential(first, nn.Linear(hidden, channels))

    def forward(self, positions: Tensor) -> Tensor:
        """Return the positions after them."""
        result: Tensor = self.layers(positions)
        return result
