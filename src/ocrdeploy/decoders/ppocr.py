"""PP-OCR's probability map to quadrilaterals: Differentiable Binarization as PaddleOCR and RapidOCR 3.10 decode it.

It is not `DBPostprocessor`: the map may be dilated first, a contour is replaced by the rectangle around it before it is
scored and grown, and corners are rounded to whole pixels of the image.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import cv2
import numpy as np
import pyclipper
import shapely
from msgspec import Meta
from numpy.typing import NDArray

from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import MAX_LENGTH, Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size
from ocrdeploy.tensors import TensorSpec

from .db import MAX_CANDIDATES, MAX_UNCLIP_RATIO
from .decoder import DecoderPart, MadeUp, Map, Outputs, made_up_maps
from .made_up import repeated

Corners = NDArray[np.float32]
GROWN_SIDE = 2
"""How much longer than `min_size` the shorter side of a grown rectangle is at least."""
MIN_SIDE = 3
"""Quadrilaterals in the image are longer than so many pixels, each way."""


class PPOCRPostprocessor(DecoderPart, frozen=True, tag="ppocr.DBPostProcess"):
    """PP-OCR's decoding of a probability map.

    `score_mode` "fast" scores the rectangle around a contour, "slow" the contour. `corner_order` says how the top left
    corner is found: by sorting the corners from left to right, as RapidOCR does (`sides`), or by the sums and
    differences of coordinates, as PaddleOCR does (`diagonals`); they differ for words turned by 45 to 60 degrees.
    """

    thresh: Share = 0.3
    box_thresh: Share = 0.5
    unclip_ratio: Annotated[float, Meta(ge=0, le=MAX_UNCLIP_RATIO)] = 1.6
    max_candidates: Annotated[int, Meta(ge=1, le=MAX_CANDIDATES)] = 1000
    dilation: bool = False
    score_mode: Literal["fast", "slow"] = "fast"
    min_size: Annotated[float, Meta(ge=0, le=MAX_LENGTH)] = 3
    corner_order: Literal["sides", "diagonals"] = "sides"

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Find the text of each image in its probability map, the first channel."""
        first = next(iter(outputs.values()))
        return [self._decode_one(maps[0], image) for maps, image in zip(first, images, strict=True)]

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return the probability map."""
        return (TensorSpec("prob_map", ("batch", 1, "height", "width"), "probability of text, 0 to 1"),)

    def maps(self, outputs: Outputs, /) -> dict[str, Map]:
        """Return the probability of text."""
        return {"probability of text": next(iter(outputs.values()))[0, 0]}

    def map_sizes(self, size: Size, /) -> tuple[Size, ...]:
        """Return the size of the map, which is the input's."""
        return (size,)

    def made_up(self, other: Self, _channels: int | None, /) -> MadeUp:
        """Yield maps of probabilities."""
        thresholds = (self.thresh, self.box_thresh, other.thresh, other.box_thresh)
        yield from made_up_maps(thresholds, 1, lambda found: repeated(found, 1))

    def _decode_one(self, prob_map: Map, image: Preprocessed) -> Result:
        """Find the text of one image, in pixels of the image that was given."""
        frame = image.frame
        found = decode_map(prob_map, self, image.original_shape if frame is None else frame.size)
        if frame is None:
            return found
        return [Detection(frame.to_original(item.polygon), item.score) for item in found]


