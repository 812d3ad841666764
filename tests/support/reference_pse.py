"""A plain, slow equivalent of mmcv's `contour_expand`: one queue, one pixel at a time."""

from collections import Counter, deque

import numpy as np
from numpy.typing import NDArray

UP_DOWN_LEFT_RIGHT = ((-1, 0), (1, 0), (0, -1), (0, 1))


def contour_expand(
    kernels: NDArray[np.bool_], kernel_labels: NDArray[np.int32], min_kernel_area: int
) -> NDArray[np.int32]:
    """Grow the labels of the smallest kernel.

    All turns of the loop over kernels are here, as in mmcv, and each reads the largest kernel, as in mmcv; so this
    shows too that the turns after the first change nothing.

    Args:
        kernels: Shape (C, H, W), largest first.
        kernel_labels: Shape (H, W): instances in the smallest kernel, from 1; 0 elsewhere.
        min_kernel_area: Instances with fewer pixels are left out.
    """
    height, width = kernel_labels.shape
    areas = Counter(kernel_labels.ravel().tolist())
    labels = [[0] * width for _ in range(height)]
    queue: deque[tuple[int, int]] = deque()
    for row in range(height):
        for column in range(width):
            label = int(kernel_labels[row, column])
            if label and areas[label] >= min_kernel_area:
                labels[row][column] = label
                queue.append((row, column))
    for _ in range(len(kernels) - 1):
        idle: deque[tuple[int, int]] = deque()
        while queue:
            row, column = queue.popleft()
            claimed_any = False
            for down, right in UP_DOWN_LEFT_RIGHT:
                next_row, next_column = row + down, column + right
                if not (0 <= next_row < height and 0 <= next_column < width):
                    continue
                if kernels[0, next_row, next_column] and not labels[next_row][next_column]:
                    labels[next_row][next_column] = labels[row][column]
                    queue.append((next_row, next_column))
                    claimed_any = True
            if not claimed_any:
                idle.append((row, column))
        queue = idle
    return np.array(labels, np.int32)
