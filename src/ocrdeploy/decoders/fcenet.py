"""FCENet's maps to polygons: Fourier contours.

Y. Zhu et al., "Fourier Contour Embedding for Arbitrary-Shaped Text Detection", CVPR 2021; behaviour of MMOCR 0.6.3's
`FCEPostprocessor` and `FCEHead.get_boundary`, and of MMOCR 1.0.1's `FCEPostprocessor`.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import Length, Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size
from ocrdeploy.tensors import Dimension, TensorSpec, agree, shape_text

from .components import filled_components
from .decoder import DecoderPart, MadeUp, Map, Outputs, TextRepr, to_original
from .made_up import CERTAIN, PAIR_RADIUS, beside, logit, pairs, prepared
from .regions import regions, sigmoid
from .suppression import suppress

CLASSES = 4
"""Logits a pixel: no text, text, no centre of text, centre of text."""
MAX_FOURIER_DEGREE = 100
MAX_POINTS = 10_000
MAX_EXPONENT = 100.0
FARTHEST = 2.0**24
"""Coordinates further out than any image are brought to it, so that they can be whole numbers."""
Exponent = Annotated[float, Meta(ge=0, le=MAX_EXPONENT)]
Candidates = tuple[NDArray[np.float64], NDArray[np.float32]]
"""Polygons N×K×2 in pixels of the network's input, and their scores."""


