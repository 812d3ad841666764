"""TextSnake's maps to polygons: disks along the centre line of a text.

S. Long et al., "TextSnake: A Flexible Representation for Detecting Text of Arbitrary Shapes", ECCV 2018; behaviour of
`TextSnakePostprocessor` of MMOCR 0.6.3 and 1.0.1, which decode alike.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import MAX_LENGTH, Area, Scaling, Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size
from ocrdeploy.tensors import TensorSpec

from .components import Components, filled_components
from .decoder import DecoderPart, MadeUp, Map, Outputs, decode_each, made_up_maps, scaled_size
from .made_up import logit
from .regions import check_maps, sigmoid
from .thinning import thin

CHANNELS = 5
"""Logits of text and of its centre, sine and cosine of the direction of the text, radius."""
STEP = 0.03
"""How far a point of a centre line moves at a time, as a part of the radius."""
SMALLEST_STEP = 0.01
"""Shorter steps are not gone, in pixels: a text would be less than a pixel high, and MMOCR walks for very long, or for
ever where the radius is 0."""
STEPS_AT_ONCE = 32
MIN_RADIUS = 1
"""Only larger disks are drawn."""
MIN_VERTICES = 5
"""Outlines with fewer vertices are left out, as in MMOCR (`contours[0].size > 8`)."""
MADE_UP_RADIUS = 10.0
"""Radius of made-up texts, in pixels of the map."""

Points = NDArray[np.intp]
Disks = NDArray[np.float64]
"""Shape (N, 4): x, y, radius, score."""


class TextSnakePostprocessor(DecoderPart, frozen=True, tag=True):
    """Disks along centre lines (Long et al., 2018).

    As in MMOCR, `min_text_region_confidence` has no influence.
    """

    min_text_region_confidence: Share = 0.6
    min_center_region_confidence: Share = 0.2
    min_center_area: Area = 30
    disk_overlap_thr: Annotated[float, Meta(ge=0, le=MAX_LENGTH)] = 0.03
    radius_shrink_ratio: Annotated[float, Meta(ge=0, le=MAX_LENGTH)] = 1.03
    downsample_ratio: Scaling = 1.0

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Find the text of each image in its maps."""
        return decode_each(outputs, images, self.downsample_ratio, lambda maps: decode_textsnake(maps, self))

    def expects(self) -> tuple[TensorSpec, ...]:
        """Return the five maps."""
        return (textsnake_maps(("batch", CHANNELS, "height", "width")),)

    def maps(self, outputs: Outputs, /) -> dict[str, Map]:
        """Return the probabilities of text and of its centre."""
        text, centre = sigmoid(next(iter(outputs.values()))[0, :2])
        return {"probability of text": text, "probability of its centre": centre}

    def map_sizes(self, size: Size, /) -> tuple[Size, ...]:
        """Return the size of the maps."""
        return (scaled_size(size, self.downsample_ratio),)

    def made_up(self, other: Self, _channels: int | None, /) -> MadeUp:
        """Yield maps of level text, whose centres are rectangles."""
        thresholds = self.min_center_region_confidence, other.min_center_region_confidence
        yield from made_up_maps(thresholds, self.downsample_ratio, _level_text)


def textsnake_maps(shape: tuple[int | str, ...]) -> TensorSpec:
    """Return the output N×5×H×W of a network with TextSnake's head."""
    meaning = "channels: logits of text and of its centre, sine and cosine of its direction, radius in pixels"
    return TensorSpec("maps", shape, meaning)


def decode_textsnake(maps: Map, settings: TextSnakePostprocessor) -> list[Detection]:
    """Find the text instances of one image.

    Where the probability of text times that of its centre is above `min_center_region_confidence`, pixels are joined to
    parts, holes filled. Each part that is large enough is an instance: it is thinned to a line, whose points move to
    the middle of the part at right angles to the text; disks of the predicted radius around them are merged where their
    centres are near, and what they cover is the text. Its score is the mean probability of text there.

    Args:
        maps: Shape (C, H, W), C >= 5, float32, finite: logits of text and of its centre, sine and cosine of the
            direction of the text, radius in pixels. They are not modified.
        settings: Thresholds.

    Returns:
        The instances in MMOCR's order; polygons in pixels of the map, pixel centres being integers.

    Raises:
        ShapeError: The maps have another shape.
    """
    maps = check_maps(maps, CHANNELS, "text, centre, sine, cosine, radius")
    text, centre = sigmoid(maps[:2])
    centre *= text
    parts = filled_components(centre > np.float32(settings.min_center_region_confidence))
    points = [*_lines(parts, settings.min_center_area)]
    if not points:
        return []
    middles = _centred(np.concatenate(points), maps[2:], parts.labels)
    rows, columns = middles.T
    radii = maps[4, rows, columns] * np.float32(settings.radius_shrink_ratio)
    disks = np.stack([columns, rows, radii, centre[rows, columns]], axis=1, dtype=np.float64)
    found = []
    for each in np.split(disks, np.cumsum([len(line) for line in points[:-1]])):
        detection = _covered(_merged(each, settings.disk_overlap_thr), text)
        if detection is not None:
            found.append(detection)
    return found


