"""The input shapes that a user asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ocrdeploy.errors import UsageError
from ocrdeploy.tensors import check_asked_shape

Shape = tuple[int, int, int, int]
SHAPE_PATTERN = re.compile(r"(\d{1,9})[x×](\d{1,9})[x×](\d{1,9})[x×](\d{1,9})")


@dataclass(frozen=True, slots=True)
class GivenProfile:
    """A profile as the user gives it: smallest and largest shape; the one to be fastest at may be left out."""

    least: Shape
    most: Shape
    best: Shape | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that no network could be run with."""
        # Lengths below one are refused together with those that are out of order.
        for shape in (self.least, self.best or self.least, self.most):
            if min(shape) > 0:
                check_asked_shape(shape, "a profile's shape")


@dataclass(frozen=True, slots=True)
class ShapeRequest:
    """What the user says of the shapes; everything may be left out.

    Attributes:
        profiles: The profiles; none has them derived from the model's pipeline.
        max_batch: The largest batch of derived profiles.

    Raises:
        UsageError: The two do not go together.
    """

    profiles: tuple[GivenProfile, ...] = ()
    max_batch: int | None = None

    def __post_init__(self) -> None:
        """Refuse two largest batches."""
        if self.profiles and self.max_batch is not None:
            raise UsageError("--max-batch is for shapes that are derived, and shapes were given: give one of them")


def request_shapes(
    least: Shape | None, best: Shape | None, most: Shape | None, profiles: Sequence[str], max_batch: int | None
) -> ShapeRequest:
    """Return what the user says of the shapes.

    Args:
        least: --min-shape.
        best: --opt-shape.
        most: --max-shape.
        profiles: The values of --profile.
        max_batch: --max-batch.

    Raises:
        UsageError: The options do not belong together, or a value is no profile.
    """
    given = []
    if least is not None and most is not None:
        given.append(GivenProfile(least, most, best))
    elif (least, best, most) != (None, None, None):
        raise UsageError("--min-shape and --max-shape are given together; only --opt-shape may be left out")
    return ShapeRequest((*given, *(parse_profile(text) for text in profiles)), max_batch)


def parse_profile(text: str) -> GivenProfile:
    """Return the profile `MIN,MAX` or `MIN,OPT,MAX`, each shape as NxCxHxW.

    Raises:
        UsageError: It is none.
    """
    shapes = []
    for part in text.split(","):
        match = SHAPE_PATTERN.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"--profile is MIN,MAX or MIN,OPT,MAX, each as NxCxHxW, got {text!r}")
        n, c, h, w = (int(number) for number in match.groups())
        shapes.append((n, c, h, w))
    match shapes:
        case [least, most]:
            return GivenProfile(least, most)
        case [least, best, most]:
            return GivenProfile(least, most, best)
    raise UsageError(f"--profile is two or three shapes, got {text!r}")
