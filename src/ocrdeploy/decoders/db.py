"""DBNet's probability map to polygons: Differentiable Binarization (Liao et al., AAAI 2020).

Behaves as `DBPostprocessor` and `box_score_fast`, `unclip` and `points2boundary` of MMOCR 0.6.3 do.
"""

from collections.abc import Sequence
from typing import Annotated, Self

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import MAX_LENGTH, Scaling, Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size
from ocrdeploy.tensors import Dimension, TensorSpec

from .approximation import approximate
from .decoder import DecoderPart, MadeUp, Map, Outputs, TextRepr, decode_each, made_up_maps, scaled_size
from .made_up import repeated
from .polygons import Rings, make_rings, min_area_quad, unclip

MIN_POLYGON_VERTICES = 4
"""Polygons with fewer vertices are dropped, before and after they are grown."""


MAX_CANDIDATES = 10**6
"""Most text instances that a decoder may be asked to look at in one image."""
MAX_UNCLIP_RATIO = 100.0


class DBPostprocessor(DecoderPart, frozen=True, tag=True):
    """Differentiable Binarization (Liao et al., 2020): contours of the probability map, grown by `unclip_ratio`.

    In MMOCR 1.x a quadrilateral of exactly `min_text_width` counts (`width_inclusive`), and where growing gives several
    rings of equal length, it is the first alone (`first_ring_alone`).
    """

    text_repr_type: TextRepr = "poly"
    mask_thr: Share = 0.3
    min_text_score: Share = 0.3
    min_text_width: Annotated[float, Meta(ge=0, le=MAX_LENGTH)] = 5
    unclip_ratio: Annotated[float, Meta(ge=0, le=MAX_UNCLIP_RATIO)] = 1.5
    epsilon_ratio: Share = 0.01
    max_candidates: Annotated[int, Meta(ge=1, le=MAX_CANDIDATES)] = 3000
    downsample_ratio: Scaling = 1.0
    width_inclusive: bool = False
    first_ring_alone: bool = False

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Find the text of each image in its probability map, the first channel."""
        return decode_each(outputs, images, self.downsample_ratio, lambda maps: decode_db(maps[0], self))

    def maps(self, outputs: Outputs, /) -> dict[str, Map]:
        """Return the probability of text."""
        return {"probability of text": next(iter(outputs.values()))[0, 0]}

    def map_sizes(self, size: Size, /) -> tuple[Size, ...]:
        """Return the size of the maps."""
        return (scaled_size(size, self.downsample_ratio),)

    def made_up(self, other: Self, channels: int | None, /) -> MadeUp:
        """Yield maps of probabilities."""
        if channels is not None:
            thresholds = (self.mask_thr, self.min_text_score, other.mask_thr, other.min_text_score)
            yield from made_up_maps(thresholds, self.downsample_ratio, lambda found: repeated(found, channels))


def db_map(image: tuple[Dimension, Dimension, Dimension], *, all_outputs: bool) -> TensorSpec:
    """Return the output of a network with DBNet's head.

    Args:
        image: N, H and W of its input.
        all_outputs: Whether it gives what training needs beside the probability of text.
    """
    batch, height, width = image
    if not all_outputs:
        return TensorSpec("prob_map", (batch, 1, height, width), "probability of text, 0 to 1")
    meaning = "channels: probability of text, threshold, approximate binary map; all 0 to 1"
    return TensorSpec("maps", (batch, 3, height, width), meaning)


def decode_db(prob_map: NDArray[np.float32], settings: DBPostprocessor) -> list[Detection]:
    """Find the text instances of one image.

    The map is cut at `mask_thr`; every contour, holes included, is approximated by a polygon, scored by the mean of
    the map inside it, and grown by `area * unclip_ratio / length`, because the network is trained on shrunken text.

    Two things differ from MMOCR. Where growing a polygon yields several rings with unequal numbers of vertices, MMOCR
    drops it or crashes, depending on its NumPy; here it is dropped. And the polygons are approximated as by OpenCV up
    to 4.12, whichever version is installed.

    Args:
        prob_map: Shape (H, W), float32, 0 to 1, finite: the probability of shrunken text of each pixel. Either
            dimension may be zero.
        settings: The thresholds. As in MMOCR, `max_candidates` is one less than the number of contours that are
            looked at, `min_text_width` has no influence on polygons, and `downsample_ratio` is left to the caller.

    Returns:
        The text instances, in pixels of the map, in MMOCR's order: four corners each for `quad`, at least four for
        `poly`. Corners may lie outside the map.

    Raises:
        ShapeError: The map has other dimensions.
    """
    if prob_map.ndim != 2:
        raise ShapeError(
            f"expected a probability map of shape H x W, got shape {tuple(prob_map.shape)}",
            "Check that the spec's post-processing belongs to this network.",
        )
    contours = _find_contours(prob_map, settings.mask_thr, settings.max_candidates + 1)
    tolerances = np.array([settings.epsilon_ratio * cv2.arcLength(contour, True) for contour in contours])
    rings = approximate(make_rings(contours), tolerances, MIN_POLYGON_VERTICES)
    distances = _unclip_distances(rings, settings.unclip_ratio)
    polygons, boxes = rings.split(), rings.bounding_boxes().tolist()
    detections = []
    for index in _wide_enough(rings, distances, settings).tolist():
        score = _mean_inside(prob_map, polygons[index], boxes[index])
        if score < settings.min_text_score:
            continue
        grown = unclip(polygons[index], distances[index], first_alone=settings.first_ring_alone)
        outline = None if grown is None else _outline(grown, settings)
        if outline is not None:
            detections.append(Detection(outline, score))
    return detections


def _find_contours(prob_map: NDArray[np.float32], threshold: float, limit: int) -> list[NDArray[np.int32]]:
    """Return the first contours of the pixels above a threshold, shape (n, 1, 2) each, holes included."""
    if not prob_map.size:
        return []
    # PyTorch compares in the precision of the map.
    mask = (prob_map > np.float32(threshold)).view(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, np.int32) for contour in contours[: max(limit, 0)]]


def _unclip_distances(rings: Rings, unclip_ratio: float) -> NDArray[np.float64]:
    """Return how far the edges of each ring move, in pixels; NaN for a ring without length."""
    areas, lengths = rings.areas_and_lengths()
    distances = np.full(len(rings), np.nan)
    np.divide(areas * unclip_ratio, lengths, out=distances, where=lengths > 0)
    return distances


def _wide_enough(rings: Rings, distances: NDArray[np.float64], settings: DBPostprocessor) -> NDArray[np.intp]:
    """Return the indices of rings that can pass `min_text_width`, by a bound that is cheaper than growing them.

    The bounding box of a grown ring is an upper bound for its smallest rectangle, and the shorter side of a
    rectangle is at most the square root of its area.
    """
    measurable = np.isfinite(distances)
    if settings.text_repr_type != "quad":
        return np.flatnonzero(measurable)
    boxes = rings.bounding_boxes()
    # A moved vertex is rounded to a whole pixel; the small terms outweigh all rounding errors.
    margins = np.floor(np.maximum(distances, 0) + 0.5 + 1e-6)
    sides = boxes[:, 2:] - boxes[:, :2] + 2 * margins[:, None]
    return np.flatnonzero(measurable & (np.sqrt(sides.prod(axis=1)) * (1 + 1e-3) > settings.min_text_width))


def _mean_inside(prob_map: NDArray[np.float32], polygon: NDArray[np.int32], box: list[int]) -> float:
    """Return the mean of the map over the pixels inside a polygon and on its edges."""
    x_min, y_min, x_max, y_max = box
    mask = np.zeros((y_max - y_min + 1, x_max - x_min + 1), np.uint8)
    cv2.fillPoly(mask, [polygon], 1, offset=(-x_min, -y_min))
    return cv2.mean(prob_map[y_min : y_max + 1, x_min : x_max + 1], mask)[0]


def _outline(grown: NDArray[np.int32], settings: DBPostprocessor) -> NDArray[np.float64] | None:
    """Return the corners in the form asked for, or None where the instance is too small for it."""
    match settings.text_repr_type:
        case "quad":
            quad, width = min_area_quad(grown)
            wide = width > settings.min_text_width or (settings.width_inclusive and width == settings.min_text_width)
            return quad if wide else None
        case "poly":
            return grown.astype(np.float64) if len(grown) >= MIN_POLYGON_VERTICES else None
