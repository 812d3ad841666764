"""What all parts of a model spec have in common."""

from typing import Annotated

import msgspec
from msgspec import Meta

MAX_LENGTH = 2**20
"""Longest edge in pixels that a step or decoder may ask for."""
MAX_AREA = 2**28
"""Largest area in pixels that a decoder may ask for: that of the largest image that is read."""

Share = Annotated[float, Meta(ge=0, le=1)]
"""A probability, or a part of a whole."""
Length = Annotated[int, Meta(ge=1, le=MAX_LENGTH)]
"""The length of an edge, in pixels."""
Area = Annotated[int, Meta(ge=0, le=MAX_AREA)]
"""An area in pixels."""
Scaling = Annotated[float, Meta(gt=0, le=1)]
"""How much smaller something becomes."""


class SpecPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """An immutable record that checks itself when it is made or read; an unknown field is an error.

    In JSON it is an object whose `type` is the class's name, which is MMOCR's name for the same thing
    wherever MMOCR has one.
    """
