"""Words cut out for a recogniser: from four corners as PP-OCR does it, and straightened from curved outlines."""

import cv2
import numpy as np

from .cropping import N_CORNERS, Corners, Pixels, upright_corners

TALL = 1.5
"""From this height over width on a crop is turned: its line of writing stands upright."""
OUTLINE_POINTS = 64
"""Points at equal distances to which the outline of a curved word is brought; even."""


def cut_out(image: Pixels, polygon: Corners, *, ordered: bool = False) -> Pixels:
    """Cut a word out of an image, level, as a recogniser takes it.

    A word of four corners is rectified as PP-OCR does (RapidOCR 3.10, `get_rotate_crop_image`): to the longer of each
    two opposite sides, and turned counter-clockwise where it is one and a half times as high as wide. A word of more
    corners is straightened along its middle.

    Args:
        image: H×W×3 uint8 BGR, or H×W uint8.
        polygon: Shape (K, 2), float64: the corners as (x, y) in pixels.
        ordered: Whether four corners go from the top left one clockwise as the word is read; if not, they are put so.

    Returns:
        h×w×3 uint8 BGR (or h×w), at least one pixel in each direction.
    """
    if len(polygon) != N_CORNERS:
        return straighten(image, polygon)
    corners = (polygon if ordered else upright_corners(polygon)).astype(np.float32)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    longest = 2 * sum(image.shape[:2])
    width = min(max(1, int(max(sides[0], sides[2]))), longest)
    height = min(max(1, int(max(sides[1], sides[3]))), longest)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    crop = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(corners, target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(np.rot90(crop) if height / width >= TALL else crop, np.uint8)


def straighten(image: Pixels, polygon: Corners) -> Pixels:
    """Cut a word with a curved outline out of an image, with its middle as a straight line.

    The outline is brought to points at equal distances. The word's ends are where cutting the outline gives two sides
    that are closest to each other on the whole; the picture is drawn between these.

    Args:
        image: H×W×3 uint8 BGR, or H×W uint8.
        polygon: Shape (K, 2), float64, K >= 3: the outline as (x, y) in pixels.

    Returns:
        h×w×3 uint8 BGR (or h×w), at least one pixel in each direction.
    """
    upper, lower = _sides(_resampled(polygon, OUTLINE_POINTS))
    middle = (upper + lower) / 2
    steps = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    longest = 2 * sum(image.shape[:2])
    width = min(max(1, round(float(steps.sum()))), longest)
    height = min(max(1, round(float(np.linalg.norm(upper - lower, axis=1).mean()))), longest)
    places = np.concatenate([[0.0], np.cumsum(steps)])
    columns = (np.arange(width) + 0.5) / width * places[-1]
    top, bottom = (
        np.stack([np.interp(columns, places, side[:, axis]) for axis in (0, 1)], axis=-1) for side in (upper, lower)
    )
    share = ((np.arange(height) + 0.5) / height)[:, None, None]
    grid = (top[None] * (1 - share) + bottom[None] * share - 0.5).astype(np.float32)
    crop = cv2.remap(image, grid[..., 0], grid[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8).reshape(height, width, *image.shape[2:])


def _resampled(polygon: Corners, count: int) -> Corners:
    """Return points of an outline at equal distances along it."""
    closed = np.vstack([polygon, polygon[:1]])
    lengths = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    places = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = np.arange(count) / count * places[-1]
    return np.stack([np.interp(wanted, places, closed[:, axis]) for axis in (0, 1)], axis=-1)


def _sides(outline: Corners) -> tuple[Corners, Corners]:
    """Return the upper and the lower side of a word, each from its beginning to its end."""
    count = len(outline) // 2
    starts = np.arange(len(outline))[:, None]
    there, back = (starts + np.arange(count)) % len(outline), (starts - 1 - np.arange(count)) % len(outline)
    distances = np.linalg.norm(outline[there] - outline[back], axis=2).mean(axis=1)
    best = int(distances.argmin())
    first, second = outline[there[best]], outline[back[best]]
    middle = (first + second) / 2
    if middle[-1, 0] < middle[0, 0]:
        first, second, middle = first[::-1], second[::-1], middle[::-1]
    # Where y grows downwards, what lies to the left of the way is above it.
    way, across = np.gradient(middle, axis=0), first - second
    is_above = float((way[:, 0] * across[:, 1] - way[:, 1] * across[:, 0]).sum()) < 0
    return (first, second) if is_above else (second, first)
