"""Record what scikit-image 0.24.0 thins random masks to, into tests/data/thinning.

To be run from the checkout in an interpreter that holds scikit-image:

    PYTHONPATH=. /path/to/reference/bin/python tests/support/record_thinning.py
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

FILE = Path(__file__).parents[1] / "data" / "thinning" / "masks.npz"
CASES = 200
MAX_SIZE = 40


def mask(rng: np.random.Generator, number: int) -> NDArray[np.bool_]:
    """Return a mask of single pixels or, two times of three, of blobs."""
    noise = rng.random(rng.integers(1, MAX_SIZE + 1, 2))
    if number % 3 == 0:
        return np.asarray(noise < rng.uniform(0.05, 0.98))
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 4)) > 0.5)


def main() -> None:
    """Write shapes, and the bits of all masks and lines."""
    rng = np.random.default_rng(0)
    masks = [mask(rng, number) for number in range(CASES)]
    lines = [skeletonize(each) for each in masks]
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        FILE,
        shapes=np.array([each.shape for each in masks], np.uint8),
        masks=np.packbits(np.concatenate([each.ravel() for each in masks])),
        lines=np.packbits(np.concatenate([each.ravel() for each in lines])),
    )


if __name__ == "__main__":
    main()
