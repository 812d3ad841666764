"""The options of PSENet's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass
from typing import Literal

from ocrdeploy.layers.settings import DetectorSettings, MapHeadSettings


@dataclass(frozen=True, slots=True)
class FPNFSettings:
    """PSENet's feature pyramid, which fuses its levels by concatenation or addition (MMOCR's FPNF)."""

    in_channels: tuple[int, ...] = (256, 512, 1024, 2048)
    out_channels: int = 256
    fusion_type: Literal["concat", "add"] = "concat"

    def __post_init__(self) -> None:
        """Refuse fusions that do not exist."""
        if self.fusion_type not in ("concat", "add"):
            raise ValueError(f"the fusion_type of FPNF is 'concat' or 'add', not {self.fusion_type!r}")

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPNF gives one."""
        return (self.out_channels,)


PSENetSettings = DetectorSettings[FPNFSettings, MapHeadSettings]
