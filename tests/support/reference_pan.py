"""A plain, slow equivalent of mmcv's `pixel_group`: one queue, one pixel at a time."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

LEFT_RIGHT_UP_DOWN = ((0, -1), (0, 1), (-1, 0), (1, 0))


def kernel_contours(kernel_labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the pixels from which MMOCR lets kernels grow, shape (H, W): all contours of the kernels, holes too."""
    kernels = (kernel_labels > 0).astype(np.uint8)
    contours, _ = cv2.findContours(kernels, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros(kernels.shape, np.uint8)
    cv2.drawContours(canvas, contours, -1, 255)
    return canvas > 0


def pixel_group(
    text: NDArray[np.bool_],
    kernel_labels: NDArray[np.int32],
    embedding: NDArray[np.float32],
    max_distance: float,
    scores: NDArray[np.float32],
) -> tuple[NDArray[np.int32], list[float]]:
    """Grow kernels over the text whose embedding is near theirs.

    Args:
        text: Shape (H, W).
        kernel_labels: Shape (H, W): the kernels, from 1; 0 elsewhere.
        embedding: Shape (E, H, W).
        max_distance: At this distance from a kernel's mean embedding a pixel is too far.
        scores: Shape (H, W).

    Returns:
        The grown labels, shape (H, W), and the mean score of every label from 0 (whose mean is 0).
    """
    height, width = text.shape
    count = int(kernel_labels.max()) + 1
    means = [label_mean(kernel_labels, embedding, label) for label in range(count)]
    limit = np.float32(max_distance) * np.float32(max_distance)
    contours = kernel_contours(kernel_labels)
    labels = kernel_labels.copy()
    queue = deque((row, column) for row, column in np.argwhere(contours & (kernel_labels > 0)).tolist())
    while queue:
        row, column = queue.popleft()
        label = int(labels[row, column])
        for down, right in LEFT_RIGHT_UP_DOWN:
            next_row, next_column = row + down, column + right
            if not (0 <= next_row < height and 0 <= next_column < width):
                continue
            if not text[next_row, next_column] or labels[next_row, next_column]:
                continue
            if squared_distance(means[label], embedding[:, next_row, next_column]) >= limit:
                continue
            labels[next_row, next_column] = label
            queue.append((next_row, next_column))
    return labels, [float(label_mean(labels, scores[np.newaxis], label)[0]) for label in range(count)]


def label_mean(labels: NDArray[np.int32], maps: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """Return the mean of each map over a label's pixels, added up one after the other in float32."""
    total = np.zeros(len(maps), np.float32)
    pixels = np.argwhere(labels == label).tolist() if label else []
    for row, column in pixels:
        total = total + maps[:, row, column]
    return np.asarray(total / np.float32(max(len(pixels), 1)), np.float32)


def squared_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> np.float32:
    """Return the squared distance of two embeddings; each square is exact, each sum rounded to float32."""
    total = np.float32(0)
    for one, other in zip(first, second, strict=True):
        total = np.float32(float(total) + float(np.float32(one - other)) ** 2)
    return total
