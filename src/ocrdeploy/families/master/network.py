"""MASTER in PyTorch: a residual network with global context, and a decoder of transformer layers.

Lu et al., "MASTER: Multi-aspect Non-local Network for Scene Text Recognition", Pattern Recognition 2021; MMOCR v0.6.3
and v1.0.1 `mmocr.models.textrecog.decoders.master_decoder.MasterDecoder`, whose layers are mmcv's BaseTransformerLayer.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrdeploy.errors import ShapeError
from ocrdeploy.layers.greedy import States, decode_greedily, put
from ocrdeploy.layers.padding import MASKED
from ocrdeploy.layers.recogniser_settings import ClassSettings
from ocrdeploy.layers.tracing import is_traced
from ocrdeploy.layers.transformer import Memory, PositionTable
from ocrdeploy.layers.word_resnet import WordResNet
from ocrdeploy.layers.words import best_classes, check_words, greedy_rule

from .settings import MASTERDecoderSettings, MASTERSettings


class MASTER(nn.Module):
    """The network; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not all probabilities.
    """

    def __init__(self, settings: MASTERSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels, self.stride = settings.backbone.in_channels, settings.backbone.stride
        self.places = settings.decoder.feat_size
        self.decode_in_graph = decode_in_graph
        self.backbone = WordResNet(settings.backbone)
        self.decoder = MASTERDecoder(settings.decoder, settings.classes)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the probabilities of the characters, or the best class of each step.

        Args:
            images: Normalised word images, float32, N×C×H×W, in the order and range of the training.

        Returns:
            Probabilities N×T×classes, see `decode_greedily`; with `decode_in_graph` the largest one's class N×T, int32,
            and it itself N×T.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        self.check_input(images.shape)
        probabilities: Tensor = self.decoder(self.backbone(images).flatten(2).transpose(1, 2))
        return best_classes(probabilities) if self.decode_in_graph else probabilities

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Refuse images that are not N×C×H×W, or have no place or more places than the decoder has positions.

        Raises:
            ShapeError: They are.
        """
        check_words(shape, self.in_channels, None)
        places = math.prod(length // stride for length, stride in zip(shape[2:], self.stride, strict=True))
        if not is_traced() and not 1 <= places <= self.places:
            raise ShapeError(
                f"images of {shape[2]} x {shape[3]} pixels have {places} places in the feature map, and the decoder "
                f"takes 1 to {self.places}",
                "Resize the images as the test pipeline of its config does.",
            )


class MASTERDecoder(nn.Module):
    """Features of a word to the probabilities of its characters.

    MMOCR gives a step that was given the padding class equal weights for all steps, those behind it too. No trained
    network gives that class, which is no target of the training; here it is a class as any other.

    Args:
        settings: Layers and channels.
        classes: What is decoded.
    """

    def __init__(self, settings: MASTERDecoderSettings, classes: ClassSettings) -> None:
        super().__init__()
        self.heads, self.channels = settings.n_head, settings.d_model
        self.rule = greedy_rule(classes)
        self.decoder_layers = nn.ModuleList(MASTERLayer(settings) for _ in range(settings.n_layers))
        self.cls = nn.Linear(settings.d_model, classes.scored_classes)
        self.embedding = nn.ModuleDict({"lut": nn.Embedding(classes.num_classes, settings.d_model)})
        self.positional_encoding = PositionTable(classes.max_seq_len + 1, settings.d_model)
        self.feat_positional_encoding = PositionTable(settings.feat_size, settings.d_model)
        self.norm = nn.LayerNorm(settings.d_model)

    def forward(self, features: Tensor) -> Tensor:
        """Return probabilities N×T×classes for the word's features N×K×C, float."""
        features = features + self.feat_positional_encoding.position_table[:, : features.shape[1]]
        layers = [layer for layer in self.decoder_layers if isinstance(layer, MASTERLayer)]
        image = [layer.cross_attention.memory(features) for layer in layers]
        steps = self.rule.steps

        def step(number: Tensor, previous: Tensor, states: States) -> tuple[Tensor, States]:
            seen = (torch.arange(steps, device=previous.device) <= number)[None, None, None]
            one = self.embedding["lut"](previous)[:, None] * math.sqrt(self.channels)
            one = one + self.positional_encoding.at(number)
            left: list[Tensor] = []
            for index, layer in enumerate(layers):
                one, after = layer(one, number, (states[2 * index], states[2 * index + 1]), seen, image[index])
                left += after
            return self.cls(self.norm(one))[:, 0], tuple(left)

        shape = (features.shape[0], self.heads, steps, self.channels // self.heads)
        empty = torch.zeros(shape, device=features.device)
        return decode_greedily(step, (empty,) * (2 * len(layers)), features, self.rule)


class MASTERLayer(nn.Module):
    """Attention to the steps before, to the image, and two linear layers, each behind a normalisation.

    Args:
        settings: Heads and channels.
    """

    def __init__(self, settings: MASTERDecoderSettings) -> None:
        super().__init__()
        heads, channels = settings.n_head, settings.d_model
        self.attentions = nn.ModuleList(
            nn.ModuleDict({"attn": PackedAttention(heads, channels)}) for _ in ("steps", "image")
        )
        first = nn.Sequential(nn.Linear(channels, settings.d_inner), nn.ReLU())
        layers = nn.Sequential(first, nn.Linear(settings.d_inner, channels))
        self.ffns = nn.ModuleList([nn.ModuleDict({"layers": layers})])
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    @property
    def cross_attention(self) -> "PackedAttention":
        """The attention to the image."""
        return self._attention(1)

    def forward(
        self, step: Tensor, number: Tensor, before: Memory, seen: Tensor, image: Memory
    ) -> tuple[Tensor, Memory]:
        """Return a step N×1×C after the layer, and keys and values of all steps; see `DecoderLayer`."""
        given = self.norms[0](step)
        attention = self._attention(0)
        keys, values = (put(kept, number, own) for kept, own in zip(before, attention.memory(given), strict=True))
        step = step + attention(given, (keys, values), seen)
        step = step + self.cross_attention(self.norms[1](step), image, None)
        layers = self.ffns[0].get_submodule("layers")
        return step + layers(self.norms[2](step)), (keys, values)

    def _attention(self, index: int) -> "PackedAttention":
        """Return one of the two attentions."""
        found = self.attentions[index].get_submodule("attn")
        assert isinstance(found, PackedAttention)  # noqa: S101  (for the type)
        return found


class PackedAttention(nn.Module):
    """Attention of several heads with the parameters of PyTorch's, which joins three linear layers in one.

    Args:
        heads: Number of heads.
        channels: Channels of queries, keys, values and output, a multiple of the number of heads.
    """

    def __init__(self, heads: int, channels: int) -> None:
        super().__init__()
        self.parts = (heads, channels // heads)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.out_proj = nn.Linear(channels, channels)

    def memory(self, source: Tensor) -> Memory:
        """Return keys and values, N×heads×K×channels of a head, of a sequence N×K×C."""
        return self._project(source, 1), self._project(source, 2)

    def forward(self, query: Tensor, memory: Memory, seen: Tensor | None) -> Tensor:
        """Return what each query reads, N×Q×C; see `MultiHeadAttention`."""
        keys, values = memory
        scores = torch.matmul(self._project(query, 0) / math.sqrt(self.parts[1]), keys.transpose(2, 3))
        if seen is not None:
            scores = scores.masked_fill(~seen, MASKED)
        read = torch.matmul(scores.softmax(dim=3), values)
        result: Tensor = self.out_proj(read.transpose(1, 2).flatten(2))
        return result

    def _project(self, source: Tensor, part: int) -> Tensor:
        """Return one of queries, keys and values in heads."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        projected = functional.linear(source, weights[part], biases[part])
        return projected.reshape(*projected.shape[:2], *self.parts).transpose(1, 2)
