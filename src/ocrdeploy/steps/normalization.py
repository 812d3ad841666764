"""What is done to each value alone: Normalize of mmdet 2.28.2, ToTensorOCR and NormalizeOCR of MMOCR 0.6.3.

Values are float32 with the channels first, C×...: the pixels of an image, or a table of what each of the 256 values of
a byte becomes. The arithmetic is that of MMOCR to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Numbers = tuple[float, ...]


def normalize(values: Values, mean: Numbers, std: Numbers) -> Values:
    """Subtract the mean in float32, multiply by 1 / std in float64, and round to float32 (`imnormalize` of mmcv).

    Args:
        values: C×..., on the scale 0 to 255, channels in the order of `mean`.
        mean: One number a channel, or one for all.
        std: Likewise.
    """
    factor = 1 / _column(std, values.ndim).astype(np.float64)
    return ((values - _column(mean, values.ndim)) * factor).astype(np.float32)


def scale_to_unit(values: Values) -> Values:
    """Divide by 255 in float32 (`to_tensor` of torchvision, which leaves what is not of bytes as it is)."""
    return values / np.float32(255)


def normalize_unit(values: Values, mean: Numbers, std: Numbers) -> Values:
    """Subtract the mean and divide by the standard deviation in float32 (`normalize` of torchvision).

    Args:
        values: C×..., on the scale 0 to 1, channels in the order of `mean`.
        mean: One number a channel, or one for all.
        std: Likewise.
    """
    return (values - _column(mean, values.ndim)) / _column(std, values.ndim)


def _column(numbers: Numbers, dimensions: int) -> Values:
    """Return numbers of the channels as float32 of shape C×1×...×1."""
    return np.array(numbers, np.float32).reshape(-1, *[1] * (dimensions - 1))
