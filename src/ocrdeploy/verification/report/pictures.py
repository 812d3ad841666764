"""The pictures of a comparison's report: images with both results, probability maps, and where they differ."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.images.drawing import Colour, Pixels, draw_outlines, encode_image, fit_within, grey_map, heat_map
from ocrdeploy.images.reading import read_image
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.results import Detection, Recognition
from ocrdeploy.steps import ColorType, Preprocessed, turns_upright
from ocrdeploy.verification.comparison import Case
from ocrdeploy.verification.result_difference import match_detections
from ocrdeploy.verification.tensor_difference import absolute_difference

MATCHED: Colour = (178, 114, 0)
MOVED: Colour = (115, 158, 0)
MISSING: Colour = (0, 94, 213)
EXTRA: Colour = (160, 60, 160)
"""Blue, green, vermilion and purple, which people with any kind of colour vision tell apart."""

PHOTO_EDGE = 900
MAP_EDGE = 480
WORD_EDGE = 480
"""Longer edge of the pictures in pixels, which bounds the size of the report."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the report.

    Attributes:
        title: What it shows.
        data: The bytes of a JPEG or PNG file.
        kind: `jpeg` or `png`.
        width: In pixels.
        height: In pixels.
    """

    title: str
    data: bytes
    kind: str
    width: int
    height: int


def case_pictures(case: Case, spec: ModelSpec, names: tuple[str, str], allowed: float) -> tuple[Picture, ...]:
    """Return the pictures of one image.

    Detection: the image with the reference's and with the candidate's polygons; both probability maps; their
    difference. Recognition: the word.

    Args:
        case: The image.
        spec: The reference's spec.
        names: What the reference and the candidate are called.
        allowed: The difference that is within tolerance: smaller ones look dark.
    """
    pixels = colour_pixels(case, spec)
    if isinstance(case.results[0], Recognition):
        return (_picture("image", fit_within(pixels, WORD_EDGE), lossless=True),)
    return (*_outlines(pixels, case, names), *_maps(case, spec, names, allowed))


def _outlines(pixels: Pixels, case: Case, names: tuple[str, str]) -> list[Picture]:
    """Return the image with each side's polygons."""
    reference, candidate = (_detections(result) for result in case.results)
    match = match_detections(reference, candidate)
    small = fit_within(pixels, PHOTO_EDGE)
    factor = small.shape[1] / pixels.shape[1]
    sides = (
        (reference, {row for row, _ in match.moved}, match.missing, MISSING),
        (candidate, {column for _, column in match.moved}, match.extra, EXTRA),
    )
    pictures = []
    for name, (detections, moved, alone, colour) in zip(names, sides, strict=True):
        scaled = [Detection(each.polygon * factor, each.score) for each in detections]
        same = [each for i, each in enumerate(scaled) if i not in moved and i not in alone]
        groups = [
            (same, MATCHED, 2),
            ([scaled[i] for i in sorted(moved)], MOVED, 3),
            ([scaled[i] for i in alone], colour, 4),
        ]
        title = f"{name}: {len(detections)} instances" + (f", {len(alone)} of them alone" if alone else "")
        pictures.append(_picture(title, draw_outlines(small, groups)))
    return pictures


def _maps(case: Case, spec: ModelSpec, names: tuple[str, str], allowed: float) -> list[Picture]:
    """Return both probability maps and the heat map of their difference, without the padding."""
    pictures = [
        _picture(f"{name}: {title}", grey_map(_without_padding(shown[None], case.prepared)[0], MAP_EDGE))
        for name, outputs in zip(names, case.outputs, strict=True)
        for title, shown in spec.postprocessing.maps(outputs).items()
    ]
    first, second = (_without_padding(output[0], case.prepared) for output in case.first_outputs)
    if first.shape == second.shape:
        difference = absolute_difference(first, second).max(axis=0)
        largest = float(difference.max(initial=0))
        full = max(allowed, largest)
        title = f"difference of the outputs: at most {largest:.2g}; light yellow is {full:.2g}"
        pictures.append(_picture(title, heat_map(difference, full, MAP_EDGE), lossless=True))
    return pictures


def _without_padding(maps: NDArray[np.float32], prepared: Preprocessed) -> NDArray[np.float32]:
    """Return the part of C×h×w maps that shows the image."""
    height, width = (
        max(1, math.ceil(inside * length / whole))
        for inside, length, whole in zip(prepared.resized_shape, maps.shape[1:], prepared.tensor.shape[1:], strict=True)
    )
    inside: NDArray[np.float32] = maps[:, :height, :width]
    return inside


def _detections(result: object) -> list[Detection]:
    """Return a detector's result."""
    if not isinstance(result, list):
        raise TypeError("a detector's result is a list")
    return result


def colour_pixels(case: Case, spec: ModelSpec) -> Pixels:
    """Return the image as H×W×3 uint8 BGR, turned as the pipeline turns it."""
    if isinstance(case.image, np.ndarray):
        return case.image
    color_type: ColorType = "color" if turns_upright(spec.preprocessing) else "color_ignore_orientation"
    return read_image(Path(case.image), color_type)


def _picture(title: str, pixels: Pixels, *, lossless: bool = False) -> Picture:
    """Return a picture, encoded."""
    height, width = pixels.shape[:2]
    return Picture(title, encode_image(pixels, lossless=lossless), "png" if lossless else "jpeg", width, height)
