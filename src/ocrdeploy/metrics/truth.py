"""What is known to be in an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import MIN_POLYGON_POINTS


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTruth:
    """The text instances of one image.

    Attributes:
        polygons: The instances that a detector has to find: shape (K, 2) each, float64, K >= 3, the corners as
            (x, y) in pixels of the original image. Their order decides which one a prediction is matched with.
        ignored: The instances that count neither as found nor as missed, in the same form.

    Raises:
        ValueError: A polygon has another shape, or a number is not finite.
    """

    polygons: tuple[NDArray[np.float64], ...] = ()
    ignored: tuple[NDArray[np.float64], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no polygon."""
        for polygon in self.polygons + self.ignored:
            if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < MIN_POLYGON_POINTS:
                raise ValueError(f"a polygon has shape (K, 2) with K >= {MIN_POLYGON_POINTS}, not {polygon.shape}")
            if not np.isfinite(polygon).all():
                raise ValueError("a polygon's corners are finite numbers")
