"""Words cut out of images."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Corners = NDArray[np.float64]

N_CORNERS = 4
STANDING_ANGLE = 70.0
"""Up to this many degrees from the horizontal the long side of a word is its line of writing.

Steeper boxes are taken as they stand: most are single narrow characters, or characters one below the other.
"""
MIN_ELONGATION = 1.2
"""How much longer than the short side a long side is; a box that is nearly square has none."""


def crop_word(image: Pixels, polygon: Corners) -> Pixels:
    """Cut a word out of an image, upright.

    A polygon of four corners is rectified by a perspective transformation; of any other, the rotated rectangle of
    least area around it is cut out. A word that is tilted comes out level. What lies outside the image repeats its
    edge.

    Args:
        image: H×W×3 uint8 BGR, or H×W uint8.
        polygon: Shape (K, 2), float64: the corners as (x, y) in pixels, in either direction of travel.

    Returns:
        h×w×3 uint8 BGR (or h×w), at least one pixel in each direction.
    """
    corners = upright_corners(polygon)
    longest = 2 * math.ceil(math.hypot(*image.shape[:2]))
    width, height = (min(max(1, round(length)), longest) for length in _size(corners))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    # From the crop to the image, which is defined for corners on one line as well. Corners are edges of pixels, and
    # OpenCV counts from the pixels' centres.
    transformation = cv2.getPerspectiveTransform(target - 0.5, corners.astype(np.float32) - 0.5)
    warped = cv2.warpPerspective(
        image,
        transformation,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, np.uint8)


def upright_corners(polygon: Corners) -> Corners:
    """Return the four corners of a word, from the top left one clockwise as it is read.

    Args:
        polygon: As for `crop_word`.

    Returns:
        Shape (4, 2), float64.
    """
    corners = polygon if len(polygon) == N_CORNERS else _around(polygon)
    # Clockwise on the screen, where y grows downwards: by angle, so that no side crosses another.
    offsets = corners - corners.mean(axis=0)
    corners = corners[np.argsort(np.arctan2(offsets[:, 1], offsets[:, 0]), kind="stable")]
    sides = np.roll(corners, -1, axis=0) - corners
    # The line of writing is the mean of two opposite sides, each taken along the first.
    first, second = (sides[0] - sides[2]) / 2, (sides[1] - sides[3]) / 2
    start = 0 if _is_line(first, second) else 1
    line = first if start == 0 else second
    if line[0] < 0:
        start += 2
    return np.asarray(np.roll(corners, -start, axis=0), np.float64)


def _is_line(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Tell whether the first of a box's two directions is its line of writing, and not the second."""
    lengths, tilts = zip(*((np.hypot(*side), _tilt(side)) for side in (first, second)), strict=True)
    for own, other in ((0, 1), (1, 0)):
        if lengths[own] > MIN_ELONGATION * lengths[other] and tilts[own] <= STANDING_ANGLE:
            return own == 0
    return bool(tilts[0] <= tilts[1])


def _tilt(side: NDArray[np.float64]) -> float:
    """Return the angle between a direction and the horizontal, 0 to 90 degrees."""
    return math.degrees(math.atan2(abs(side[1]), abs(side[0])))


def _around(polygon: Corners) -> Corners:
    """Return the corners of the rotated rectangle of least area around a polygon."""
    return np.asarray(cv2.boxPoints(cv2.minAreaRect(polygon.astype(np.float32))), np.float64)


def _size(corners: Corners) -> tuple[float, float]:
    """Return width and height: the longer of opposite sides, so that nothing is scaled down."""
    lengths = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    return float(max(lengths[0], lengths[2])), float(max(lengths[1], lengths[3]))
