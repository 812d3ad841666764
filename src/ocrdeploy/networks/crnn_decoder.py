"""CRNN's recurrent layers."""

from torch import Tensor, nn

from ocrdeploy.networks.settings import CRNNDecoderSettings

HIDDEN_SIZE = 256


class BidirectionalLSTM(nn.Module):
    """One bidirectional LSTM layer and a linear layer on its states; initial states are zero.

    MMOCR v0.6.3 `mmocr.models.textrecog.layers.lstm_layer.BidirectionalLSTM`.

    Args:
        in_channels: Channels of the input.
        hidden_size: Channels of the state, in each direction.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, hidden_size: int, out_channels: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(in_channels, hidden_size, bidirectional=True)
        self.embedding = nn.Linear(hidden_size * 2, out_channels)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return T×N×out_channels for a sequence T×N×in_channels."""
        result: Tensor = self.embedding(self.rnn(sequence)[0])
        return result


class CRNNDecoder(nn.Module):
    """Maps a feature map one pixel high to the logits of the characters at each position.

    Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition and Its Application to
    Scene Text Recognition", TPAMI 2017; MMOCR v0.6.3 `mmocr.models.textrecog.decoders.crnn_decoder.CRNNDecoder`.

    Args:
        settings: Channels, classes, and whether there are two LSTM layers or one convolution in their place.
    """

    def __init__(self, settings: CRNNDecoderSettings) -> None:
        super().__init__()
        self.recurrent = settings.rnn_flag
        self.decoder = (
            nn.Sequential(
                BidirectionalLSTM(settings.in_channels, HIDDEN_SIZE, HIDDEN_SIZE),
                BidirectionalLSTM(HIDDEN_SIZE, HIDDEN_SIZE, settings.num_classes),
            )
            if settings.rnn_flag
            else nn.Conv2d(settings.in_channels, settings.num_classes, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits of all classes at each position.

        Args:
            features: Feature map, N×C×1×T.

        Returns:
            Logits N×T×num_classes.
        """
        if self.recurrent:
            sequence: Tensor = self.decoder(features.squeeze(2).permute(2, 0, 1))
            return sequence.permute(1, 0, 2)
        classes: Tensor = self.decoder(features)
        return classes.squeeze(2).permute(0, 2, 1)
