"""Attention of several heads, and layers of encoders and decoders around it.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017; MMOCR v0.6.3 and v1.0.1
`mmocr.models.common.modules.transformer_module` and `mmocr.models.common.layers.transformer_layers`.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from .greedy import put
from .padding import MASKED

Activation = Literal["gelu", "relu"]
Memory = tuple[Tensor, Tensor]
"""Keys and values of what is attended to: N×heads×K×channels of a head, each."""


class MultiHeadAttention(nn.Module):
    """Attention of several heads.

    Args:
        heads: Number of heads.
        channels: Channels of queries, keys, values and output, a multiple of the number of heads.
        bias: Whether the linear layers have a bias.
    """

    def __init__(self, heads: int, channels: int, *, bias: bool = False) -> None:
        super().__init__()
        self.parts = (heads, channels // heads)
        self.scale = (channels // heads) ** 0.5
        self.linear_q = nn.Linear(channels, channels, bias=bias)
        self.linear_k = nn.Linear(channels, channels, bias=bias)
        self.linear_v = nn.Linear(channels, channels, bias=bias)
        self.fc = nn.Linear(channels, channels, bias=bias)

    def memory(self, source: Tensor) -> Memory:
        """Return keys and values of a sequence N×K×C."""
        return self._split(self.linear_k(source)), self._split(self.linear_v(source))

    def forward(self, query: Tensor, memory: Memory, seen: Tensor | None) -> Tensor:
        """Return what each query reads.

        Args:
            query: N×Q×C.
            memory: Keys and values.
            seen: Which keys a query sees, bool, such that it can be broadcast to N×heads×Q×K; None for all.

        Returns:
            N×Q×C.
        """
        keys, values = memory
        scores = torch.matmul(self._split(self.linear_q(query)) / self.scale, keys.transpose(2, 3))
        if seen is not None:
            scores = scores.masked_fill(~seen, MASKED)
        read = torch.matmul(scores.softmax(dim=3), values)
        result: Tensor = self.fc(read.transpose(1, 2).flatten(2))
        return result

    def _split(self, channels: Tensor) -> Tensor:
        """Return N×heads×L×channels of a head for N×L×C."""
        return channels.reshape(*channels.shape[:2], *self.parts).transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear layers with an activation between them, at each position N×L×C.

    Args:
        channels: Channels of a position.
        hidden: Channels between the layers.
        activation: What is between them.
    """

    def __init__(self, channels: int, hidden: int, activation: Activation = "gelu") -> None:
        super().__init__()
        self.w_1 = nn.Linear(channels, hidden)
        self.w_2 = nn.Linear(hidden, channels)
        self.act = nn.GELU() if activation == "gelu" else nn.ReLU()

    def forward(self, positions: Tensor) -> Tensor:
        """Return N×L×C."""
        result: Tensor = self.w_2(self.act(self.w_1(positions)))
        return result


class EncoderLayer(nn.Module):
    """Attention between positions, and two linear layers at each; both beside a shortcut (MMOCR's TFEncoderLayer).

    Args:
        heads: Number of heads.
        channels: Channels of a position.
        hidden: Channels between the two linear layers.
        bias: Whether the linear layers of the attention have a bias.
        activation: What is between the two linear layers.
        norm_first: Whether normalisation stands before attention and linear layers, or behind the sums.
    """

    def __init__(
        self,
        heads: int,
        channels: int,
        hidden: int,
        *,
        bias: bool = False,
        activation: Activation = "gelu",
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attn = MultiHeadAttention(heads, channels, bias=bias)
        self.norm1 = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels, hidden, activation)
        self.norm2 = nn.LayerNorm(channels)

    def forward(self, positions: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return positions N×L×C after the layer; `seen` as `MultiHeadAttention` has it."""
        if self.norm_first:
            given = self.norm1(positions)
            positions = positions + self.attn(given, self.attn.memory(given), seen)
            result: Tensor = positions + self.mlp(self.norm2(positions))
        else:
            positions = self.norm1(positions + self.attn(positions, self.attn.memory(positions), seen))
            result = self.norm2(positions + self.mlp(positions))
        return result


class DecoderLayer(nn.Module):
    """Attention to the steps before, to the image, and two linear layers (MMOCR's TFDecoderLayer), one step at a time.

    Args:
        heads: Number of heads.
        channels: Channels of a step and of the image's features.
        hidden: Channels between the two linear layers.
    """

    def __init__(self, heads: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.self_attn = MultiHeadAttention(heads, channels)
        self.enc_attn = MultiHeadAttention(heads, channels)
        self.mlp = FeedForward(channels, hidden)

    def forward(
        self, step: Tensor, number: Tensor, before: Memory, seen: Tensor, image: Memory, valid: Tensor | None
    ) -> tuple[Tensor, Memory]:
        """Return a step after the layer, and keys and values of all steps, with its own in their place.

        Args:
            step: N×1×C.
            number: Which step, int64, no dimension.
            before: Keys and values of the steps before, N×heads×T×C/heads.
            seen: Which steps it sees, bool, N×1×1×T or 1×1×1×T.
            image: Keys and values of the image, from `enc_attn.memory`.
            valid: Which of them belong to the word, bool, N×1×1×K; None for all.
        """
        given = self.norm1(step)
        keys, values = (put(kept, number, own) for kept, own in zip(before, self.self_attn.memory(given), strict=True))
        step = step + self.self_attn(given, (keys, values), seen)
        step = step + self.enc_attn(self.norm2(step), image, valid)
        return step + self.mlp(self.norm3(step)), (keys, values)


def sine_table(positions: int, channels: int) -> Tensor:
    """Return the sines and cosines that tell positions apart, positions×channels, float32.

    Channels 2i and 2i + 1 are sine and cosine of the position divided by 10000 to the power of 2i / channels. The
    rounding is that of MMOCR's tables, which are part of checkpoints.
    """
    frequencies = torch.from_numpy(1 / 10000.0 ** (2 * (np.arange(channels) // 2) / channels)).float()
    table = torch.arange(positions)[:, None].float() * frequencies
    table[:, 0::2] = table[:, 0::2].sin()
    table[:, 1::2] = table[:, 1::2].cos()
    return table


class PositionTable(nn.Module):
    """The sines and cosines of positions, 1×positions×channels, where checkpoints have them.

    Args:
        positions: How many.
        channels: Channels of each.
    """

    position_table: Tensor

    def __init__(self, positions: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("position_table", sine_table(positions, channels)[None])

    def at(self, number: Tensor) -> Tensor:
        """Return one position, 1×1×C, for its number (int64, no dimension)."""
        return self.position_table.index_select(1, number.reshape(1))
