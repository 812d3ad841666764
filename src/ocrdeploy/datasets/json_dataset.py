"""MMOCR 1.x's OCRDataset: one JSON file with the list `data_list`, for detection and recognition."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError
from ocrdeploy.metrics.polygons import in_one_piece, measure
from ocrdeploy.model_spec import FixInvalidPolygon, JsonDataset
from ocrdeploy.results import MIN_POLYGON_POINTS

from .icdar import read_document
from .parsing import require_text
from .samples import BrokenSample, DetectionTruth, Item, Sample
from .segmentation import make_truth, to_corners
from .sources import ImageRoot, image_root

_FIX = "An OCRDataset file of MMOCR 1.x is a JSON object with the list data_list, each with img_path and instances."


class _Instance(msgspec.Struct):
    text: Any = None
    polygon: list[float] | None = None
    bbox: tuple[float, float, float, float] | None = None
    ignore: bool = False


class _Entry(msgspec.Struct):
    img_path: Any
    instances: list[_Instance] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JsonSamples:
    """The images of an OCRDataset of MMOCR 1.x, in the file's order.

    Attributes:
        path: The file.
        root: Where the images are.
        entries: The list `data_list`.
        fix: What is done with polygons that cross themselves or have too few corners; None leaves them.
    """

    path: Path
    root: ImageRoot
    entries: list[object]
    fix: FixInvalidPolygon | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Item]:
        for index, entry in enumerate(self.entries):
            origin = f"{self.path}, data_list[{index}]"
            try:
                yield self._sample(entry, origin)
            except AnnotationError as error:
                yield BrokenSample(error)

    def _sample(self, value: object, origin: str) -> Sample:
        try:
            entry = msgspec.convert(value, _Entry)
        except (msgspec.ValidationError, UnicodeError) as error:
            raise AnnotationError(f"{origin}: {error}", _FIX) from error
        name = require_text(entry.img_path, "img_path", origin)
        return Sample(name, self.root.find(name), self._truth(entry.instances, origin), origin)

    def _truth(self, instances: list[_Instance] | None, origin: str) -> DetectionTruth | str | None:
        """Return polygons where the instances have them, else the text of the only instance."""
        if instances is None:
            return None
        if len(instances) == 1 and instances[0].polygon is None:
            return None if instances[0].text is None else require_text(instances[0].text, "text", origin)
        marked = (self._polygon(each, f"{origin}, instances[{index}]") for index, each in enumerate(instances))
        return make_truth(pair for pair in marked if pair is not None)

    def _polygon(self, instance: _Instance, origin: str) -> tuple[NDArray[np.float64], bool] | None:
        """Return an instance's corners and whether it is ignored; None where MMOCR takes it out."""
        numbers = instance.polygon
        if numbers is None:
            raise AnnotationError(f"{origin}: expected a polygon [x1, y1, x2, y2, ...], got none", _FIX)
        polygon = to_corners(numbers, origin)
        if self.fix is None:
            _require_corners(polygon, origin)
            return polygon, instance.ignore
        enough = len(polygon) >= self.fix.min_poly_points and shapely.Polygon(polygon).is_valid
        if self.fix.mode == "ignore":
            _require_corners(polygon, origin)
            return polygon, instance.ignore or not enough
        fixed = polygon if enough else _fixed(polygon, instance.bbox if self.fix.fix_from_bbox else None)
        return None if fixed is None else (fixed, instance.ignore)


def read_json_dataset(dataset: JsonDataset) -> JsonSamples:
    """Open an OCRDataset of MMOCR 1.x.

    An entry has `img_path` and `instances`: for detection each with `polygon`, `ignore` and `bbox`, for recognition
    one with `text`. Without `instances` a sample has no truth.

    Source: `OCRDataset` in `mmocr.datasets.ocr_dataset`, `LoadOCRAnnotations` and `FixInvalidPolygon` in
    `mmocr.datasets.transforms`, MMOCR v1.0.1.

    Raises:
        AnnotationError: The file is missing or is no such file.
    """
    path = Path(dataset.ann_file)
    entries = read_document(path).get("data_list")
    if not isinstance(entries, list) or not entries:
        raise AnnotationError(f"{path}: expected a list data_list that is not empty", _FIX)
    return JsonSamples(path, image_root(dataset.img_prefix), entries, dataset.fix_polygons)


def _require_corners(polygon: NDArray[np.float64], origin: str) -> None:
    """Raise AnnotationError for a polygon that has no inside."""
    if len(polygon) < MIN_POLYGON_POINTS:
        raise AnnotationError(
            f"{origin}: expected a polygon of at least {MIN_POLYGON_POINTS} corners, got {len(polygon)}", _FIX
        )


def _fixed(polygon: NDArray[np.float64], box: tuple[float, float, float, float] | None) -> NDArray[np.float64] | None:
    """Return what takes the place of a polygon: what a buffer of width zero makes of it, or else its box."""
    if len(polygon) < MIN_POLYGON_POINTS:
        return None
    (valid,) = in_one_piece(measure([polygon]).shapes)
    if isinstance(valid, shapely.Polygon) and not valid.is_empty:
        # MMOCR keeps the corner that closes the ring.
        return np.asarray(valid.exterior.coords, np.float64)
    if box is None:
        return None
    corners = np.array([(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])], np.float64)
    return corners if shapely.Polygon(corners).is_valid else None
