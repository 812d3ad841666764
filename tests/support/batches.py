"""Arrays as what networks are given, and as the prepared images that such a batch is made of."""

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.backends import Batch
from ocrdeploy.steps import Preprocessed

Array = NDArray[np.float32]


def batch_of(images: Array, name: str = "input") -> Batch:
    """Return images as the batch of a network that takes nothing else."""
    return {name: images}


def images_of(batch: Batch) -> Array:
    """Return the images of a batch, which is what has four dimensions."""
    (images,) = (array for array in batch.values() if array.ndim == 4)
    return images


def prepared_of(images: Array) -> list[Preprocessed]:
    """Return images N×C×H×W as what a pipeline would have made them, without padding."""
    size = images.shape[2], images.shape[3]
    return [Preprocessed(image, None, None, size, size) for image in images]
