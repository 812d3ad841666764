"""What two model specs say differently of the same steps, in words."""

from typing import Any

import msgspec

from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.spec_part import SpecPart

LONGEST_VALUE = 60
"""Longer values, such as dictionaries, are cut."""


def pipeline_differences(reference: ModelSpec, candidate: ModelSpec) -> list[str]:
    """Return the settings of pre-processing that differ, such as `Normalize.mean: (1, 2, 3), candidate (3, 2, 1)`."""
    first, second = reference.preprocessing, candidate.preprocessing
    if [type(step) for step in first] != [type(step) for step in second]:
        names = (", ".join(type(step).__name__ for step in steps) for steps in (first, second))
        return [_sentence("steps of pre-processing", *names)]
    return [text for one, other in zip(first, second, strict=True) for text in _part_differences(one, other)]


def decoder_differences(reference: ModelSpec, candidate: ModelSpec) -> list[str]:
    """Return the settings of post-processing that differ.

    Whether CTC's softmax and argmax are in the network is none: the decoder then reads what they give.
    """
    first, second = reference.postprocessing, candidate.postprocessing
    if isinstance(first, CTCConvertor) and isinstance(second, CTCConvertor):
        second = msgspec.structs.replace(second, reads=first.reads)
    return _part_differences(first, second)


def _part_differences(reference: SpecPart, candidate: SpecPart) -> list[str]:
    """Return what differs between two parts of specs, field by field."""
    name = type(reference).__name__
    if type(reference) is not type(candidate):
        return [_sentence("post-processing", name, type(candidate).__name__)]
    return [
        _sentence(f"{name}.{field.name}", first, second)
        for field in msgspec.structs.fields(reference)
        if (first := getattr(reference, field.name)) != (second := getattr(candidate, field.name))
    ]


def _sentence(what: str, reference: Any, candidate: Any) -> str:
    """Return one difference in words."""
    match reference, candidate:
        case tuple(), tuple() if len(str(reference)) > LONGEST_VALUE:
            if len(reference) != len(candidate):
                return f"{what} has {len(reference)} entries in the reference, {len(candidate)} in the candidate"
            place = next(index for index, (a, b) in enumerate(zip(reference, candidate, strict=True)) if a != b)
            what, reference, candidate = f"{what}[{place}]", reference[place], candidate[place]
    return f"{what} is {reference} in the reference, {candidate} in the candidate"
