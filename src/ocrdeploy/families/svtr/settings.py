"""The options of SVTR's network; names and defaults are those of MMOCR 1.x. PyTorch is not imported here."""

from dataclasses import dataclass
from typing import Literal

from ocrdeploy.layers.settings import STNSettings

Mixer = Literal["Global", "Local"]
PATCH = 4
"""Edge in pixels of what the first layers bring to one position."""
STAGES = 3


@dataclass(frozen=True, slots=True)
class SVTREncoderSettings:
    """SVTR's three stages of attention (MMOCR 1.x's SVTREncoder, with Conv merging and normalisation first).

    `img_size` and each of `window_size`, one a stage, are (height, width): pixels, and positions of the feature map.
    """

    img_size: tuple[int, int] = (32, 100)
    in_channels: int = 3
    embed_dims: tuple[int, int, int] = (64, 128, 256)
    depth: tuple[int, int, int] = (3, 6, 3)
    num_heads: tuple[int, int, int] = (2, 4, 8)
    mixer_types: tuple[Mixer, ...] = ("Local",) * 6 + ("Global",) * 6
    window_size: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((7, 11),) * 3
    mlp_ratio: int = 4
    out_channels: int = 192
    max_seq_len: int = 25

    def __post_init__(self) -> None:
        """Refuse sizes that do not divide; in MMOCR the network or its first image would fail."""
        height, width = self.img_size
        if height % (PATCH * 4) or width % PATCH or min(self.img_size) < 1:
            raise ValueError(
                f"the img_size of SVTREncoder is a multiple of {PATCH * 4} by one of {PATCH}, got {height} x {width}"
            )
        if width // PATCH % self.max_seq_len or self.max_seq_len < 1:
            raise ValueError(f"max_seq_len divides the {width // PATCH} columns of the feature map")
        if min(*self.embed_dims, *self.depth, *self.num_heads, self.out_channels, self.mlp_ratio) < 1:
            raise ValueError("SVTREncoder has at least one channel, block and head in each stage")
        if any(channels % heads for channels, heads in zip(self.embed_dims, self.num_heads, strict=True)):
            raise ValueError(f"the num_heads {self.num_heads} divide the embed_dims {self.embed_dims}, each its own")
        if len(self.mixer_types) < sum(self.depth):
            raise ValueError(f"{sum(self.depth)} blocks need as many mixer_types, got {len(self.mixer_types)}")
        if any(side % 2 == 0 or side < 1 for window in self.window_size for side in window):
            raise ValueError(f"the sides of a window are odd, got {self.window_size}")

    def map_size(self, stage: int) -> tuple[int, int]:
        """Return height and width of a stage's feature map; each stage halves the height."""
        height, width = self.img_size
        return height // PATCH // 2**stage, width // PATCH

    def mixers(self, stage: int) -> tuple[Mixer, ...]:
        """Return what each block of a stage mixes."""
        first = sum(self.depth[:stage])
        return self.mixer_types[first : first + self.depth[stage]]


@dataclass(frozen=True, slots=True)
class SVTRDecoderSettings:
    """SVTR's last layer (MMOCR 1.x's SVTRDecoder)."""

    in_channels: int
    num_classes: int


@dataclass(frozen=True, slots=True)
class SVTRSettings:
    """An SVTR: rectification, encoder, decoder."""

    preprocessor: STNSettings
    encoder: SVTREncoderSettings
    decoder: SVTRDecoderSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        made, taken = self.preprocessor.output_image_size, self.encoder.img_size
        if made != taken:
            raise ValueError(
                f"the preprocessor makes words of {made} pixels, but the img_size of the encoder is {taken}"
            )
        if self.preprocessor.in_channels != self.encoder.in_channels:
            raise ValueError("preprocessor and encoder have the same in_channels")
        if self.decoder.in_channels != self.encoder.out_channels:
            raise ValueError(
                f"the encoder gives {self.encoder.out_channels} channels, "
                f"but the in_channels of the decoder are {self.decoder.in_channels}"
            )
