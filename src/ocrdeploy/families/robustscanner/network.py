"""RobustScanner in PyTorch: a feature map, and at each step what the characters before and the position point to.

Yue et al., "RobustScanner: Dynamically Enhancing Positional Clues for Robust Text Recognition", ECCV 2020; MMOCR v0.6.3
`mmocr.models.textrecog.decoders.robust_scanner_decoder.RobustScannerDecoder`, v1.0.1
`robust_scanner_fuser.RobustScannerFuser`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrdeploy.layers.greedy import States, decode_greedily
from ocrdeploy.layers.padding import MASKED, valid_places
from ocrdeploy.layers.recogniser_settings import ClassSettings
from ocrdeploy.layers.recurrent import lstm_step
from ocrdeploy.layers.resnet31 import ResNet31
from ocrdeploy.layers.words import best_classes, check_words, greedy_rule

from .settings import AttentionDecoderSettings, ChannelReductionSettings, RobustScannerSettings


class RobustScanner(nn.Module):
    """The network; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not all probabilities.
    """

    def __init__(self, settings: RobustScannerSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels = settings.backbone.base_channels
        self.decode_in_graph = decode_in_graph
        self.backbone = ResNet31(settings.backbone)
        self.encoder = ChannelReduction(settings.encoder)
        self.decoder = RobustScannerDecoder(settings)

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
        valid = valid_places(valid_ratio, images.shape[3], features.shape[3])
        probabilities: Tensor = self.decoder(features, self.encoder(features), valid)
        return best_classes(probabilities) if self.decode_in_graph else probabilities

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Refuse images that are not N×C×H×W; see `check_words`."""
        check_words(shape, self.in_channels, None)


class ChannelReduction(nn.Module):
    """A 1×1 convolution; MMOCR v0.6.3 and v1.0.1 `encoders.channel_reduction_encoder.ChannelReductionEncoder`.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: ChannelReductionSettings) -> None:
        super().__init__()
        self.layer = nn.Conv2d(settings.in_channels, settings.out_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return N×out_channels×h×w."""
        result: Tensor = self.layer(features)
        return result


class RobustScannerDecoder(nn.Module):
    """Features of a word to the probabilities of its characters.

    Args:
        settings: The network.
    """

    def __init__(self, settings: RobustScannerSettings) -> None:
        super().__init__()
        classes = settings.classes
        self.rule = greedy_rule(classes)
        self.hybrid_decoder = SequenceAttention(settings.hybrid_decoder, classes)
        self.position_decoder = PositionAttention(settings.position_decoder, classes.max_seq_len)
        channels = settings.hybrid_decoder.out_channels
        fusion = nn.Linear(2 * channels, 2 * channels)
        self.has_fusion_module = settings.has_fusion_module
        if settings.has_fusion_module:
            self.fusion_module = nn.ModuleDict({"linear_layer": fusion})
        else:
            self.linear_layer = fusion
        self.prediction = nn.Linear(channels, classes.scored_classes)

    def forward(self, features: Tensor, encoded: Tensor, valid: Tensor) -> Tensor:
        """Return the probabilities of the classes at each step.

        Args:
            features: The backbone's feature map, N×C×h×w, float.
            encoded: The encoder's, N×D×h×w.
            valid: Which columns belong to the word and not to padding, N×w, bool.

        Returns:
            Probabilities N×T×classes.
        """
        seen = valid[:, None].expand(-1, features.shape[2], -1).flatten(1)[:, None]
        at_positions = self.position_decoder(features, encoded, seen)
        keys, values = self.hybrid_decoder.memory(features, encoded)
        fuse = self.fusion_module["linear_layer"] if self.has_fusion_module else self.linear_layer

        def step(number: Tensor, previous: Tensor, states: States) -> tuple[Tensor, States]:
            read, left = self.hybrid_decoder(previous, states, keys, values, seen)
            both = torch.cat([read, at_positions.index_select(1, number.reshape(1))], dim=2)
            return self.prediction(functional.glu(fuse(both), dim=2))[:, 0], left

        return decode_greedily(step, self.hybrid_decoder.first_states(features), features, self.rule)


