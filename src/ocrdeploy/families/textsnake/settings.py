"""The options of TextSnake's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.settings import DetectorSettings


@dataclass(frozen=True, slots=True)
class FPNUNetSettings:
    """TextSnake's feature pyramid, which enlarges its levels and takes up finer ones (MMOCR's FPN_UNet)."""

    in_channels: tuple[int, int, int, int]
    out_channels: int

    def __post_init__(self) -> None:
        """Refuse no channels."""
        if min(*self.in_channels, self.out_channels) < 1:
            raise ValueError("FPN_UNet needs at least one channel")

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPN_UNet gives one."""
        return (self.out_channels,)


@dataclass(frozen=True, slots=True)
class TextSnakeHeadSettings:
    """TextSnake's head: five maps (MMOCR's TextSnakeHead)."""

    in_channels: int


TextSnakeSettings = DetectorSettings[FPNUNetSettings, TextSnakeHeadSettings]
