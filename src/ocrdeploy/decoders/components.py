"""The connected parts of a mask: what the decoders of FCENet and TextSnake begin with."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The parts of a mask, numbered in the order in which OpenCV finds their contours.

    Attributes:
        labels: Shape (H, W), int32: the part of each pixel, from 1; 0 elsewhere.
        contours: The outer contour of each part, shape (n, 1, 2), as (x, y), in pixels of the mask.
    """

    labels: NDArray[np.int32]
    contours: tuple[NDArray[np.int32], ...]


def filled_components(mask: NDArray[np.bool_]) -> Components:
    """Fill the holes of a mask, and find its parts, whose pixels are joined by edges or corners.

    Without holes a part has one contour, and OpenCV fills that contour with the pixels of the part; so this is what
    MMOCR's `fill_hole`, `findContours` and `drawContours` give, without drawing a whole mask for each part.

    Args:
        mask: Shape (H, W).
    """
    if not mask.size:
        return Components(np.zeros(mask.shape, np.int32), ())
    filled = _without_holes(mask)
    contours, _ = cv2.findContours(filled, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    count, found = cv2.connectedComponents(filled, connectivity=8)
    order = np.zeros(count, np.int32)
    for number, contour in enumerate(contours):
        x, y = contour[0, 0]
        order[found[y, x]] = number + 1
    return Components(order[found], tuple(np.asarray(contour, np.int32) for contour in contours))


def _without_holes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a mask of 0 and 1, in which what cannot be reached from outside over edges of pixels is 1 too."""
    outside = np.pad(mask, 1).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.asarray(outside[1:-1, 1:-1] != 2, np.uint8)
