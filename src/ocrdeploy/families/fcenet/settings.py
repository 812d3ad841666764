"""The options of FCENet's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.settings import DetectorSettings, FPNSettings


@dataclass(frozen=True, slots=True)
class FCEHeadSettings:
    """FCENet's head: class logits and Fourier coefficients of each level (MMOCR's FCEHead)."""

    in_channels: int
    fourier_degree: int = 5

    def __post_init__(self) -> None:
        """Refuse contours without coefficients."""
        if self.fourier_degree < 1:
            raise ValueError(f"the fourier_degree of FCEHead is at least 1, not {self.fourier_degree}")


FCENetSettings = DetectorSettings[FPNSettings, FCEHeadSettings]
