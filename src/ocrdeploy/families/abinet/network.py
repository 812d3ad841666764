"""ABINet in PyTorch: what is seen of a word, and how a language model corrects it.

Fang et al., "Read Like Humans: Autonomous, Bidirectional and Iterative Language Modeling for Scene Text Recognition",
CVPR 2021; MMOCR v0.6.3 `mmocr.models.textrecog` (`recognizer.abinet`, `encoders.abinet_vision_model`,
`decoders.abinet_vision_decoder`, `decoders.abinet_language_decoder`, `fusers.abi_fuser`) and v1.0.1, which computes the
same under other names.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrdeploy.errors import ShapeError
from ocrdeploy.layers.convolution import conv_module
from ocrdeploy.layers.packed_attention import PackedLayer
from ocrdeploy.layers.resnet_abi import ResNetABI
from ocrdeploy.layers.tracing import is_traced
from ocrdeploy.layers.transformer import PositionTable
from ocrdeploy.layers.words import best_classes

from .settings import ABINetSettings, LanguageDecoderSettings, TransformerSettings, VisionDecoderSettings

LEAST_LENGTH = 2
"""Steps that the language model looks at, however short a word is."""


class ABINet(nn.Module):
    """A word to the probabilities of its characters; state-dict keys are those of MMOCR 0.x's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability.
    """

    def __init__(self, settings: ABINetSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.shape = (settings.backbone.in_channels, *settings.image_size)
        self.decode_in_graph = decode_in_graph
        self.iterations = settings.iterations
        self.backbone = ResNetABI(settings.backbone)
        self.encoder = ABIVisionModel(settings.encoder, settings.vision)
        self.decoder = None if settings.language is None else ABILanguageDecoder(settings.language)
        self.fuser = None if settings.language is None else ABIFuser(settings.language)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the probabilities of the characters at each step, or the best class of each step.

        Args:
            images: Normalised word images, float32, N×C×H×W of the one size that the network takes, in the order and
                range of the training.

        Returns:
            Probabilities N×T×classes; with `decode_in_graph` the class of the largest, N×T, int32, and its probability.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        if not is_traced():
            self.check_input(images.shape)
        seen, logits = self.encoder(self.backbone(images))
        if self.decoder is not None and self.fuser is not None:
            for _ in range(self.iterations):
                logits = self.fuser(self.decoder(logits), seen)
        probabilities: Tensor = logits.softmax(dim=2)
        return best_classes(probabilities) if self.decode_in_graph else probabilities

    def check_input(self, shape: Sequence[int]) -> None:
        """Refuse images that are not N×C×H×W of the network's one size.

        Args:
            shape: The shape of the images.

        Raises:
            ShapeError: They have another shape.
        """
        if len(shape) != 4 or shape[0] < 1 or tuple(shape[1:]) != self.shape:
            raise ShapeError(
                f"the recogniser takes images N x {' x '.join(map(str, self.shape))}, "
                f"got {' x '.join(map(str, shape)) or 'a scalar'}",
                "Resize the images as the test pipeline of its config does.",
            )


class ABIVisionModel(nn.Module):
    """A feature map to what each step sees of it, and to the logits of its character.

    Args:
        encoder: Attention between the places of the map.
        decoder: Attention of the steps to them.
    """

    def __init__(self, encoder: TransformerSettings, decoder: VisionDecoderSettings) -> None:
        super().__init__()
        self.encoder = TransformerEncoder(encoder, decoder)
        self.decoder = ABIVisionDecoder(decoder)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return N×T×C and logits N×T×classes for a feature map N×C×h×w."""
        seen, logits = self.decoder(self.encoder(features))
        return seen, logits


