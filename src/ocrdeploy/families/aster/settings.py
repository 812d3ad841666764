"""The options of ASTER's network; names and defaults are those of MMOCR 1.x. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import ClassSettings, WordResNetSettings
from ocrdeploy.layers.settings import STNSettings


@dataclass(frozen=True, slots=True)
class ASTEREncoderSettings:
    """Recurrent layers over the columns of the feature map (MMOCR 1.x's ASTEREncoder)."""

    in_channels: int
    num_layers: int = 2

    def __post_init__(self) -> None:
        """Refuse an odd number of channels, which two directions cannot share."""
        if self.in_channels < 2 or self.in_channels % 2 or self.num_layers < 1:
            raise ValueError("ASTEREncoder has an even number of channels and at least one layer")


@dataclass(frozen=True, slots=True)
class ASTERDecoderSettings:
    """A recurrent decoder with attention to the columns (MMOCR 1.x's ASTERDecoder)."""

    in_channels: int
    emb_dims: int = 512
    attn_dims: int = 512
    hidden_size: int = 512

    def __post_init__(self) -> None:
        """Refuse embeddings that MMOCR's decoder fails with: it makes them as wide as its attention."""
        if min(self.in_channels, self.emb_dims, self.attn_dims, self.hidden_size) < 1:
            raise ValueError("ASTERDecoder has at least one channel everywhere")
        if self.emb_dims != self.attn_dims:
            raise ValueError(f"the emb_dims {self.emb_dims} of ASTERDecoder are its attn_dims {self.attn_dims}")


@dataclass(frozen=True, slots=True)
class ASTERSettings:
    """An ASTER: rectification, residual network, encoder, decoder, classes."""

    preprocessor: STNSettings
    backbone: WordResNetSettings
    encoder: ASTEREncoderSettings
    decoder: ASTERDecoderSettings
    classes: ClassSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        widths = {self.backbone.out_channels, self.encoder.in_channels, self.decoder.in_channels}
        if len(widths) > 1 or self.preprocessor.in_channels != self.backbone.in_channels:
            raise ValueError("preprocessor and backbone, and backbone, encoder and decoder have the same channels")
        height, _ = self.preprocessor.output_image_size
        if height != self.backbone.stride[0]:
            raise ValueError(
                f"the backbone brings {self.backbone.stride[0]} pixels of height to one, but the preprocessor makes "
                f"words {height} pixels high"
            )