class FCEPostprocessor(DecoderPart, frozen=True, tag=True):
    """Fourier contours (Zhu et al., 2021): one for each pixel of text, reduced to those that do not overlap.

    The network gives class logits and Fourier coefficients for each of `scales`, which is the size of its input divided
    by that of the maps. A pixel's score is its probability of text to the power `alpha`, times its probability of the
    centre of text to the power `beta`. MMOCR 1.x takes the convex hull of a contour that crosses itself so that it
    falls apart (`hull_of_parts`), 0.x takes its parts.
    """

    fourier_degree: Annotated[int, Meta(ge=1, le=MAX_FOURIER_DEGREE)] = 5
    num_reconstr_points: Annotated[int, Meta(ge=4, le=MAX_POINTS)] = 50
    scales: Annotated[tuple[Length, ...], Meta(min_length=1)] = (8, 16, 32)
    text_repr_type: TextRepr = "poly"
    alpha: Exponent = 1.0
    beta: Exponent = 2.0
    score_thr: Share = 0.3
    nms_thr: Share = 0.1
    hull_of_parts: bool = False

    def __post_init__(self) -> None:
        """Refuse contours of fewer points than coefficients, of which MMOCR would lose some."""
        least = 2 * self.fourier_degree + 1
        if self.num_reconstr_points < least:
            raise ValueError(
                f"contours of fourier_degree {self.fourier_degree} have num_reconstr_points of at least {least}, "
                f"not {self.num_reconstr_points}"
            )
        if len(set(self.scales)) < len(self.scales):
            raise ValueError(f"the scales are different numbers, not {self.scales}")

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Find the text of each image in the maps of all levels."""
        maps = list(outputs.values())[: 2 * len(self.scales)]
        return [
            [to_original(item, image) for item in decode_fce([each[index] for each in maps], self)]
            for index, image in enumerate(images)
        ]

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return class logits and Fourier coefficients of each level."""
        levels = [(scale, f"height_{scale}", f"width_{scale}") for scale in self.scales]
        return fce_maps("batch", levels, self.fourier_degree)

    def maps(self, outputs: Outputs, /) -> dict[str, Map]:
        """Return the score of each pixel, a map a level."""
        classes = list(outputs.values())[: 2 * len(self.scales) : 2]
        return {
            f"score of text at 1/{scale}": _scores(logits[0], self)
            for scale, logits in zip(self.scales, classes, strict=True)
        }

    def map_sizes(self, size: Size, /) -> tuple[Size, ...]:
        """Return the sizes of the two maps of each level."""
        return tuple((size[0] // scale, size[1] // scale) for scale in self.scales for _ in range(2))

    def made_up(self, other: Self, _channels: int | None, /) -> MadeUp:
        """Yield pairs of circles that overlap more and less; none for decoders of other levels or degrees."""
        if (self.fourier_degree, self.scales) != (other.fourier_degree, other.scales):
            return
        exponent = 1 / max(self.alpha + self.beta, 1)
        centres = pairs([score**exponent for score in beside((self.score_thr, other.score_thr))])
        height, width = (length * max(self.scales) for length in centres.shape)
        sizes = self.map_sizes((height, width))
        maps = {
            tensor.name: np.zeros((1, int(tensor.shape[1]), *size), np.float32)
            for tensor, size in zip(self.expects(), sizes, strict=True)
        }
        for classes, fourier in _levels([*maps.values()]):
            classes[0, ::2] = CERTAIN
            classes[0, :, : len(centres), : len(centres[0])] = np.stack([np.zeros_like(centres), logit(centres)] * 2)
            fourier[0, self.fourier_degree + 1] = PAIR_RADIUS
        yield maps, prepared((height, width))


def fce_maps(
    batch: Dimension, levels: Sequence[tuple[int, Dimension, Dimension]], fourier_degree: int
) -> tuple[TensorSpec, ...]:
    """Return the outputs of a network with FCENet's head.

    Args:
        batch: N.
        levels: For each level the scale, and height and width of its maps.
        fourier_degree: The degree k of the contours.
    """
    meaning = "logits of no text, text, no centre of text, centre of text"
    fourier = "Fourier coefficients -k to k of x, then of y, in pixels of the map from its own pixel"
    channels = 2 * (2 * fourier_degree + 1)
    return tuple(
        tensor
        for scale, height, width in levels
        for tensor in (
            TensorSpec(f"classes_{scale}", (batch, CLASSES, height, width), meaning),
            TensorSpec(f"fourier_{scale}", (batch, channels, height, width), fourier),
        )
    )


def decode_fce(maps: Sequence[Map], settings: FCEPostprocessor) -> list[Detection]:
    """Find the text instances of one image.

    In each level the pixels whose score is above `score_thr` are joined to parts, holes filled; of the contours of a
    part's pixels, of all parts of a level, and of all levels, those are left that no better one overlaps. Quads are
    rectangles of least area, as MMOCR 1.x has them; 0.x gives the contours in either case.

    Args:
        maps: Class logits of shape (4, h, w) and Fourier coefficients of shape (2 (2k + 1), h, w), finite, for each
            level. They are not modified.
        settings: Thresholds.

    Returns:
        The instances by descending score; polygons in pixels of the network's input, in whole numbers.

    Raises:
        ShapeError: The maps have other shapes.
    """
    _check_maps(maps, settings)
    levels = [
        _decode_level(classes, fourier, scale, settings)
        for scale, (classes, fourier) in zip(settings.scales, _levels(maps), strict=True)
    ]
    polygons, scores = _best(levels, settings)
    return [Detection(polygon, score) for polygon, score in zip(polygons, scores.tolist(), strict=True)]


def _check_maps(maps: Sequence[Map], settings: FCEPostprocessor) -> None:
    """Refuse maps of other shapes than those of the settings."""
    expected = [tensor.shape[1:] for tensor in settings.expects()]
    found = [each.shape for each in maps]
    fits = len(found) == len(expected) and all(
        agree(wanted, shape) and 0 not in shape for wanted, shape in zip(expected, found, strict=True)
    )
    if not fits or any(one.shape[1:] != other.shape[1:] for one, other in _levels(maps)):
        raise ShapeError(
            f"expected maps of one image of shapes {', '.join(map(shape_text, expected))}, "
            f"got {', '.join(map(shape_text, found))}",
            "Check that the spec's post-processing belongs to this network.",
        )


def _levels(maps: Sequence[Map]) -> Iterator[tuple[Map, Map]]:
    """Yield class logits and Fourier coefficients of each level."""
    return zip(maps[::2], maps[1::2], strict=True)


def _scores(logits: Map, settings: FCEPostprocessor) -> Map:
    """Return the score of each pixel, shape (h, w), 0 to 1."""
    with np.errstate(over="ignore"):  # infinity stands for certainty, which is meant
        text, centre = sigmoid(logits[1::2] - logits[::2])
    return np.asarray(text**settings.alpha * centre**settings.beta, np.float32)


def _decode_level(classes: Map, fourier: Map, scale: int, settings: FCEPostprocessor) -> Candidates:
    """Return what one level finds."""
    scores = _scores(classes, settings)
    parts = filled_components(scores > np.float32(settings.score_thr))
    found = []
    for _, points in regions(parts.labels):
        columns, rows = points.T
        # In a hole the score may be zero.
        is_scored = scores[rows, columns] > 0
        columns, rows = columns[is_scored], rows[is_scored]
        contours = _contours(fourier[:, rows, columns], columns + 1j * rows, scale, settings)
        found.append(_best([(contours, scores[rows, columns])], settings))
    polygons, best = _best(found, settings)
    if settings.text_repr_type == "quad":
        polygons = np.array([_quad(polygon) for polygon in polygons]).reshape(-1, 4, 2)
    return polygons, best


def _contours(
    coefficients: Map, centres: NDArray[np.complex128], scale: int, settings: FCEPostprocessor
) -> NDArray[np.float64]:
    """Return the contours N×K×2 of pixels, in pixels of the network's input, cut to whole numbers.

    Args:
        coefficients: Shape (2 (2k + 1), N).
        centres: Shape (N,): the pixels as x + iy.
        scale: Size of the input by that of the map.
        settings: The degree k, and K.
    """
    degree, count = settings.fourier_degree, settings.num_reconstr_points
    of_x, of_y = np.split(np.clip(coefficients.T, -FARTHEST, FARTHEST), 2, axis=1)
    # In single precision up to here, as in MMOCR: what is cut off below depends on the last bit.
    series = of_x + np.complex64(1j) * of_y
    series[:, degree] = series[:, degree] + centres
    series *= np.float32(scale)
    spectrum = np.zeros((len(series), count), np.complex128)
    spectrum[:, : degree + 1] = series[:, degree:]
    spectrum[:, -degree:] = series[:, :degree]
    points = np.fft.ifft(spectrum) * count
    return np.trunc(np.clip(np.stack([points.real, points.imag], axis=2), -FARTHEST, FARTHEST))


def _best(candidates: Sequence[Candidates], settings: FCEPostprocessor) -> Candidates:
    """Return, of all candidates, those that no better one overlaps, by descending score."""
    some = [each for each in candidates if len(each[1])]
    if not some:
        return np.zeros((0, 4, 2)), np.zeros(0, np.float32)
    polygons, scores = (np.concatenate(each) for each in zip(*some, strict=True))
    kept = suppress(polygons, scores, settings.nms_thr, hull_of_parts=settings.hull_of_parts)
    return polygons[kept], scores[kept]


def _quad(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of the rectangle of least area, shape (4, 2), cut to whole numbers."""
    return np.trunc(cv2.boxPoints(cv2.minAreaRect(polygon.astype(np.float32)))).astype(np.float64)
