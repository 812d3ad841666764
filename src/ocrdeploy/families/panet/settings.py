"""The options of PANet's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.settings import DetectorSettings, MapHeadSettings


@dataclass(frozen=True, slots=True)
class FPEMFFMSettings:
    """PANet's feature pyramid enhancement and fusion modules (MMOCR's FPEM_FFM)."""

    in_channels: tuple[int, ...]
    conv_out: int = 128
    fpem_repeat: int = 2
    align_corners: bool = False

    def __post_init__(self) -> None:
        """Refuse what the modules cannot be built with."""
        if len(self.in_channels) != 4:
            raise ValueError(f"FPEM_FFM takes 4 feature maps, but in_channels has {len(self.in_channels)}")
        if self.fpem_repeat < 1:
            raise ValueError(f"FPEM_FFM needs at least one FPEM, but fpem_repeat is {self.fpem_repeat}")

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPEM_FFM gives four."""
        return (self.conv_out,) * 4


PANetSettings = DetectorSettings[FPEMFFMSettings, MapHeadSettings]