class SequenceAttention(nn.Module):
    """Attention to the image by what the characters before say.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.decoders.sequence_attention_decoder.SequenceAttentionDecoder`.

    Args:
        settings: Layers and channels.
        classes: What is decoded.
    """

    def __init__(self, settings: AttentionDecoderSettings, classes: ClassSettings) -> None:
        super().__init__()
        self.layers, self.channels = settings.rnn_layers, settings.dim_model
        self.encode_value = settings.encode_value
        self.embedding = nn.Embedding(classes.num_classes, settings.dim_model)
        self.sequence_layer = nn.LSTM(settings.dim_model, settings.dim_model, settings.rnn_layers, batch_first=True)

    def memory(self, features: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys N×D×K and values N×K×C of the feature maps' places."""
        values = encoded if self.encode_value else features
        return encoded.flatten(2), values.flatten(2).transpose(1, 2)

    def first_states(self, features: Tensor) -> States:
        """Return hidden state and cell before the first step, layers×N×D."""
        state = torch.zeros((self.layers, features.shape[0], self.channels), device=features.device)
        return state, state

    def forward(
        self, previous: Tensor, states: States, keys: Tensor, values: Tensor, seen: Tensor
    ) -> tuple[Tensor, States]:
        """Return what a step reads, N×1×C, and hidden state and cell after it.

        Args:
            previous: The class of the step before, N, int64.
            states: Hidden state and cell after the step before.
            keys: N×D×K.
            values: N×K×C.
            seen: Which places are seen, bool, N×1×K.
        """
        hidden, cell = lstm_step(self.sequence_layer, self.embedding(previous), *states)
        return _attend(hidden[-1][:, None], keys, values, seen), (hidden, cell)


class PositionAttention(nn.Module):
    """Attention to the image by the number of the step.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.decoders.position_attention_decoder.PositionAttentionDecoder`.

    Args:
        settings: Layers and channels.
        steps: Number of steps T.
    """

    def __init__(self, settings: AttentionDecoderSettings, steps: int) -> None:
        super().__init__()
        self.encode_value = settings.encode_value
        self.steps = steps
        self.embedding = nn.Embedding(steps + 1, settings.dim_model)
        self.position_aware_module = PositionAware(settings.dim_model, settings.rnn_layers)

    def forward(self, features: Tensor, encoded: Tensor, seen: Tensor) -> Tensor:
        """Return what each step reads, N×T×C; `seen` says which places are seen, bool, N×1×K."""
        keys = self.position_aware_module(encoded).flatten(2)
        values = (encoded if self.encode_value else features).flatten(2).transpose(1, 2)
        return _attend(self.embedding.weight[: self.steps], keys, values, seen)


class PositionAware(nn.Module):
    """A recurrent layer along each row of a feature map N×C×h×w, and two 3×3 convolutions; to the same shape.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.layers.position_aware_layer.PositionAwareLayer`.

    Args:
        channels: Channels of the map.
        layers: Number of recurrent layers.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(channels, channels, layers)
        self.mixer = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the map."""
        height, width = features.shape[2:]
        rows, _ = self.rnn(features.permute(3, 0, 2, 1).flatten(1, 2))
        result: Tensor = self.mixer(rows.reshape(width, -1, height, self.rnn.hidden_size).permute(1, 3, 2, 0))
        return result


def _attend(query: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
    """Return what queries N×Q×D or Q×D read, N×Q×C, of keys N×D×K and values N×K×C; `seen` is bool, N×1×K."""
    scores = torch.matmul(query, keys).masked_fill(~seen, MASKED)
    return torch.matmul(scores.softmax(dim=2), values)
