"""The options of SAR's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import ClassSettings, ResNet31Settings


@dataclass(frozen=True, slots=True)
class SAREncoderSettings:
    """An LSTM over the columns of the feature map (MMOCR's SAREncoder)."""

    d_model: int = 512
    d_enc: int = 512

    def __post_init__(self) -> None:
        """Refuse networks without channels."""
        if min(self.d_model, self.d_enc) < 1:
            raise ValueError("the encoder has at least one channel")


@dataclass(frozen=True, slots=True)
class SARDecoderSettings:
    """An LSTM with attention to the feature map (MMOCR's ParallelSARDecoder and SequentialSARDecoder).

    Attributes:
        is_sequential: Which of the two: the sequential one has other names for its weights, and from the second step
            on it takes the hidden state for the cell state too.
        d_model: Channels of the feature map.
        d_enc: Channels of the encoder and of the LSTM.
        d_k: Channels of the attention.
        pred_concat: Whether a character is told by the LSTM's state and the encoder's feature too, beside what is
            attended to.
    """

    is_sequential: bool
    d_model: int = 512
    d_enc: int = 512
    d_k: int = 64
    pred_concat: bool = False

    def __post_init__(self) -> None:
        """Refuse networks without channels."""
        if min(self.d_model, self.d_enc, self.d_k) < 1:
            raise ValueError("the decoder has at least one channel")

    @property
    def predicted_from(self) -> int:
        """Channels that a character is told by."""
        return self.d_model + (2 * self.d_enc if self.pred_concat else 0)


@dataclass(frozen=True, slots=True)
class SARSettings:
    """A SAR: backbone, encoder, decoder, classes."""

    backbone: ResNet31Settings
    encoder: SAREncoderSettings
    decoder: SARDecoderSettings
    classes: ClassSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        channels = self.backbone.out_channels
        if not channels == self.encoder.d_model == self.decoder.d_model:
            raise ValueError(
                f"the backbone gives {channels} channels, and d_model is {self.encoder.d_model} in the encoder and "
                f"{self.decoder.d_model} in the decoder"
            )
        if self.encoder.d_enc != self.decoder.d_enc:
            raise ValueError(f"d_enc is {self.encoder.d_enc} in the encoder and {self.decoder.d_enc} in the decoder")
