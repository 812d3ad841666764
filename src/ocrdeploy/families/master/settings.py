"""The options of MASTER's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import ClassSettings, WordResNetSettings


@dataclass(frozen=True, slots=True)
class MASTERDecoderSettings:
    """A decoder of transformer layers (MMOCR's MasterDecoder)."""

    n_layers: int = 3
    n_head: int = 8
    d_model: int = 512
    feat_size: int = 6 * 40
    d_inner: int = 2048

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together; in MMOCR the network would fail."""
        if min(self.n_layers, self.n_head, self.feat_size, self.d_inner) < 1 or self.d_model % self.n_head:
            raise ValueError(
                f"MasterDecoder has layers, heads and positions, and n_head {self.n_head} divides d_model "
                f"{self.d_model}"
            )


@dataclass(frozen=True, slots=True)
class MASTERSettings:
    """A MASTER: backbone, decoder, classes."""

    backbone: WordResNetSettings
    decoder: MASTERDecoderSettings
    classes: ClassSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        if self.backbone.out_channels != self.decoder.d_model:
            raise ValueError(
                f"the backbone gives {self.backbone.out_channels} channels, but d_model of the decoder is "
                f"{self.decoder.d_model}"
            )
