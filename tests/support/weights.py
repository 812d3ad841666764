"""Weights that anyone can make again from a seed, so that full-size networks need no files."""

import zlib
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray


def seeded_array(key: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Return the array of one state-dict key, drawn from a generator seeded with the key's name."""
    rng = np.random.RandomState(zlib.crc32(f"{seed}:{key}".encode()))
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.float32)
    if key.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if key.endswith(("running_mean", "bias")) or "bias_" in key:
        return rng.normal(0, 0.05, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    weights: NDArray[np.float32] = (rng.normal(0, 1, shape) * np.sqrt(1 / np.prod(shape[1:]))).astype(np.float32)
    return weights


def seeded_arrays(shapes: Iterable[tuple[str, tuple[int, ...]]], seed: int) -> Mapping[str, NDArray[np.float32]]:
    """Return an array for each (key, shape)."""
    return {key: seeded_array(key, tuple(shape), seed) for key, shape in shapes}
