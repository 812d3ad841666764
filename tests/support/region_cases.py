"""Small random maps that are hard on region growing: ragged, touching, tied and cut off by the border."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

BLURS = (0.0, 0.7, 1.5, 3.0)


@dataclass(frozen=True)
class ExpandCase:
    """What `contour_expand` is given."""

    kernels: NDArray[np.bool_]
    kernel_labels: NDArray[np.int32]
    min_kernel_area: int


@dataclass(frozen=True)
class GroupCase:
    """What `pixel_group` is given."""

    text: NDArray[np.bool_]
    kernel_labels: NDArray[np.int32]
    embedding: NDArray[np.float32]
    max_distance: float
    scores: NDArray[np.float32]


def expand_case(rng: np.random.Generator, max_size: int) -> ExpandCase:
    """Draw one to seven kernels, nested or each for itself."""
    height, width, count = rng.integers(1, (max_size + 1, max_size + 1, 8)).tolist()
    blur = float(rng.choice(BLURS))
    if rng.random() < 0.5:
        landscape = hills(rng, height, width, blur)
        kernels = np.stack([landscape > level for level in np.sort(rng.uniform(-1.5, 2, count))])
    else:
        kernels = np.stack([hills(rng, height, width, blur) > level for level in np.sort(rng.uniform(-2, 1.5, count))])
    kernels &= kernels[0].copy()
    return ExpandCase(kernels, parts(kernels[-1]), int(rng.choice([0, 0, 1, 2, 3, 5])))


def group_case(rng: np.random.Generator, max_size: int) -> GroupCase:
    """Draw text, kernels and an embedding, which in a third of the cases lies at the limit again and again."""
    height, width = rng.integers(1, max_size + 1, 2).tolist()
    blur = float(rng.choice(BLURS))
    text = hills(rng, height, width, blur) > rng.uniform(-2, 1)
    kernel = (hills(rng, height, width, blur) > rng.uniform(-1, 1.5)) & text
    channels = int(rng.choice([1, 2, 4, 4]))
    embedding = rng.normal(0, rng.choice([0.1, 0.3, 0.5, 1.0]), (channels, height, width))
    if rng.random() < 1 / 3:
        embedding = np.round(embedding * 2) / 2
    return GroupCase(
        text,
        parts(kernel),
        embedding.astype(np.float16).astype(np.float32),
        float(rng.choice([0.25, 0.5, 0.85, 1.0, 2.0])),
        rng.random((height, width), np.float32).astype(np.float16).astype(np.float32),
    )


def hills(rng: np.random.Generator, height: int, width: int, blur: float) -> NDArray[np.float32]:
    """Return noise, blurred, with a spread of about one."""
    noise = rng.normal(size=(height, width)).astype(np.float32)
    if not blur:
        return noise
    blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32).reshape(height, width)
    return np.asarray(blurred / max(float(blurred.std()), 1e-6), np.float32)


def parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the connected parts (four neighbours) of a mask, numbered from 1."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return np.asarray(labels, np.int32)
