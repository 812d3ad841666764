"""What makes one network differ from another, as data, where several families share it. PyTorch is not imported here.

Field names and defaults are those of MMOCR's and mmdet's modules of the same name; what has no influence on inference
(losses, initialisation, frozen stages) is not here.
"""

from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

LEAST_SIDE = 8
"""The smallest height and width of a word of which TPSPreprocessor's three poolings leave anything."""
RESNET_DEPTHS = (18, 34, 50, 101)


@dataclass(frozen=True, slots=True)
class DeformableSettings:
    """Where a ResNet's bottlenecks have deformable convolutions (mmdet's `dcn` of type `DCNv2`, and `stage_with_dcn`).

    Attributes:
        stages: Which of the four stages have them.
        groups: Groups of channels with offsets of their own (`deform_groups`).
        fallback_on_stride: Whether the first of these bottlenecks has a plain convolution after all. By its name and
            its documentation it would be every one with a stride; mmdet forgets the option behind the first.
    """

    stages: tuple[bool, bool, bool, bool]
    groups: int = 1
    fallback_on_stride: bool = False

    def __post_init__(self) -> None:
        """Refuse no groups."""
        if self.groups < 1:
            raise ValueError(f"deformable convolutions have at least one group, not {self.groups}")

    def is_deformable(self, stage: int, block: int) -> bool:
        """Tell whether a block, by its place in its stage, has one; both count from 0."""
        is_first = block == 0 and not any(self.stages[:stage])
        return self.stages[stage] and not (self.fallback_on_stride and is_first)


@dataclass(frozen=True, slots=True)
class ResNetSettings:
    """A residual network (He et al., 2016), as in mmdet's ResNet without plugins.

    With `averages` it is MMOCR 1.x's CLIPResNet, oCLIP's: what has a stride there is an average pool here, but for the
    stem's first convolution.
    """

    depth: int
    in_channels: int = 3
    stem_channels: int | None = None
    base_channels: int = 64
    style: Literal["pytorch", "caffe"] = "pytorch"
    deep_stem: bool = False
    avg_down: bool = False
    averages: bool = False
    out_indices: tuple[int, ...] = (0, 1, 2, 3)
    deformable: DeformableSettings | None = None

    def __post_init__(self) -> None:
        """Refuse what no ResNet has."""
        if self.depth not in RESNET_DEPTHS:
            raise ValueError(f"ResNet has depth 18, 34, 50 or 101, not {self.depth}")
        if self.style not in ("pytorch", "caffe"):
            raise ValueError(f"the style of ResNet is 'pytorch' or 'caffe', not {self.style!r}")
        if min(self.in_channels, self.base_channels, self.stem_channels or 1) < 1:
            raise ValueError("ResNet needs at least one channel")
        if not self.out_indices or self.out_indices != tuple(sorted(set(self.out_indices) & {0, 1, 2, 3})):
            raise ValueError(f"the out_indices of ResNet are of its stages 0 to 3, in order, not {self.out_indices}")
        if self.averages and self.depth != 50:
            raise ValueError(f"CLIPResNet has depth 50, not {self.depth}")
        self._check_deformable()

    def _check_deformable(self) -> None:
        """Refuse deformable convolutions that mmdet has not, or whose groups share channels."""
        if self.deformable is None or not any(self.deformable.stages):
            return
        if self.depth < 50:
            raise ValueError(f"a ResNet of depth {self.depth} has no deformable convolutions: it has no bottlenecks")
        widths = [self.base_channels * 2**stage for stage in range(4) if self.deformable.stages[stage]]
        if any(width % self.deformable.groups for width in widths):
            raise ValueError(f"{self.deformable.groups} groups do not divide the {widths[0]} channels of a stage")

    @property
    def stage_channels(self) -> tuple[int, int, int, int]:
        """Channels that the four stages give."""
        expansion = 1 if self.depth < 50 else 4
        first = self.base_channels * expansion
        return first, first * 2, first * 4, first * 8

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the feature maps that the network gives, finest first."""
        return tuple(self.stage_channels[index] for index in self.out_indices)


@dataclass(frozen=True, slots=True)
class STNSettings:
    """A spatial transformer with thin-plate splines (MMOCR 1.x's STN); sizes are (height, width) in pixels."""

    in_channels: int
    resized_image_size: tuple[int, int] = (32, 64)
    output_image_size: tuple[int, int] = (32, 100)
    num_control_points: int = 20
    margins: tuple[float, float] = (0.05, 0.05)

    def __post_init__(self) -> None:
        """Refuse sizes that MMOCR's module fails with."""
        # Five poolings halve the image, and the layer behind them takes one row of two columns.
        if [side // 32 for side in self.resized_image_size] != [1, 2]:
            raise ValueError(
                f"the resized_image_size of STN is 32 to 63 pixels by 64 to 95, got {self.resized_image_size}"
            )
        if min(self.output_image_size) < 2 or self.in_channels < 1:
            raise ValueError("STN takes at least one channel, and makes images of at least two by two pixels")
        if self.num_control_points < 4 or self.num_control_points % 2:
            raise ValueError(f"num_control_points of STN is even and at least 4, got {self.num_control_points}")
        if not all(0 <= margin < 0.5 for margin in self.margins):
            raise ValueError(f"the margins of STN are from 0 to below 0.5, got {self.margins}")


@dataclass(frozen=True, slots=True)
class TPSSettings:
    """A spatial transformer with thin-plate splines (MMOCR 0.x's TPSPreprocessor); the size is (height, width)."""

    num_fiducial: int = 20
    rectified_img_size: tuple[int, int] = (32, 100)
    num_img_channel: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers that MMOCR's module fails with."""
        if min(self.rectified_img_size) < 1 or self.num_img_channel < 1:
            raise ValueError("TPSPreprocessor takes at least one channel, and makes images of at least one pixel")
        if self.num_fiducial < 4 or self.num_fiducial % 2:
            raise ValueError(f"num_fiducial of TPSPreprocessor is even and at least 4, got {self.num_fiducial}")


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
        """Channels of each feature map that it gets, or those of the feature maps that it joins."""
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
        fits = sum(given) == sum(taken) if isinstance(taken, tuple) else set(given) == {taken}
        if not fits:
            raise ValueError(
                f"the neck gives {len(given)} feature map(s) of {given[0]} channels, "
                f"but the in_channels of the head are {taken}"
            )


@dataclass(frozen=True, slots=True)
class FPNSettings:
    """A feature pyramid (Lin et al., 2017), as in mmdet's FPN without normalisation and without further levels."""

    in_channels: tuple[int, ...]
    out_channels: int
    num_outs: int

    def __post_init__(self) -> None:
        """Refuse levels beyond those of the backbone."""
        if self.num_outs != len(self.in_channels):
            raise ValueError(
                f"FPN gives a feature map for each of the {len(self.in_channels)} that it gets, not {self.num_outs}"
            )

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that it gives, finest first."""
        return (self.out_channels,) * self.num_outs


@dataclass(frozen=True, slots=True)
class MapHeadSettings:
    """A head of one convolution to channels of logits, behind a hidden layer in MMOCR 1.x (its PANHead and PSEHead)."""

    in_channels: tuple[int, ...]
    out_channels: int
    hidden_channels: int | None = None
