"""The options of RobustScanner's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import ClassSettings, ResNet31Settings


@dataclass(frozen=True, slots=True)
class ChannelReductionSettings:
    """A convolution that changes the number of channels (MMOCR's ChannelReductionEncoder)."""

    in_channels: int
    out_channels: int


@dataclass(frozen=True, slots=True)
class AttentionDecoderSettings:
    """One of the two decoders (MMOCR's SequenceAttentionDecoder and PositionAttentionDecoder)."""

    rnn_layers: int = 2
    dim_input: int = 512
    dim_model: int = 128
    encode_value: bool = False

    def __post_init__(self) -> None:
        """Refuse decoders without layers or channels."""
        if min(self.rnn_layers, self.dim_input, self.dim_model) < 1:
            raise ValueError("a decoder has at least one recurrent layer and one channel")

    @property
    def out_channels(self) -> int:
        """Channels of what it reads at each step."""
        return self.dim_model if self.encode_value else self.dim_input


@dataclass(frozen=True, slots=True)
class RobustScannerSettings:
    """A RobustScanner: backbone, encoder, both decoders, classes.

    `has_fusion_module` is whether the layer that joins both decoders lies in a module of its own, as in MMOCR 0.x.
    """

    backbone: ResNet31Settings
    encoder: ChannelReductionSettings
    hybrid_decoder: AttentionDecoderSettings
    position_decoder: AttentionDecoderSettings
    classes: ClassSettings
    has_fusion_module: bool

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        given = self.backbone.out_channels
        if self.encoder.in_channels != given:
            raise ValueError(
                f"the backbone gives {given} channels, but the in_channels of the encoder are "
                f"{self.encoder.in_channels}"
            )
        for decoder in (self.hybrid_decoder, self.position_decoder):
            if (decoder.dim_input, decoder.dim_model) != (given, self.encoder.out_channels):
                raise ValueError(
                    f"backbone and encoder give {given} and {self.encoder.out_channels} channels, but dim_input and "
                    f"dim_model of a decoder are {decoder.dim_input} and {decoder.dim_model}"
                )
        if self.hybrid_decoder.out_channels != self.position_decoder.out_channels:
            raise ValueError("both decoders have the same encode_value")
