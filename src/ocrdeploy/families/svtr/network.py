"""SVTR in PyTorch: a straightened word in patches, three stages of attention, and the logits of the characters.

Du et al., "SVTR: Scene Text Recognition with a Single Visual Model", IJCAI 2022; MMOCR v1.0.1
`mmocr.models.textrecog.encoders.svtr_encoder.SVTREncoder` and `decoders.svtr_decoder.SVTRDecoder`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrdeploy.errors import ShapeError
from ocrdeploy.layers.convolution import conv_module
from ocrdeploy.layers.ctc import best_classes
from ocrdeploy.layers.thin_plate import STN
from ocrdeploy.layers.tracing import is_traced

from .settings import STAGES, SVTRDecoderSettings, SVTREncoderSettings, SVTRSettings

EPSILON = 1e-6
"""Of the layer normalisations, but for those behind a convolution, which have PyTorch's."""


class SVTR(nn.Module):
    """Rectification, attention, and the logits of the characters; state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not logits.
    """

    def __init__(self, settings: SVTRSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels = settings.encoder.in_channels
        self.decode_in_graph = decode_in_graph
        self.preprocessor = STN(settings.preprocessor)
        self.encoder = SVTREncoder(settings.encoder)
        self.decoder = SVTRDecoder(settings.decoder)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of the characters, or the best class of each step.

        Args:
            images: Normalised word images of any size, float32, N×C×H×W, in the order and range of the training.

        Returns:
            Logits N×T×classes with T = `max_seq_len`; with `decode_in_graph` the largest one's class N×T, int32, and
            its probability N×T.

        Raises:
            ShapeError: The images have other channels. While the network is traced for export nothing is checked.
        """
        if not is_traced():
            self.check_input(images.shape)
        logits: Tensor = self.decoder(self.encoder(self.preprocessor(images)))
        return best_classes(logits) if self.decode_in_graph else logits

    def check_input(self, shape: Sequence[int]) -> None:
        """Refuse images that are not N×C×H×W with the channels of the network.

        Args:
            shape: The shape of the images.

        Raises:
            ShapeError: They have another shape.
        """
        if len(shape) != 4 or shape[1] != self.in_channels or min(shape) < 1:
            raise ShapeError(
                f"the recogniser takes images N x {self.in_channels} x H x W, "
                f"got {' x '.join(map(str, shape)) or 'a scalar'}"
            )


class SVTREncoder(nn.Module):
    """A word to one feature vector a step.

    Args:
        settings: Sizes, channels, blocks.
    """

    def __init__(self, settings: SVTREncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        first, second, third = settings.embed_dims
        sizes = [settings.map_size(stage) for stage in range(STAGES)]
        counts = [height * width for height, width in sizes]
        self.absolute_pos_embed = nn.Parameter(torch.zeros(1, counts[0], first))
        self.patch_embed = PatchEmbedding(settings.in_channels, first, counts[0])
        self.blocks1 = _stage(settings, 0)
        self.downsample1 = Merging(first, second, counts[1])
        self.blocks2 = _stage(settings, 1)
        self.downsample2 = Merging(second, third, counts[2])
        self.blocks3 = _stage(settings, 2)
        self.layer_norm = nn.LayerNorm(third, eps=EPSILON)
        last_height, width = sizes[-1]
        self.avgpool = nn.AvgPool2d((last_height, width // settings.max_seq_len))
        self.columns = (-1, settings.out_channels, settings.max_seq_len)
        self.last_conv = nn.Conv2d(third, settings.out_channels, 1, bias=False)
        self.activate = nn.Hardswish()

    def forward(self, words: Tensor) -> Tensor:
        """Return N×T×out_channels for straight words N×C×H×W of `img_size`, float."""
        positions = self.blocks1(self.patch_embed(words) + self.absolute_pos_embed)
        positions = self.blocks2(self.downsample1(self._as_map(positions, 0)))
        positions = self.blocks3(self.downsample2(self._as_map(positions, 1)))
        columns = self.avgpool(self._as_map(self.layer_norm(positions), STAGES - 1))
        steps: Tensor = self.activate(self.last_conv(columns))
        return steps.reshape(self.columns).permute(0, 2, 1)

    def _as_map(self, positions: Tensor, stage: int) -> Tensor:
        """Return the feature map N×C×h×w of a stage's positions N×(h·w)×C."""
        shape = (-1, self.settings.embed_dims[stage], *self.settings.map_size(stage))
        return positions.permute(0, 2, 1).reshape(shape)


class SVTRDecoder(nn.Module):
    """Feature vectors N×T×in_channels to logits N×T×num_classes, by a linear layer.

    Args:
        settings: Channels and classes.
    """

    def __init__(self, settings: SVTRDecoderSettings) -> None:
        super().__init__()
        self.decoder = nn.Linear(settings.in_channels, settings.num_classes)

    def forward(self, steps: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.decoder(steps)
        return logits


class PatchEmbedding(nn.Module):
    """Two convolutions that bring each 4×4 pixels of a word N×C×H×W to a position, N×(H/4·W/4)×channels.

    Args:
        in_channels: Channels of the word.
        channels: Channels of a position.
        count: How many positions there are.
    """

    def __init__(self, in_channels: int, channels: int, count: int) -> None:
        super().__init__()
        self.shape = (-1, channels, count)
        self.net = nn.Sequential()
        self.net.add_module("ConvModule0", conv_module(in_channels, channels // 2, 3, stride=2, activation=nn.GELU))
        self.net.add_module("ConvModule1", conv_module(channels // 2, channels, 3, stride=2, activation=nn.GELU))

    def forward(self, words: Tensor) -> Tensor:
        """Return the positions, a row behind the other."""
        features: Tensor = self.net(words)
        return features.reshape(self.shape).permute(0, 2, 1)


class Merging(nn.Module):
    """Halves the height of a feature map N×C×h×w; gives positions N×(h/2·w)×out_channels.

    Args:
        in_channels: Channels of the feature map.
        out_channels: Channels of a position.
        count: How many positions there are.
    """

    def __init__(self, in_channels: int, out_channels: int, count: int) -> None:
        super().__init__()
        self.shape = (-1, out_channels, count)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=(2, 1), padding=1)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return the positions, a row behind the other."""
        positions: Tensor = self.norm(self.conv(features).reshape(self.shape).permute(0, 2, 1))
        return positions


class MixingBlock(nn.Module):
    """Attention between positions, and two linear layers at each, both beside a shortcut; N×P×C to the same.

    Args:
        settings: The encoder.
        stage: Its stage, from 0.
        local: Whether a position sees its window alone.
    """

    def __init__(self, settings: SVTREncoderSettings, stage: int, *, local: bool) -> None:
        super().__init__()
        channels, size = settings.embed_dims[stage], settings.map_size(stage)
        self.norm1 = nn.LayerNorm(channels, eps=EPSILON)
        mask = window_mask(size, settings.window_size[stage]) if local else None
        self.mixer = AttentionMixer(channels, settings.num_heads[stage], size[0] * size[1], mask)
        self.norm2 = nn.LayerNorm(channels, eps=EPSILON)
        self.mlp = MLP(channels, channels * settings.mlp_ratio)

    def forward(self, positions: Tensor) -> Tensor:
        """Return the positions after it."""
        positions = positions + self.mixer(self.norm1(positions))
        result: Tensor = positions + self.mlp(self.norm2(positions))
        return result


class AttentionMixer(nn.Module):
    """Attention of several heads between positions N×P×C.

    Args:
        channels: Channels of a position.
        heads: How many heads share them.
        count: How many positions there are.
        mask: What is added to the scores P×P; None where each position sees all.
    """

    mask: Tensor | None

    def __init__(self, channels: int, heads: int, count: int, mask: Tensor | None) -> None:
        super().__init__()
        self.scale = (channels // heads) ** -0.5
        self.shape = (-1, count, channels)
        self.parts = (-1, count, 3, heads, channels // heads)
        self.register_buffer("mask", None if mask is None else mask[None, None])
        self.qkv = nn.Linear(channels, channels * 3)
        self.proj = nn.Linear(channels, channels)

    def forward(self, positions: Tensor) -> Tensor:
        """Return what each position reads of those that it sees, N×P×C."""
        query, key, value = self.qkv(positions).reshape(self.parts).permute(2, 0, 3, 1, 4).unbind()
        scores = torch.matmul(query * self.scale, key.transpose(2, 3))
        if self.mask is not None:
            scores = scores + self.mask
        read = torch.matmul(scores.softmax(dim=3), value).transpose(1, 2).reshape(self.shape)
        result: Tensor = self.proj(read)
        return result


class MLP(nn.Module):
    """Two linear layers with GELU between them, at each position N×P×C.

    Args:
        channels: Channels of a position.
        hidden: Channels between the layers.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, positions: Tensor) -> Tensor:
        """Return N×P×C."""
        result: Tensor = self.fc2(self.act(self.fc1(positions)))
        return result


def window_mask(size: tuple[int, int], window: tuple[int, int]) -> Tensor:
    """Return what is added to the scores of a position for another: 0 in its window, minus infinity outside.

    Args:
        size: Height and width of the feature map.
        window: Height and width of the window around a position, odd.

    Returns:
        P×P for the P positions, a row behind the other.
    """
    places = torch.cartesian_prod(*(torch.arange(side) for side in size))
    reach = torch.tensor([side // 2 for side in window])
    inside = ((places[:, None] - places).abs() <= reach).all(dim=2)
    return torch.zeros(inside.shape).masked_fill(~inside, float("-inf"))


def _stage(settings: SVTREncoderSettings, stage: int) -> nn.Sequential:
    """Return the blocks of a stage."""
    return nn.Sequential(*(MixingBlock(settings, stage, local=mixer == "Local") for mixer in settings.mixers(stage)))