def _lines(parts: Components, min_area: int) -> Iterator[Points]:
    """Yield the points (row, column), shape (N, 2), of the line to which each part that is large enough is thinned."""
    for number, contour in enumerate(parts.contours):
        if cv2.contourArea(contour) < min_area:
            continue
        left, top, width, height = cv2.boundingRect(contour)
        line = thin(parts.labels[top : top + height, left : left + width] == number + 1)
        points = np.argwhere(line) + np.array((top, left))
        if len(points):
            yield points


def _centred(points: Points, geometry: Map, labels: NDArray[np.int32]) -> Points:
    """Move points (row, column) to the middle of their part, at right angles to the text; shape (N, 2).

    Args:
        points: Shape (N, 2).
        geometry: Shape (3, H, W): sine, cosine, radius.
        labels: Shape (H, W): the part of each pixel.
    """
    sine, cosine, radius = geometry[:, points[:, 0], points[:, 1]]
    with np.errstate(over="ignore"):  # the directions of an untrained network may be of any length
        scale = np.sqrt(1 / (sine**2 + cosine**2 + np.float32(1e-8)))
    steps = np.float32(STEP) * radius[:, np.newaxis] * np.stack([cosine * scale, -(sine * scale)], axis=1)
    edges = _edge(points, steps, labels) + _edge(points, -steps, labels)
    return np.asarray(np.trunc(edges * 0.5), np.intp)


def _edge(points: Points, steps: Map, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return where points (row, column) are after as many steps as they can go in their part; shape (N, 2)."""
    height, width = labels.shape
    owners = labels[points[:, 0], points[:, 1]]
    places = points.astype(np.float64)
    going = np.flatnonzero(np.abs(steps).max(axis=1) >= SMALLEST_STEP)
    while len(going):
        # Added one by one, as in MMOCR: on the edge of a pixel the last bit decides.
        path = np.repeat(steps[np.newaxis, going].astype(np.float64), STEPS_AT_ONCE + 1, axis=0)
        path[0] = places[going]
        path = np.add.accumulate(path)
        rows, columns = np.trunc(np.clip(path[1:], -1, max(height, width))).astype(np.intp).transpose(2, 0, 1)
        # Column 0 is outside for MMOCR.
        inside = (rows >= 0) & (rows < height) & (columns > 0) & (columns < width)
        inside &= labels[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)] == owners[going]
        gone = np.logical_and.accumulate(inside).sum(axis=0)
        places[going] = path[gone, np.arange(len(going))]
        going = going[gone == STEPS_AT_ONCE]
    return places


def _merged(disks: Disks, overlap: float) -> Disks:
    """Replace each disk, by descending score, and those whose centres are near, by their mean."""
    left = disks[np.argsort(disks[:, 3], kind="stable")[::-1]]
    merged = []
    while len(left):
        distances = np.sqrt(((left[:, :2] - left[0, :2]) ** 2).sum(axis=1))
        near = distances <= (left[:, 2] + left[0, 2]) * overlap
        near[0] = True
        merged.append(left[near].mean(axis=0))
        left = left[~near]
    return np.array(merged)


def _covered(disks: Disks, text: Map) -> Detection | None:
    """Return the outline of what disks cover, with the mean probability of text there; None where it is too little."""
    height, width = text.shape
    drawn = disks[disks[:, 2] > MIN_RADIUS, :3]
    if not len(drawn):
        return None
    whole = np.trunc(np.minimum(drawn, (width, height, height + width))).astype(np.intp)
    centres, radii = whole[:, :2], whole[:, 2:]
    left, top = np.maximum((centres - radii).min(axis=0), 0).tolist()
    right, bottom = np.minimum((centres + radii).max(axis=0) + 1, (width, height)).tolist()
    mask = np.zeros((bottom - top, right - left), np.uint8)
    for x, y, radius in whole.tolist():
        cv2.circle(mask, (x - left, y - top), radius, 1, cv2.FILLED)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    outline = contours[0].reshape(-1, 2)
    if len(outline) < MIN_VERTICES or cv2.contourArea(outline) <= 0:
        return None
    score = cv2.mean(text[top:bottom, left:right], mask)[0]
    return Detection(outline.astype(np.float64), score)


def _level_text(probabilities: Map) -> Map:
    """Return maps 1×5×H×W of level text, whose centres have these probabilities times that of text."""
    maps = np.zeros((1, CHANNELS, *probabilities.shape), np.float32)
    maps[0, :2] = logit(np.sqrt(probabilities))
    maps[0, 3] = 1
    maps[0, 4] = MADE_UP_RADIUS
    return maps
