"""Reading recorded cases."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.metrics import DetectionTruth
from ocrdeploy.results import Detection


def read_json(path: Path) -> Any:
    """Read JSON, packed with gzip if the name says so."""
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def as_polygon(numbers: list[float]) -> NDArray[np.float64]:
    """Return `[x1, y1, x2, y2, ...]` as an array of shape (K, 2)."""
    return np.array(numbers, np.float64).reshape(-1, 2)


def as_truth(image: Any) -> DetectionTruth:
    """Return the truth of a recorded image."""
    return DetectionTruth(tuple(map(as_polygon, image["gt"])), tuple(map(as_polygon, image["ignored"])))


def as_detections(boundaries: list[list[float]]) -> list[Detection]:
    """Return MMOCR's `[x1, y1, ..., score]` lists as detections."""
    return [Detection(as_polygon(boundary[:-1]), boundary[-1]) for boundary in boundaries]
