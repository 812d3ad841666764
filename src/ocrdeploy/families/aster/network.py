"""ASTER in PyTorch: a straightened word, recurrent layers over its columns, and a decoder that attends to them.

Shi et al., "ASTER: An Attentional Scene Text Recognizer with Flexible Rectification", TPAMI 2019; MMOCR v1.0.1
`mmocr.models.textrecog.encoders.aster_encoder.ASTEREncoder` and `decoders.aster_decoder.ASTERDecoder`.
"""

import torch
from torch import Tensor, nn

from ocrdeploy.layers.greedy import GreedyRule, States, decode_greedily
from ocrdeploy.layers.recurrent import WEIGHTS
from ocrdeploy.layers.thin_plate import STN
from ocrdeploy.layers.word_resnet import WordResNet
from ocrdeploy.layers.words import best_classes, check_words, greedy_rule

from .settings import ASTERDecoderSettings, ASTEREncoderSettings, ASTERSettings


class ASTER(nn.Module):
    """A word to the probabilities of its characters; state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability.
    """

    def __init__(self, settings: ASTERSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels = settings.backbone.in_channels
        self.decode_in_graph = decode_in_graph
        self.rule = greedy_rule(settings.classes)
        self.preprocessor = STN(settings.preprocessor)
        self.backbone = WordResNet(settings.backbone)
        self.encoder = ASTEREncoder(settings.encoder)
        self.decoder = ASTERDecoder(settings.decoder, settings.classes.num_classes)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the probabilities of the characters at each step, or the best class of each step.

        Args:
            images: Normalised word images of any size, float32, N×C×H×W, in the order and range of the training.

        Returns:
            Probabilities N×T×classes; with `decode_in_graph` the class of the largest, N×T, int32, and its probability.

        Raises:
            ShapeError: The images have other channels. While the network is traced for export nothing is checked.
        """
        check_words(images.shape, self.in_channels, None)
        columns = self.encoder(self.backbone(self.preprocessor(images)))
        probabilities = self.decoder(columns, self.rule)
        return best_classes(probabilities) if self.decode_in_graph else probabilities


class ASTEREncoder(nn.Module):
    """Recurrent layers in both directions; N×C×1×W to N×W×C.

    Args:
        settings: Channels and layers.
    """

    def __init__(self, settings: ASTEREncoderSettings) -> None:
        super().__init__()
        channels = settings.in_channels
        self.bilstm = nn.LSTM(channels, channels // 2, settings.num_layers, bidirectional=True, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """Return the columns, each of which knows the others."""
        columns: Tensor = self.bilstm(features.squeeze(2).permute(0, 2, 1))[0]
        return columns


class ASTERDecoder(nn.Module):
    """A recurrent decoder that attends to the columns of a word, one step at a time.

    Args:
        settings: Channels.
        classes: Number of classes.
    """

    def __init__(self, settings: ASTERDecoderSettings, classes: int) -> None:
        super().__init__()
        self.hidden = settings.hidden_size
        self.proj_feat = nn.Linear(settings.in_channels, settings.attn_dims)
        self.proj_hidden = nn.Linear(settings.hidden_size, settings.attn_dims)
        self.proj_sum = nn.Linear(settings.attn_dims, 1)
        self.embedding = nn.Embedding(classes, settings.emb_dims)
        self.gru = nn.GRU(settings.in_channels + settings.emb_dims, settings.hidden_size, batch_first=True)
        self.fc = nn.Linear(settings.hidden_size, classes)

    def forward(self, columns: Tensor, rule: GreedyRule) -> Tensor:
        """Return the probabilities of the classes at each step, N×T×classes, for columns N×W×C."""
        projected = self.proj_feat(columns)

        def step(_number: Tensor, previous: Tensor, states: States) -> tuple[Tensor, States]:
            (hidden,) = states
            scores = self.proj_sum(torch.tanh(projected + self.proj_hidden(hidden)[:, None]))
            context = torch.matmul(scores.softmax(dim=1).transpose(1, 2), columns).squeeze(1)
            hidden = self._recur(torch.cat([self.embedding(previous), context], dim=1), hidden)
            return self.fc(hidden), (hidden,)

        start = torch.zeros_like(columns[:, 0, :1]).expand(-1, self.hidden)
        return decode_greedily(step, (start,), columns, rule)

    def _recur(self, given: Tensor, hidden: Tensor) -> Tensor:
        """Return the state N×hidden after one step of the GRU, written out for the loop in a graph."""
        from_given, given_bias, from_hidden, hidden_bias = (getattr(self.gru, f"{name}_l0") for name in WEIGHTS)
        new = nn.functional.linear(given, from_given, given_bias).chunk(3, dim=1)
        old = nn.functional.linear(hidden, from_hidden, hidden_bias).chunk(3, dim=1)
        reset, update = (torch.sigmoid(new[index] + old[index]) for index in range(2))
        candidate = torch.tanh(new[2] + reset * old[2])
        return (1 - update) * candidate + update * hidden
