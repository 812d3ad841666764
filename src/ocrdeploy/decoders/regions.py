"""What the decoders of PSENet and PANet share: growing kernels over the text, and outlining the regions that result.

Both networks predict small kernels, one a text instance, and their decoders grow each kernel pixel by pixel until the
text ends or another kernel is met. MMOCR does so with a queue (mmcv's compiled `contour_expand` and `pixel_group`),
so that of the kernels that could take a pixel the first in the queue's order has it. Here a whole generation of the
queue is one array step, and generations stay in queue order, so that every tie falls as in MMOCR.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.results import Detection

from .decoder import TextRepr

MIN_VERTICES = 4
"""MMOCR drops outlines with fewer vertices (`points2boundary`: fewer than eight numbers, the score being one)."""

NO_CLAIM = np.iinfo(np.intp).max
"""Above every rank of a claim."""

Acceptance = Callable[[NDArray[np.int32], NDArray[np.intp]], NDArray[np.bool_]]
ScoreOf = Callable[[int, NDArray[np.int32]], float]


def check_maps(logits: NDArray[np.float32], min_channels: int, channels: str) -> NDArray[np.float32]:
    """Return the maps of one image as float32, without copying what is float32 already.

    Args:
        logits: Shape (C, H, W): raw outputs of the network for one image.
        min_channels: How many channels the decoder needs at least.
        channels: What these channels are, for the error message.

    Raises:
        ShapeError: The array has other dimensions, too few channels, or no pixels.
    """
    if logits.ndim != 3 or logits.shape[0] < min_channels or 0 in logits.shape:
        raise ShapeError(
            f"expected maps of one image of shape C x H x W with at least {min_channels} channels ({channels}), "
            f"got shape {tuple(logits.shape)}",
            "Check that the spec's post-processing belongs to this network.",
        )
    return np.asarray(logits, np.float32)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-x)) of every element, float32, of the same shape; the input stays as it is."""
    result = np.negative(logits)
    with np.errstate(over="ignore"):  # exp overflows to infinity below -88, and 1 / infinity is the 0 that is meant
        np.exp(result, out=result)
    result += np.float32(1)
    return np.reciprocal(result, out=result)