def decode_map(prob_map: Map, settings: PPOCRPostprocessor, size: tuple[int, int]) -> list[Detection]:
    """Find the text instances of one image.

    Args:
        prob_map: Shape (H, W), float32, 0 to 1, finite: the probability of shrunken text of each pixel. Either
            dimension may be zero.
        settings: The thresholds.
        size: Height and width in pixels of the image, whose whole area the map shows.

    Returns:
        The text instances in OpenCV's order of contours: four corners each, whole numbers within the image, from the
        top left one clockwise.
    """
    if not prob_map.size:
        return []
    mask = (prob_map > np.float32(settings.thresh)).view(np.uint8)
    if settings.dilation:
        # The kernel's anchor is its last pixel: text grows to the right and downwards alone.
        mask = np.asarray(cv2.dilate(mask, np.ones((2, 2), np.uint8)), np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = (
        _detection(prob_map, np.asarray(contour, np.int32), settings, size)
        for contour in contours[: settings.max_candidates]
    )
    return [item for item in found if item is not None]


def _detection(
    prob_map: Map, contour: NDArray[np.int32], settings: PPOCRPostprocessor, size: tuple[int, int]
) -> Detection | None:
    """Return the text instance of a contour; None where it is too small or too uncertain."""
    corners, side = _rectangle(contour)
    if side < settings.min_size:
        return None
    score = _mean_inside(prob_map, corners if settings.score_mode == "fast" else contour.reshape(-1, 2))
    if settings.box_thresh > score:
        return None
    grown = _grown(corners, settings.unclip_ratio)
    if grown is None:
        return None
    corners, side = _rectangle(grown)
    if side < settings.min_size + GROWN_SIDE:
        return None
    height, width = prob_map.shape
    quad = np.empty((4, 2), np.float64)
    quad[:, 0] = np.clip(np.round(corners[:, 0] / width * size[1]), 0, size[1])
    quad[:, 1] = np.clip(np.round(corners[:, 1] / height * size[0]), 0, size[0])
    quad = _by_sides(quad) if settings.corner_order == "sides" else _by_diagonals(quad)
    quad = np.clip(quad, 0, (size[1] - 1, size[0] - 1))
    if min(int(np.linalg.norm(quad[0] - quad[1])), int(np.linalg.norm(quad[0] - quad[3]))) <= MIN_SIDE:
        return None
    return Detection(quad, score)


def _rectangle(points: NDArray[np.int32]) -> tuple[Corners, float]:
    """Return the corners of the smallest rectangle around points, from the top left one, and its shorter side.

    The corners go left top, right top, right bottom, left bottom, after the two leftmost and the two rightmost.
    """
    rectangle = cv2.minAreaRect(points)
    corners = cv2.boxPoints(rectangle)
    corners = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = corners[:2], corners[2:]
    top_left, bottom_left = left if left[1, 1] > left[0, 1] else left[::-1]
    top_right, bottom_right = right if right[1, 1] > right[0, 1] else right[::-1]
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32), min(rectangle[1])


def _mean_inside(prob_map: Map, polygon: NDArray[np.float32 | np.int32]) -> float:
    """Return the mean of the map over the pixels inside a polygon, whose corners are cut to whole pixels, and on it."""
    limits = np.array([prob_map.shape[1] - 1, prob_map.shape[0] - 1])
    low = np.clip(np.floor(polygon.min(axis=0)).astype(np.int32), 0, limits)
    high = np.clip(np.ceil(polygon.max(axis=0)).astype(np.int32), 0, limits)
    mask = np.zeros((high[1] - low[1] + 1, high[0] - low[0] + 1), np.uint8)
    cv2.fillPoly(mask, [(polygon - low.astype(polygon.dtype)).astype(np.int32)], 1)
    return cv2.mean(prob_map[low[1] : high[1] + 1, low[0] : high[0] + 1], mask)[0]


def _grown(corners: Corners, ratio: float) -> NDArray[np.int32] | None:
    """Return a rectangle grown by area * ratio / length, with round corners; None where nothing is left of it."""
    polygon = shapely.Polygon(corners)
    if not polygon.length:
        return None
    offset = pyclipper.PyclipperOffset()
    # Corners are cut to whole pixels, towards zero.
    offset.AddPath(corners.astype(np.int32).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    paths = offset.Execute(polygon.area * ratio / polygon.length)
    return np.concatenate([np.array(path, np.int32) for path in paths]) if paths else None


def _by_sides(quad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners from the top left one clockwise: of the two leftmost the upper, of the two rightmost the upper."""
    quad = quad[np.argsort(quad[:, 0])]
    left, right = quad[:2], quad[2:]
    left, right = left[np.argsort(left[:, 1])], right[np.argsort(right[:, 1])]
    return np.array([left[0], right[0], right[1], left[1]])


def _by_diagonals(quad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners from the top left one clockwise: that of the least sum, then those of least y - x and so on."""
    sums = quad.sum(axis=1)
    first, last = int(sums.argmin()), int(sums.argmax())
    others = np.delete(quad, (first, last), axis=0)
    differences = others[:, 1] - others[:, 0]
    return np.array([quad[first], others[differences.argmin()], quad[last], others[differences.argmax()]])
