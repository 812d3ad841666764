"""The options of SATRN's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import (
    ClassSettings,
    TransformerDecoderSettings,
    check_heads,
    check_transformer,
)

STRIDE = 4
"""How many pixels, in height and width, a place of the feature map stands for."""


@dataclass(frozen=True, slots=True)
class ShallowCNNSettings:
    """Two convolutions, each with a pooling behind it (MMOCR's ShallowCNN)."""

    input_channels: int = 1
    hidden_dim: int = 512

    def __post_init__(self) -> None:
        """Refuse networks without channels."""
        if self.input_channels < 1 or self.hidden_dim < 2:
            raise ValueError("ShallowCNN has at least one channel of images and two of features")


@dataclass(frozen=True, slots=True)
class SATRNEncoderSettings:
    """Layers of attention over a feature map (MMOCR's SATRNEncoder; SatrnEncoder in 0.x).

    `adds_features` is whether the features are added once more to those with the positions, which MMOCR 0.x does.
    """

    n_layers: int = 12
    n_head: int = 8
    d_k: int = 64
    d_v: int = 64
    d_model: int = 512
    n_position: int = 100
    d_inner: int = 256
    adds_features: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together; in MMOCR the network or its first image would fail."""
        check_heads(self.n_head, self.d_k, self.d_v, self.d_model)
        if min(self.n_layers, self.d_inner, self.n_position) < 1:
            raise ValueError("an encoder has at least one layer, one hidden channel and one position")


@dataclass(frozen=True, slots=True)
class SATRNSettings:
    """A SATRN: backbone, encoder, decoder, classes."""

    backbone: ShallowCNNSettings
    encoder: SATRNEncoderSettings
    decoder: TransformerDecoderSettings
    classes: ClassSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        check_transformer(self.backbone.hidden_dim, self.encoder.d_model, self.decoder, self.classes)

    @property
    def largest(self) -> int:
        """The largest height and width of an image: of more places there are no positions."""
        return (self.encoder.n_position + 1) * STRIDE - 1
