"""The options of ABINet's network; names and defaults are those of MMOCR. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import ResNetABISettings

STRIDE = 4
"""Edge in pixels of what ResNetABI brings to one element of its feature map."""


@dataclass(frozen=True, slots=True)
class TransformerSettings:
    """Layers of attention between the places of a feature map (MMOCR's TransformerEncoder, 1.x's ABIEncoder)."""

    n_layers: int = 2
    n_head: int = 8
    d_model: int = 512
    d_inner: int = 2048
    max_len: int = 8 * 32

    def __post_init__(self) -> None:
        """Refuse heads that do not divide the channels."""
        _check_layers(self.n_layers, self.n_head, self.d_model, self.d_inner)


@dataclass(frozen=True, slots=True)
class VisionDecoderSettings:
    """Attention of each step to the feature map (MMOCR's ABIVisionDecoder with nearest upsampling)."""

    num_chars: int
    max_seq_len: int
    in_channels: int = 512
    num_channels: int = 64
    attn_height: int = 8
    attn_width: int = 32

    def __post_init__(self) -> None:
        """Refuse maps that cannot be halved and doubled again; in MMOCR their first image would fail."""
        if self.attn_height % 8 or self.attn_width % 16 or min(self.attn_height, self.attn_width) < 1:
            raise ValueError(
                "the attn_height of ABIVisionDecoder is a multiple of 8 and its attn_width one of 16, got "
                f"{self.attn_height} x {self.attn_width}"
            )
        if min(self.num_chars, self.max_seq_len, self.in_channels, self.num_channels) < 1:
            raise ValueError("ABIVisionDecoder has at least one class, step and channel")


@dataclass(frozen=True, slots=True)
class LanguageDecoderSettings:
    """The language model (MMOCR's ABILanguageDecoder without self-attention).

    `pad_idx` is the class that ends a word: the steps behind its first one are not looked at.
    """

    num_chars: int
    max_seq_len: int
    pad_idx: int
    d_model: int = 512
    n_head: int = 8
    d_inner: int = 2048
    n_layers: int = 4

    def __post_init__(self) -> None:
        """Refuse heads that do not divide the channels, and an end that is no class."""
        _check_layers(self.n_layers, self.n_head, self.d_model, self.d_inner)
        if not 0 <= self.pad_idx < self.num_chars:
            raise ValueError(f"the pad_idx is one of the {self.num_chars} classes, got {self.pad_idx}")


@dataclass(frozen=True, slots=True)
class ABINetSettings:
    """An ABINet: residual network, attention, decoder, and with a language model how often it corrects the text."""

    backbone: ResNetABISettings
    encoder: TransformerSettings
    vision: VisionDecoderSettings
    language: LanguageDecoderSettings | None = None
    iterations: int = 1

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        widths = {self.backbone.out_channels, self.encoder.d_model, self.vision.in_channels}
        if self.language is not None:
            widths.add(self.language.d_model)
        if len(widths) > 1:
            found = ", ".join(map(str, sorted(widths)))
            raise ValueError(f"backbone, encoder, decoders and fuser have the same channels, got {found}")
        if self.encoder.max_len < self.vision.attn_height * self.vision.attn_width:
            raise ValueError(f"the max_len of the encoder is at least the size of the map, got {self.encoder.max_len}")
        if self.iterations < 1:
            raise ValueError(f"the text is corrected once at least, got {self.iterations}")
        if self.language is None:
            return
        vision, language = self.vision, self.language
        if (vision.num_chars, vision.max_seq_len) != (language.num_chars, language.max_seq_len):
            raise ValueError("both decoders have the same classes and steps")

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        return self.vision.attn_height * STRIDE, self.vision.attn_width * STRIDE


def _check_layers(layers: int, heads: int, channels: int, hidden: int) -> None:
    """Refuse layers without channels, or whose heads do not share them evenly."""
    if min(layers, heads, channels, hidden) < 1 or channels % heads:
        raise ValueError(f"the n_head {heads} divides the d_model {channels}, and there is at least one layer")
