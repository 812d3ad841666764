"""Which places of a word's features belong to the word, and not to the padding beside it."""

import torch
from torch import Tensor

MASKED = -1e4
"""Score of what attention must not see. Its exponential is exactly 0 beside any other score, as that of minus infinity;
but it is finite in float16 too, and a word without a single place gives no NaN."""


def valid_places(valid_ratio: Tensor, width: int, places: int) -> Tensor:
    """Return which of the places from left to right belong to the word; at least the first one does.

    MMOCR takes the first `ceil(places * valid_ratio)`, in float64, where `valid_ratio` is a number of pixels divided by
    the image's width. Of a float32 `valid_ratio` the product is often beside the whole number that it should be, so the
    pixels are found again and divided in float64. TensorRT has no float64: there one of some 800 widths that end where
    a place ends gets one place more or less.

    Args:
        valid_ratio: The part of each image's width that is word, N, float32, 0 to 1.
        width: Width of the images in pixels.
        places: How many places there are across the width.

    Returns:
        N×places, bool.
    """
    pixels = (valid_ratio * width).round().double()
    counts = (pixels / width * places).ceil().clamp(min=1)
    return torch.arange(places, device=valid_ratio.device) < counts[:, None]
