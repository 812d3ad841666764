"""What all parts of a model spec have in common."""

import msgspec


class SpecPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """An immutable record that checks itself when it is made or read; an unknown field is an error.

    In JSON it is an object whose `type` is the class's name, which is MMOCR's name for the same thing
    wherever MMOCR has one.
    """
