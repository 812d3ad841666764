"""What a tensor of a model is: its name, shape and type, as a spec says it."""

import math
from collections.abc import Sequence
from typing import Literal

from .errors import UsageError
from .spec_part import SpecPart

MOST_NUMBERS = 2**27
"""Most numbers of an input that a user may ask for: 512 MiB, some 45 images of MMOCR's usual size, or one of 6,600².

A detector needs about twenty times as much memory for its feature maps.
"""

Dimension = int | str
"""A fixed length, or the name of a dynamic dimension."""
ElementType = Literal["float32", "int32"]

VALID_RATIO = "valid_ratio"
"""Name of the second input of networks that mask padding: the part of each image's width that is word, N float32."""


class TensorSpec(SpecPart, frozen=True):
    """One input or output: its name in the graph, its shape, what its values mean, and their type.

    Heights and widths, the last two dimensions of an image, are multiples of `multiple_of`; None where the spec does
    not say, because an older version wrote it. A narrower image than `least_width` leaves the network nothing to read;
    None where the network has no such bound.
    """

    name: str
    shape: tuple[Dimension, ...]
    meaning: str
    dtype: ElementType = "float32"
    multiple_of: int | None = None
    least_width: int | None = None


def agree(expected: Sequence[Dimension], found: Sequence[Dimension]) -> bool:
    """Return whether two shapes can be of one tensor: what is open on one side may be fixed on the other.

    A shape without dimensions is one that is not known.
    """
    if not found:
        return True
    return len(expected) == len(found) and all(
        isinstance(one, str) or isinstance(other, str) or one == other
        for one, other in zip(expected, found, strict=True)
    )


def shape_text(shape: Sequence[Dimension]) -> str:
    """Return a shape as N×C×H×W."""
    return "×".join(str(length) for length in shape)


def check_asked_shape(shape: Sequence[int], option: str) -> None:
    """Refuse an input shape that no network could be run with.

    Args:
        shape: The shape N×C×H×W that a user asks for.
        option: The option that it was given with, for the message.

    Raises:
        UsageError: A length is not positive, or the input would be too large.
    """
    if min(shape) < 1:
        raise UsageError(f"{option} takes positive lengths N C H W, got {shape_text(shape)}")
    if math.prod(shape) > MOST_NUMBERS:
        raise UsageError(
            f"{option} {shape_text(shape)} is an input of {math.prod(shape):,} numbers, and at most {MOST_NUMBERS:,} "
            "are taken"
        )