class TransformerEncoder(nn.Module):
    """Attention between all places of a feature map, each of which knows where it is.

    Args:
        settings: Layers and channels.
        size: Height and width of the map.
    """

    def __init__(self, settings: TransformerSettings, size: VisionDecoderSettings) -> None:
        super().__init__()
        count = size.attn_height * size.attn_width
        self.as_places = (-1, settings.d_model, count)
        self.as_map = (-1, settings.d_model, size.attn_height, size.attn_width)
        self.pos_encoder = PositionTable(settings.max_len, settings.d_model)
        self.transformer = nn.ModuleList(
            PackedLayer(settings.n_head, settings.d_model, settings.d_inner, (count, count))
            for _ in range(settings.n_layers)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return a map N×C×h×w for one of the same shape."""
        places = features.reshape(self.as_places).transpose(1, 2)
        places = places + self.pos_encoder.position_table[:, : self.as_places[2]]
        for layer in self.transformer:
            places = layer(places, places)
        return places.transpose(1, 2).reshape(self.as_map)


class ABIVisionDecoder(nn.Module):
    """Attention of each step to a feature map, whose keys a small U-Net makes of it.

    Args:
        settings: Channels, classes, size of the map.
    """

    def __init__(self, settings: VisionDecoderSettings) -> None:
        super().__init__()
        channels, hidden = settings.in_channels, settings.num_channels
        self.shape = (-1, channels, settings.attn_height * settings.attn_width)
        widths = (channels, hidden, hidden, hidden)
        strides = ((1, 2), (2, 2), (2, 2), (2, 2))
        self.k_encoder = nn.Sequential(
            *(conv_module(width, hidden, 3, stride=stride) for width, stride in zip(widths, strides, strict=True))
        )
        self.k_decoder = nn.Sequential(
            *(_enlarging(hidden, hidden, (2.0, 2.0)) for _ in range(3)), _enlarging(hidden, channels, (1.0, 2.0))
        )
        self.pos_encoder = PositionTable(settings.max_seq_len, channels)
        self.project = nn.Linear(channels, channels)
        self.cls = nn.Linear(channels, settings.num_chars)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return N×T×C and logits N×T×classes for a feature map N×C×h×w."""
        keys, kept = features, []
        for encode in self.k_encoder:
            keys = encode(keys)
            kept.append(keys)
        for decode, finer in zip(self.k_decoder, (*kept[2::-1], None), strict=True):
            keys = decode(keys) if finer is None else decode(keys) + finer
        queries = self.project(self.pos_encoder.position_table)
        scores = torch.matmul(queries, keys.reshape(self.shape)) / self.shape[1] ** 0.5
        seen = torch.matmul(scores.softmax(dim=2), features.reshape(self.shape).transpose(1, 2))
        return seen, self.cls(seen)


class ABILanguageDecoder(nn.Module):
    """Probabilities of characters to features of what may stand at each step, without looking at that step itself.

    Its own logits are for training alone, and are not computed.

    Args:
        settings: Layers, channels, classes.
    """

    def __init__(self, settings: LanguageDecoderSettings) -> None:
        super().__init__()
        self.end = settings.pad_idx
        self.steps = settings.max_seq_len
        self.proj = nn.Linear(settings.num_chars, settings.d_model, bias=False)
        self.token_encoder = PositionTable(settings.max_seq_len, settings.d_model)
        self.pos_encoder = PositionTable(settings.max_seq_len, settings.d_model)
        self.decoder_layers = nn.ModuleList(
            PackedLayer(settings.n_head, settings.d_model, settings.d_inner, (self.steps, self.steps))
            for _ in range(settings.n_layers)
        )
        self.cls = nn.Linear(settings.d_model, settings.num_chars)
        self.register_buffer("numbers", torch.arange(self.steps, dtype=torch.float32), persistent=False)
        self.register_buffer("others", ~torch.eye(self.steps, dtype=torch.bool), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Return N×T×C for logits N×T×classes."""
        tokens = self.proj(logits.softmax(dim=2)) + self.token_encoder.position_table
        seen = self._within(logits).reshape(-1, 1, 1, self.steps) & self.get_buffer("others")
        features: Tensor = self.pos_encoder.position_table
        for layer in self.decoder_layers:
            features = layer(features, tokens, seen)
        return features

    def _within(self, logits: Tensor) -> Tensor:
        """Return which steps lie before or at the first end, N×T, bool; at least two do."""
        numbers = self.get_buffer("numbers")
        last = torch.where(logits.argmax(dim=2) == self.end, numbers, float(self.steps)).amin(dim=1, keepdim=True)
        return numbers <= last.clamp(min=LEAST_LENGTH - 1)


class ABIFuser(nn.Module):
    """Mixes what is seen with what the language model expects, and gives logits of the characters.

    Args:
        settings: Channels and classes.
    """

    def __init__(self, settings: LanguageDecoderSettings) -> None:
        super().__init__()
        self.w_att = nn.Linear(2 * settings.d_model, settings.d_model)
        self.cls = nn.Linear(settings.d_model, settings.num_chars)

    def forward(self, expected: Tensor, seen: Tensor) -> Tensor:
        """Return logits N×T×classes for two features N×T×C."""
        weight = torch.sigmoid(self.w_att(torch.cat([seen, expected], dim=2)))
        logits: Tensor = self.cls(weight * expected + (1 - weight) * seen)
        return logits


def _enlarging(in_channels: int, out_channels: int, factors: tuple[float, float]) -> nn.Sequential:
    """Return a convolution of a map that is enlarged before it, each pixel being repeated."""
    return nn.Sequential(nn.Upsample(scale_factor=factors, mode="nearest"), conv_module(in_channels, out_channels, 3))
