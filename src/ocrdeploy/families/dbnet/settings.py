"""The options of DBNet's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.settings import DetectorSettings


@dataclass(frozen=True, slots=True)
class FPNCSettings:
    """DBNet's feature pyramid, which concatenates its levels (MMOCR's FPNC without `asf_cfg`)."""

    in_channels: tuple[int, ...]
    lateral_channels: int = 256
    out_channels: int = 64
    bias_on_lateral: bool = False
    bn_re_on_lateral: bool = False
    bias_on_smooth: bool = False
    bn_re_on_smooth: bool = False
    conv_after_concat: bool = False

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPNC gives one, of all its levels."""
        return (self.out_channels * len(self.in_channels),)


@dataclass(frozen=True, slots=True)
class DBHeadSettings:
    """DBNet's head: probability map, threshold map and their approximate binary map (MMOCR's DBHead)."""

    in_channels: int
    with_bias: bool = False

    def __post_init__(self) -> None:
        """Refuse fewer channels than the head divides by."""
        if self.in_channels < 4:
            raise ValueError(f"DBHead needs at least 4 input channels, not {self.in_channels}")


DBNetSettings = DetectorSettings[FPNCSettings, DBHeadSettings]
