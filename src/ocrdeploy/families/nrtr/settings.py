"""The options of NRTR's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.recogniser_settings import (
    ClassSettings,
    ResNet31Settings,
    TransformerDecoderSettings,
    check_heads,
    check_transformer,
)

HEIGHT = 32
"""Height of the images: the modality transform joins what is above each other, and its linear layer takes 8 rows."""


@dataclass(frozen=True, slots=True)
class ModalityTransformSettings:
    """Two convolutions and a linear layer (MMOCR's NRTRModalityTransform)."""

    in_channels: int = 3

    @property
    def out_channels(self) -> int:
        """Channels of the feature map, which is one row high."""
        return 512


@dataclass(frozen=True, slots=True)
class NRTREncoderSettings:
    """Layers of attention over the feature map (MMOCR's NRTREncoder)."""

    n_layers: int = 6
    n_head: int = 8
    d_k: int = 64
    d_v: int = 64
    d_model: int = 512
    d_inner: int = 256

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together; in MMOCR the network or its first image would fail."""
        check_heads(self.n_head, self.d_k, self.d_v, self.d_model)
        if min(self.n_layers, self.d_inner) < 1:
            raise ValueError("an encoder has at least one layer and one hidden channel")


@dataclass(frozen=True, slots=True)
class NRTRSettings:
    """An NRTR: backbone, encoder, decoder, classes."""

    backbone: ModalityTransformSettings | ResNet31Settings
    encoder: NRTREncoderSettings
    decoder: TransformerDecoderSettings
    classes: ClassSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        check_transformer(self.backbone.out_channels, self.encoder.d_model, self.decoder, self.classes)

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        match self.backbone:
            case ResNet31Settings(base_channels=channels):
                return channels
            case ModalityTransformSettings(in_channels=channels):
                return channels
