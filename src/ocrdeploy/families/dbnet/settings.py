"""The options of DBNet's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.settings import DetectorSettings


@dataclass(frozen=True, slots=True)
class FPNCSettings:
    """DBNet's feature pyramid, which concatenates its levels (MMOCR's FPNC).

    With `fuses_scales` it is DBNet++'s: each level is multiplied by an attention map (`asf_cfg` with the attention type
    `ScaleChannelSpatial`, the only one that MMOCR has).
    """

    in_channels: tuple[int, ...]
    lateral_channels: int = 256
    out_channels: int = 64
    bias_on_lateral: bool = False
    bn_re_on_lateral: bool = False
    bias_on_smooth: bool = False
    bn_re_on_smooth: bool = False
    conv_after_concat: bool = False
    fuses_scales: bool = False

    def __post_init__(self) -> None:
        """Refuse fewer channels than attention divides by."""
        if self.fuses_scales and sum(self.fused_channels) < 4:
            raise ValueError(f"the attention of FPNC needs at least 4 channels, not {sum(self.fused_channels)}")

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
