"""SATRN in PyTorch: a shallow feature map, layers of attention over both its dimensions, and a transformer decoder.

Lee et al., "On Recognizing Texts of Arbitrary Shapes with 2D Self-Attention", CVPR workshops 2020; MMOCR v0.6.3 and
v1.0.1 `mmocr.models.textrecog.recognizers.satrn.SATRN`.
"""

from torch import Tensor, nn

from ocrdeploy.layers.convolution import conv_module
from ocrdeploy.layers.padding import valid_places
from ocrdeploy.layers.transformer import MultiHeadAttention, sine_table
from ocrdeploy.layers.transformer_decoder import TransformerDecoder
from ocrdeploy.layers.words import best_classes, check_words

from .settings import SATRNEncoderSettings, SATRNSettings, ShallowCNNSettings


class SATRN(nn.Module):
    """The network; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not all probabilities.
    """

    def __init__(self, settings: SATRNSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels, self.largest = settings.backbone.input_channels, settings.largest
        self.decode_in_graph = decode_in_graph
        self.backbone = ShallowCNN(settings.backbone)
        self.encoder = SATRNEncoder(settings.encoder)
        self.decoder = TransformerDecoder(settings.decoder, settings.classes)

    def forward(self, images: Tensor, valid_ratio: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the probabilities of the characters, or the best class of each step.

        Args:
            images: Normalised word images, float32, N×C×H×W, in the order and range of the training.
            valid_ratio: The part of each image's width that is word, N, float32.

        Returns:
            Probabilities N×T×classes, see `decode_greedily`; with `decode_in_graph` the largest one's class N×T, int32,
            and it itself N×T.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        self.check_input(images.shape)
        features = self.backbone(images)
        width = images.shape[3]
        sequence = self.encoder(features, valid_places(valid_ratio, width, features.shape[3]))
        # The encoder masks columns; the decoder counts the places of all rows together, as MMOCR's does.
        probabilities: Tensor = self.decoder(sequence, valid_places(valid_ratio, width, sequence.shape[1]))
        return best_classes(probabilities) if self.decode_in_graph else probabilities

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Refuse images that are not N×C×H×W, or have more places than there are positions; see `check_words`."""
        check_words(shape, self.in_channels, None, self.largest)


class ShallowCNN(nn.Module):
    """Two convolutions, with a pooling behind each.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.backbones.shallow_cnn.ShallowCNN`.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: ShallowCNNSettings) -> None:
        super().__init__()
        half = settings.hidden_dim // 2
        self.conv1 = conv_module(settings.input_channels, half, 3)
        self.conv2 = conv_module(half, settings.hidden_dim, 3)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """Return N×hidden_dim×H/4×W/4, rounded down, for images N×C×H×W, float."""
        features: Tensor = self.pool(self.conv2(self.pool(self.conv1(images))))
        return features


class SATRNEncoder(nn.Module):
    """Layers of attention between the places of a feature map.

    MMOCR v1.0.1 `mmocr.models.textrecog.encoders.satrn_encoder.SATRNEncoder`, v0.6.3 `SatrnEncoder`.

    Args:
        settings: Layers and channels.
    """

    def __init__(self, settings: SATRNEncoderSettings) -> None:
        super().__init__()
        self.adds_features = settings.adds_features
        self.position_enc = AdaptivePositions(settings.d_model, settings.n_position)
        self.layer_stack = nn.ModuleList(SATRNEncoderLayer(settings) for _ in range(settings.n_layers))
        self.layer_norm = nn.LayerNorm(settings.d_model)

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """Return N×(h·w)×C, a row behind the other.

        Args:
            features: N×C×h×w, float.
            valid: Which columns belong to the word, N×w, bool.
        """
        placed = self.position_enc(features)
        if self.adds_features:
            placed = placed + features
        seen = valid[:, None].expand(-1, features.shape[2], -1).flatten(1)[:, None, None]
        sequence = placed.flatten(2).transpose(1, 2)
        for layer in self.layer_stack:
            sequence = layer(sequence, features, seen)
        result: Tensor = self.layer_norm(sequence)
        return result


class AdaptivePositions(nn.Module):
    """Adds sines of row and column to a feature map, each weighted by the map's mean.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.layers.satrn_layers.Adaptive2DPositionalEncoding`.

    Args:
        channels: Channels of the map.
        positions: The most rows, and the most columns.
    """

    h_position_encoder: Tensor
    w_position_encoder: Tensor

    def __init__(self, channels: int, positions: int) -> None:
        super().__init__()
        table = sine_table(positions, channels).T
        self.register_buffer("h_position_encoder", table[None, :, :, None].clone())
        self.register_buffer("w_position_encoder", table[None, :, None].clone())
        self.h_scale, self.w_scale = _weights(channels), _weights(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return N×C×h×w for features N×C×h×w, float."""
        mean = features.mean(dim=(2, 3), keepdim=True)
        rows = self.h_scale(mean) * self.h_position_encoder[:, :, : features.shape[2]]
        columns = self.w_scale(mean) * self.w_position_encoder[..., : features.shape[3]]
        result: Tensor = features + rows + columns
        return result


class SATRNEncoderLayer(nn.Module):
    """Attention between places, and convolutions around each; both beside a shortcut.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.layers.satrn_layers.SATRNEncoderLayer`.

    Args:
        settings: Channels and heads.
    """

    def __init__(self, settings: SATRNEncoderSettings) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(settings.d_model)
        self.attn = MultiHeadAttention(settings.n_head, settings.d_model)
        self.norm2 = nn.LayerNorm(settings.d_model)
        self.feed_forward = LocalFeedForward(settings.d_model, settings.d_inner)

    def forward(self, sequence: Tensor, features: Tensor, seen: Tensor) -> Tensor:
        """Return a sequence N×(h·w)×C after the layer.

        Args:
            sequence: N×(h·w)×C.
            features: Anything of the map's shape N×C×h×w.
            seen: Which places are seen, bool, N×1×1×(h·w).
        """
        given = self.norm1(sequence)
        sequence = sequence + self.attn(given, self.attn.memory(given), seen)
        as_map = self.norm2(sequence).transpose(1, 2).reshape(features.shape)
        result: Tensor = sequence + self.feed_forward(as_map).flatten(2).transpose(1, 2)
        return result


class LocalFeedForward(nn.Sequential):
    """Three convolutions with batch normalisation and ReLU, the middle one 3×3 in each channel; N×C×h×w to the same.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.layers.satrn_layers.LocalityAwareFeedforward`.

    Args:
        channels: Channels of the map.
        hidden: Channels between the convolutions.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = conv_module(channels, hidden, 1)
        self.depthwise_conv = conv_module(hidden, hidden, 3, groups=hidden)
        self.conv2 = conv_module(hidden, channels, 1)


def _weights(channels: int) -> nn.Sequential:
    """Return two layers from the mean of each channel to a weight between 0 and 1 for each."""
    return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.Sigmoid())
