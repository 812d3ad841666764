"""SAR in PyTorch: a feature map, an LSTM over its columns, and one that at each step looks at places of the map.

Li et al., "Show, Attend and Read: A Simple and Strong Baseline for Irregular Text Recognition", AAAI 2019; MMOCR v0.6.3
and v1.0.1 `mmocr.models.textrecog.encoders.sar_encoder.SAREncoder`, `decoders.sar_decoder.ParallelSARDecoder` and
`SequentialSARDecoder`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrdeploy.layers.greedy import States, decode_greedily
from ocrdeploy.layers.padding import MASKED, valid_places
from ocrdeploy.layers.recogniser_settings import ClassSettings
from ocrdeploy.layers.recurrent import WEIGHTS, lstm_cell
from ocrdeploy.layers.resnet31 import ResNet31
from ocrdeploy.layers.words import best_classes, check_words, greedy_rule

from .settings import SARDecoderSettings, SAREncoderSettings, SARSettings

LAYERS = 2
"""Layers of both LSTMs."""


class SAR(nn.Module):
    """The network; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not all probabilities.
    """

    def __init__(self, settings: SARSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels = settings.backbone.base_channels
        self.decode_in_graph = decode_in_graph
        self.backbone = ResNet31(settings.backbone)
        self.encoder = SAREncoder(settings.encoder)
        self.decoder = SARDecoder(settings.decoder, settings.classes)

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
        probabilities: Tensor = self.decoder(features, self.encoder(features, valid), valid)
        return best_classes(probabilities) if self.decode_in_graph else probabilities

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Refuse images that are not N×C×H×W; see `check_words`."""
        check_words(shape, self.in_channels, None)


class SAREncoder(nn.Module):
    """A feature map to what the word as a whole looks like.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: SAREncoderSettings) -> None:
        super().__init__()
        self.rnn_encoder = nn.LSTM(settings.d_model, settings.d_enc, LAYERS, batch_first=True)
        self.linear = nn.Linear(settings.d_enc, settings.d_enc)

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """Return the state behind the last column of each word, through a linear layer.

        Args:
            features: N×d_model×h×w, float.
            valid: Which columns belong to the word and not to padding, from the left, N×w, bool.

        Returns:
            N×d_enc.
        """
        columns = features.amax(dim=2).transpose(1, 2)
        states, _ = self.rnn_encoder(columns)
        last = valid.sum(dim=1) - 1
        whole = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
        result: Tensor = self.linear(whole)
        return result


class SARDecoder(nn.Module):
    """Features of a word to the probabilities of its characters.

    MMOCR's parallel decoder runs its LSTM over the whole text at each step; one step at a time gives the same.

    Args:
        settings: Which of the two decoders, and channels.
        classes: What is decoded.
    """

    def __init__(self, settings: SARDecoderSettings, classes: ClassSettings) -> None:
        super().__init__()
        self.rule = greedy_rule(classes)
        self.is_sequential, self.pred_concat = settings.is_sequential, settings.pred_concat
        channels, keys = settings.d_enc, settings.d_k
        self.conv3x3_1 = nn.Conv2d(settings.d_model, keys, 3, padding=1)
        self.conv1x1_1: nn.Module
        self.conv1x1_2: nn.Module
        if settings.is_sequential:
            self.conv1x1_1, self.conv1x1_2 = nn.Conv2d(channels, keys, 1), nn.Conv2d(keys, 1, 1)
            self.rnn_decoder_layer1 = nn.LSTMCell(channels, channels)
            self.rnn_decoder_layer2 = nn.LSTMCell(channels, channels)
        else:
            self.conv1x1_1, self.conv1x1_2 = nn.Linear(channels, keys), nn.Linear(keys, 1)
            self.rnn_decoder = nn.LSTM(channels, channels, LAYERS, batch_first=True)
        self.embedding = nn.Embedding(classes.num_classes, channels)
        self.prediction = nn.Linear(settings.predicted_from, classes.scored_classes)

    def forward(self, features: Tensor, whole: Tensor, valid: Tensor) -> Tensor:
        """Return the probabilities of the classes at each step.

        Args:
            features: The backbone's feature map, N×d_model×h×w, float.
            whole: The encoder's feature, N×d_enc.
            valid: Which columns belong to the word and not to padding, N×w, bool.

        Returns:
            Probabilities N×T×classes.
        """
        keys, values = self.conv3x3_1(features).flatten(2), features.flatten(2).transpose(1, 2)
        hidden = ~valid[:, None].expand(-1, features.shape[2], -1).flatten(1)

        def step(_number: Tensor, previous: Tensor, states: States) -> tuple[Tensor, States]:
            state, left = self._advance(self.embedding(previous), states)
            attended = self._attend(state, keys, values, hidden)
            read = torch.cat((state, attended, whole), dim=1) if self.pred_concat else attended
            if self.is_sequential:
                # MMOCR hands on the hidden states in the place of the cell states, and was trained so.
                left = (left[0], left[0], left[2], left[2])
            return self.prediction(read), left

        empty = torch.zeros_like(whole)
        _, first = self._advance(whole, (empty,) * (2 * LAYERS))
        return decode_greedily(step, first, features, self.rule)

    def _advance(self, given: Tensor, states: States) -> tuple[Tensor, States]:
        """Return the LSTM's state N×d_enc behind one more input N×d_enc, and hidden and cell state of each layer."""
        left: list[Tensor] = []
        for layer in range(LAYERS):
            given, cell = lstm_cell(self._weights(layer), given, *states[2 * layer : 2 * layer + 2])
            left += [given, cell]
        return given, tuple(left)

    def _weights(self, layer: int) -> list[Tensor]:
        """Return the weights of a layer."""
        if self.is_sequential:
            cell = self.get_submodule(f"rnn_decoder_layer{layer + 1}")
            return [cell.get_parameter(name) for name in WEIGHTS]
        return [self.rnn_decoder.get_parameter(f"{name}_l{layer}") for name in WEIGHTS]

    def _attend(self, state: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
        """Return the mean of the places N×d_model that a state N×d_enc looks at.

        Args:
            state: What looks.
            keys: By what places are found, N×d_k×places.
            values: What is there, N×places×d_model.
            hidden: Which places belong to padding, N×places, bool.
        """
        query = functional.linear(state, *_as_linear(self.conv1x1_1))
        weight, bias = _as_linear(self.conv1x1_2)
        scores = torch.matmul(weight, torch.tanh(keys + query[:, :, None])) + bias
        weights = scores.masked_fill(hidden[:, None], MASKED).softmax(dim=2)
        return torch.matmul(weights, values)[:, 0]


def _as_linear(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear layer, or of the 1×1 convolution that the sequential decoder has instead."""
    return layer.get_parameter("weight").flatten(1), layer.get_parameter("bias")
