"""What makes one network differ from another, as data, where several families share it. PyTorch is not imported here.

Field names and defaults are those of MMOCR's and mmdet's modules of the same name; what has no influence on inference
(losses, initialisation, frozen stages) is not here.
"""

from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

RESNET_DEPTHS = (18, 34, 50, 101)


@dataclass(frozen=True, slots=True)
class ResNetSettings:
    """A residual network (He et al., 2016), as in mmdet's ResNet without plugins and deformable convolutions."""

    depth: int
    in_channels: int = 3
    stem_channels: int | None = None
    base_channels: int = 64
    style: Literal["pytorch", "caffe"] = "pytorch"
    deep_stem: bool = False
    avg_down: bool = False

    def __post_init__(self) -> None:
        """Refuse depths and widths that no ResNet has."""
        if self.depth not in RESNET_DEPTHS:
            raise ValueError(f"ResNet has depth 18, 34, 50 or 101, not {self.depth}")
        if self.style not in ("pytorch", "caffe"):
            raise ValueError(f"the style of ResNet is 'pytorch' or 'caffe', not {self.style!r}")
        if min(self.in_channels, self.base_channels, self.stem_channels or 1) < 1:
            raise ValueError("ResNet needs at least one channel")

    @property
    def out_channels(self) -> tuple[int, int, int, int]:
        """Channels of the four feature maps, finest first."""
        expansion = 1 if self.depth < 50 else 4
        first = self.base_channels * expansion
        return first, first * 2, first * 4, first * 8


class NeckSettings(Protocol):
    """A feature pyramid."""

    @property
    def in_channels(self) -> tuple[int, ...]:
        """Channels of the feature maps that it gets, finest first."""
        ...

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that it gives."""
        ...


class HeadSettings(Protocol):
    """What follows a feature pyramid."""

    @property
    def in_channels(self) -> int | tuple[int, ...]:
        """Channels that it gets, or those of the feature maps that it joins."""
        ...


Neck_co = TypeVar("Neck_co", bound=NeckSettings, covariant=True)
Head_co = TypeVar("Head_co", bound=HeadSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class DetectorSettings(Generic[Neck_co, Head_co]):
    """A text detector: backbone, neck, head."""

    backbone: ResNetSettings
    neck: Neck_co
    head: Head_co

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        if self.neck.in_channels != self.backbone.out_channels:
            raise ValueError(
                f"the backbone gives feature maps of {self.backbone.out_channels} channels, "
                f"but the in_channels of the neck are {self.neck.in_channels}"
            )
        given, taken = self.neck.fused_channels, self.head.in_channels
        fits = sum(given) == sum(taken) if isinstance(taken, tuple) else given == (taken,)
        if not fits:
            raise ValueError(
                f"the neck gives {len(given)} feature map(s) of {given[0]} channels, "
                f"but the in_channels of the head are {taken}"
            )


@dataclass(frozen=True, slots=True)
class MapHeadSettings:
    """A head of one convolution to channels of logits, behind a hidden layer in MMOCR 1.x (its PANHead and PSEHead)."""

    in_channels: tuple[int, ...]
    out_channels: int
    hidden_channels: int | None = None
