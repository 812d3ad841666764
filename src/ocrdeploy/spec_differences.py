"""What two model specs say differently of the same steps, in words."""

from typing import Any

import msgspec

from ocrdeploy.decoders import TextDecoder
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.spec_part import SpecPart

Names = tuple[str, str]
LONGEST_VALUE = 60
"""Longer values, such as dictionaries, are cut."""


NAMES = ("the reference", "the candidate")


def pipeline_differences(reference: ModelSpec, candidate: ModelSpec, names: Names = NAMES) -> list[str]:
    """Return the settings of pre-processing that differ, in sentences that call the two specs by their names."""
    first, second = reference.preprocessing, candidate.preprocessing
    if [type(step) for step in first] != [type(step) for step in second]:
        steps = [", ".join(type(step).__name__ for step in each) for each in (first, second)]
        return [_sentence("steps of pre-processing", steps[0], steps[1], names)]
    return [text for one, other in zip(first, second, strict=True) for text in _part_differences(one, other, names)]


def decoder_differences(reference: ModelSpec, candidate: ModelSpec, names: Names = NAMES) -> list[str]:
    """Return the settings of post-processing that differ.

    Whether a recogniser's softmax and argmax are in the network is none: the decoder then reads what they give.
    """
    first, second = reference.postprocessing, candidate.postprocessing
    if isinstance(first, TextDecoder) and isinstance(second, TextDecoder):
        second = msgspec.structs.replace(second, reads=first.reads)
    return _part_differences(first, second, names)


def _part_differences(reference: SpecPart, candidate: SpecPart, names: Names) -> list[str]:
    """Return what differs between two parts of specs, field by field."""
    name = type(reference).__name__
    if type(reference) is not type(candidate):
        return [_sentence("post-processing", name, type(candidate).__name__, names)]
    return [
        _sentence(f"{name}.{field.name}", first, second, names)
        for field in msgspec.structs.fields(reference)
        if (first := getattr(reference, field.name)) != (second := getattr(candidate, field.name))
    ]


def _sentence(what: str, reference: Any, candidate: Any, names: Names) -> str:
    """Return one difference in words."""
    match reference, candidate:
        case tuple(), tuple() if len(str(reference)) > LONGEST_VALUE:
            if len(reference) != len(candidate):
                return f"{what} has {len(reference)} entries in {names[0]}, {len(candidate)} in {names[1]}"
            place = next(index for index, (a, b) in enumerate(zip(reference, candidate, strict=True)) if a != b)
            what, reference, candidate = f"{what}[{place}]", reference[place], candidate[place]
    return f"{what} is {reference} in {names[0]}, {candidate} in {names[1]}"