def grow(
    kernel_labels: NDArray[np.int32],
    text: NDArray[np.bool_],
    accepts: Acceptance | None = None,
) -> NDArray[np.int32]:
    """Grow labelled kernels over the text until nothing more can be reached.

    All kernels grow at once, by one of four neighbours in every round; a pixel takes the label that claims it first.
    The pixels of a round have their turns in the order in which they were claimed themselves, those of the kernels
    row by row. So the pixels of a round are always sorted by the kernel pixel that they stem from, and the order in
    which each looks at its neighbours, in which mmcv's two operators differ, has no influence on the labels.

    Args:
        kernel_labels: Shape (H, W): the kernels, from 1; 0 elsewhere.
        text: Shape (H, W): the pixels that may be claimed. Kernels keep their pixels.
        accepts: What is asked of every claim besides: takes the labels that claim and the indices (row * W + column)
            of the claimed pixels, both of shape (M,), and tells which claims hold. A pixel that is denied to one label
            stays open to the others.

    Returns:
        Shape (H, W): the grown kernels; 0 elsewhere.
    """
    height, width = text.shape
    # In a frame of closed pixels, laid out flat, neighbours lie at constant distances and no claim leaves the map.
    labels = np.pad(kernel_labels, 1).ravel()
    free = np.pad(text, 1).ravel() & (labels == 0)
    steps = np.array([-(width + 2), width + 2, -1, 1], np.intp)
    first_claim = np.full(len(labels), NO_CLAIM, np.intp)
    queue = np.flatnonzero(labels)
    queue = queue[free.take(queue[:, np.newaxis] + steps).any(axis=1)]
    while len(queue):
        reached = (queue[:, np.newaxis] + steps).ravel()
        claims = np.flatnonzero(free.take(reached))
        targets = reached.take(claims)
        claimants = labels.take(queue.take(claims // len(steps)))
        if accepts is not None:
            rows, columns = np.divmod(targets, width + 2)
            held = accepts(claimants, (rows - 1) * width + columns - 1)
            targets, claimants = targets[held], claimants[held]
        # A claimed pixel is never free again, so the entries written here are not met in another round.
        ranks = np.arange(len(targets))
        np.minimum.at(first_claim, targets, ranks)
        won = first_claim.take(targets) == ranks
        queue = targets[won]
        labels[queue] = claimants[won]
        free[queue] = False
    return np.ascontiguousarray(labels.reshape(height + 2, width + 2)[1:-1, 1:-1])


def detect_regions(
    labels: NDArray[np.int32],
    score_of: ScoreOf,
    min_area: int,
    min_score: float,
    text_repr_type: TextRepr,
    *,
    either: bool = False,
) -> list[Detection]:
    """Return the regions that are large and certain enough, outlined.

    Args:
        labels: Shape (H, W): the regions, from 1; 0 elsewhere.
        score_of: Gives the score, 0 to 1, of a label with its pixels, shape (N, 2), as (x, y).
        min_area: Regions with fewer pixels are left out.
        min_score: So are regions whose score is not above it.
        text_repr_type: Which outline; see `region_polygon`, whose refusals are left out too.
        either: Keep regions that are large or certain, and do not ask for both.

    Returns:
        The regions in the order of their labels; polygons in pixels of the map, pixel centres being integers.
    """
    detections = []
    for label, points in regions(labels):
        large = len(points) >= min_area
        if not (large or either):
            continue
        score = score_of(label, points)
        if (score > min_score or (large and either)) and (
            polygon := region_polygon(points, text_repr_type)
        ) is not None:
            detections.append(Detection(polygon, score))
    return detections


def regions(labels: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Yield every label above 0 that occurs, in ascending order, with its pixels.

    Args:
        labels: Shape (H, W).

    Yields:
        The label and its pixels, shape (N, 2), as (x, y), row by row.
    """
    flat = labels.ravel()
    pixels = np.flatnonzero(flat)
    values = flat.take(pixels)
    if not len(values):
        return
    # Stable sorting of 16-bit integers is a radix sort, ten times as fast as that of wider ones.
    keys = values.astype(np.uint16) if values.max() <= np.iinfo(np.uint16).max else values
    order = np.argsort(keys, kind="stable")
    rows, columns = np.divmod(pixels.take(order), labels.shape[1])
    points = np.stack([columns, rows], axis=1).astype(np.int32)
    ordered = values.take(order)
    ends = [*(np.flatnonzero(np.diff(ordered)) + 1).tolist(), len(ordered)]
    start = 0
    for end in ends:
        yield int(ordered[start]), points[start:end]
        start = end


def region_polygon(points: NDArray[np.int32], text_repr_type: TextRepr) -> NDArray[np.float64] | None:
    """Outline a region: MMOCR's `mmocr.core.mask.points2boundary` with its default `min_width`.

    A quad is the rectangle of least area around the pixel centres; it may have no area. A poly is the region's outer
    contour through the pixel centres, straight runs reduced to their ends. Regions that grew over edges of pixels have
    one outer contour. Of a set of points that has several, the one is taken whose first pixel, row by
    row, comes last: it is the first that OpenCV lists, which is what MMOCR takes.

    Args:
        points: Shape (N, 2), N >= 1: pixels as (x, y).
        text_repr_type: Which outline.

    Returns:
        Shape (K, 2): vertices in pixels of the map, K = 4 for a quad; None for a poly of fewer than four vertices.
    """
    match text_repr_type:
        case "quad":
            return np.asarray(cv2.boxPoints(cv2.minAreaRect(points)), np.float64)
        case "poly":
            contour = _outer_contour(points)
            return contour.astype(np.float64) if len(contour) >= MIN_VERTICES else None


def _outer_contour(points: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the outer contour, shape (K, 2), of a set of pixels (x, y)."""
    left, top, width, height = cv2.boundingRect(points)
    mask = np.zeros((height, width), np.uint8)
    mask[points[:, 1] - top, points[:, 0] - left] = 1
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    return np.asarray(contours[0], np.int32).reshape(-1, 2)
