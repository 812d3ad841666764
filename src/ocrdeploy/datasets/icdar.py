"""MMOCR's IcdarDataset: text detection in one COCO-like JSON file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError, warn
from ocrdeploy.model_spec import IcdarDataset

from .parsing import parse_json, require_text
from .samples import BrokenSample, Item, Sample
from .segmentation import first_polygon, make_truth
from .sources import ImageRoot, image_root
from .text_lines import check_regular, unreadable

T = TypeVar("T")
_Id = int | float | str
_Flag = bool | int | float | None
_FIX = "An IcdarDataset file is a JSON object with the lists images, annotations and categories."


class _Category(msgspec.Struct):
    id: _Id
    name: str


class _Keyed(msgspec.Struct):
    id: _Id


class _Owned(msgspec.Struct):
    id: _Id
    image_id: _Id


class _Image(msgspec.Struct):
    file_name: str


class _Exclusion(msgspec.Struct):
    ignore: _Flag = None


class _Annotation(msgspec.Struct):
    category_id: _Id
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: _Flag = None
    segmentation: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class IcdarSamples:
    """The images of a COCO-like file, in its order.

    Attributes:
        path: The file.
        root: Where the images are.
        images: The entries of `images`, by id.
        annotations: The entries of `annotations`, by image id, in the file's order.
        category_ids: The categories that count.
    """

    path: Path
    root: ImageRoot
    images: dict[_Id, object]
    annotations: dict[_Id, list[tuple[_Id, object]]]
    category_ids: frozenset[_Id]

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Item]:
        for image_id, entry in self.images.items():
            origin = f"{self.path}, image {image_id!r}"
            try:
                name = require_text(_convert(entry, _Image, origin).file_name, "file_name", origin)
                yield Sample(name, self.root.find(name), make_truth(self._polygons(image_id)), origin)
            except AnnotationError as error:
                yield BrokenSample(error)

    def _polygons(self, image_id: _Id) -> Iterator[tuple[NDArray[np.float64], bool]]:
        for annotation_id, entry in self.annotations.get(image_id, []):
            origin = f"{self.path}, annotation {annotation_id!r}"
            if _convert(entry, _Exclusion, origin).ignore:
                continue
            annotation = _convert(entry, _Annotation, origin)
            width, height = annotation.bbox[2:]
            if annotation.area <= 0 or width < 1 or height < 1 or annotation.category_id not in self.category_ids:
                continue
            yield first_polygon(annotation.segmentation, origin), bool(annotation.iscrowd)


def read_icdar_dataset(dataset: IcdarDataset) -> IcdarSamples:
    """Open an IcdarDataset for evaluation: every image counts, those without text included.

    An annotation is left out if its `ignore` is set, its `area` is not positive, its `bbox` is less than one pixel
    wide or high, or its category does not count; it is ignored text if `iscrowd` is set. Categories count whose name
    is a part of the word `text`, such as `text` itself or `t`: that is how pycocotools reads MMOCR's class list.
    `select_first_k` keeps one image more than its number, as in MMOCR.

    MMOCR takes the last of several images or annotations with the same id for all of them, and evaluates a file
    without a category that counts as one without text; here both are errors.

    Source: `IcdarDataset` in `mmocr.datasets.icdar_dataset`, MMOCR v0.6.3.

    Raises:
        AnnotationError: The file is missing or empty, no JSON, lacks one of its lists, or repeats an id.
    """
    path = Path(dataset.ann_file)
    document = read_document(path)
    images = _by_id(_entries(document, "images", path), path)
    if not images:
        raise AnnotationError(f"{path}: expected images, got an empty list of them")
    annotations = _by_image(_entries(document, "annotations", path), path)
    _warn_of_orphans(annotations, images, path)
    if dataset.select_first_k > 0:
        images = dict(list(images.items())[: dataset.select_first_k + 1])
    categories = _convert(_entries(document, "categories", path), list[_Category], f"{path}, categories")
    category_ids = frozenset(category.id for category in categories if category.name in "text")
    if annotations and not category_ids:
        names = ", ".join(repr(category.name) for category in categories) or "no categories"
        raise AnnotationError(
            f"{path}: expected a category named 'text', got {names}", "Name the category of text instances 'text'."
        )
    return IcdarSamples(path, image_root(dataset.img_prefix), images, annotations, category_ids)


def read_document(path: Path) -> dict[str, object]:
    """Return the JSON object of a file.

    Raises:
        AnnotationError: The file is missing, cannot be read, is empty, or holds something else.
    """
    check_regular(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if not data.strip():
        raise AnnotationError(f"{path}: expected JSON, got an empty file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise AnnotationError(
            f"{path}, line {line}: expected UTF-8, got another encoding", "Save the file as UTF-8."
        ) from error
    document = parse_json(text, str(path), _FIX)
    if not isinstance(document, dict):
        raise AnnotationError(f"{path}: expected a JSON object, got {type(document).__name__}", _FIX)
    return document


def _entries(document: dict[str, object], key: str, path: Path) -> list[object]:
    value = document.get(key)
    if not isinstance(value, list):
        found = "none" if key not in document else type(value).__name__
        raise AnnotationError(f"{path}: expected a list {key!r}, got {found}", _FIX)
    return value


def _by_id(entries: list[object], path: Path) -> dict[_Id, object]:
    keys = _convert(entries, list[_Keyed], f"{path}, images")
    _require_unique([key.id for key in keys], "image", path)
    return {key.id: entry for key, entry in zip(keys, entries, strict=True)}


def _by_image(entries: list[object], path: Path) -> dict[_Id, list[tuple[_Id, object]]]:
    keys = _convert(entries, list[_Owned], f"{path}, annotations")
    _require_unique([key.id for key in keys], "annotation", path)
    groups: dict[_Id, list[tuple[_Id, object]]] = {}
    for key, entry in zip(keys, entries, strict=True):
        groups.setdefault(key.image_id, []).append((key.id, entry))
    return groups


def _warn_of_orphans(annotations: dict[_Id, list[tuple[_Id, object]]], images: dict[_Id, object], path: Path) -> None:
    """Warn of annotations of images that the file does not have; MMOCR passes over them."""
    orphans = {image_id: group for image_id, group in annotations.items() if image_id not in images}
    if orphans:
        image_id, ((annotation_id, _), *_) = next(iter(orphans.items()))
        warn(
            f"{path}: {sum(map(len, orphans.values()))} annotations belong to no image and are left out, the first is "
            f"annotation {annotation_id!r} with the image_id {image_id!r}; a number and a text are different ids"
        )


def _require_unique(ids: list[_Id], what: str, path: Path) -> None:
    seen: set[_Id] = set()
    for each in ids:
        if each in seen:
            raise AnnotationError(f"{path}: expected every {what} to have an id of its own, got {each!r} twice")
        seen.add(each)


def _convert(value: object, kind: type[T], origin: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError) as error:  # a key may be half of a surrogate pair
        raise AnnotationError(f"{origin}: {error}") from error
