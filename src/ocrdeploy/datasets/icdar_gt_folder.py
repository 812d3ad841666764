"""ICDAR 2015's own annotations of text detection: a folder of `gt_img_N.txt`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError
from ocrdeploy.images.headers import IMAGE_SUFFIXES

from .folders import list_folder
from .samples import BrokenSample, ImageFile, Item, Sample
from .segmentation import make_truth, to_polygon
from .text_lines import parse_lines

IGNORED_TRANSCRIPTION = "###"
_PREFIX = "gt_"
_N_NUMBERS = 8
_FORM = "x1,y1,x2,y2,x3,y3,x4,y4,TEXT"


@dataclass(frozen=True, slots=True)
class IcdarGtFolderSamples:
    """The images that a folder of ground truth speaks of.

    Attributes:
        gt_files: The files `gt_NAME.txt`, by the numbers in their names.
        image_folder: Where the images `NAME` are, of any image suffix.
    """

    gt_files: tuple[Path, ...]
    image_folder: Path

    def __len__(self) -> int:
        return len(self.gt_files)

    def __iter__(self) -> Iterator[Item]:
        images = images_by_stem(self.image_folder)
        for gt_file in self.gt_files:
            try:
                image = _only_image(images.get(image_stem(gt_file), []), gt_file, self.image_folder)
                yield Sample(image.name, ImageFile(image), make_truth(_polygons(gt_file)), str(gt_file))
            except AnnotationError as error:
                yield BrokenSample(error)


def read_icdar_gt_folder(gt_folder: Path, image_folder: Path) -> IcdarGtFolderSamples:
    """Open a folder of ground truth as ICDAR 2015 gives it out.

    `gt_img_7.txt` speaks of the image `img_7` of any image suffix. Each of its lines is `x1,y1,...,x4,y4,TEXT`, in
    UTF-8 with or without a byte-order mark; the text may hold commas, and `###` marks text that is ignored. A file
    without lines is an image without text. Images without a ground truth file are left out.

    As in the files that MMOCR's icdar_converter makes of such a folder and IcdarDataset reads, a quadrangle without
    area, or less than one pixel wide or high, is left out.

    Args:
        gt_folder: Holds the ground truth files.
        image_folder: Holds the images.

    Raises:
        AnnotationError: There is no ground truth file, or a folder cannot be read.
    """
    gt_files = find_gt_files(gt_folder)
    if not gt_files:
        raise AnnotationError(f"{gt_folder}: expected files {_PREFIX}*.txt, got none")
    if not image_folder.is_dir():
        raise AnnotationError(f"{image_folder}: there is no such folder of images")
    return IcdarGtFolderSamples(gt_files, image_folder)


def find_gt_files(folder: Path) -> tuple[Path, ...]:
    """Return the ground truth files of a folder, `gt_img_2.txt` before `gt_img_10.txt`.

    Raises:
        AnnotationError: The folder is missing or cannot be read.
    """
    files = [path for path in list_folder(folder) if path.name.startswith(_PREFIX) and path.suffix == ".txt"]
    return tuple(sorted(files, key=_by_numbers))


def image_stem(gt_file: Path) -> str:
    """Return the name, without suffix, of the image that a ground truth file speaks of."""
    return gt_file.stem.removeprefix(_PREFIX)


def images_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of a folder, by their names without suffix.

    Raises:
        AnnotationError: The folder cannot be read.
    """
    images: dict[str, list[Path]] = {}
    for path in list_folder(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            images.setdefault(path.stem, []).append(path)
    return images


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(part), "") if part[0] in "0123456789" else (0, part) for part in parts]


def _only_image(images: list[Path], gt_file: Path, folder: Path) -> Path:
    if len(images) != 1:
        names = " and ".join(image.name for image in images) or "none"
        raise AnnotationError(f"{gt_file}: expected one image {image_stem(gt_file)}.* in {folder}, got {names}")
    return images[0]


def _polygons(gt_file: Path) -> Iterator[tuple[NDArray[np.float64], bool]]:
    for item in parse_lines(gt_file, _parse_line):
        if isinstance(item, BrokenSample):
            raise item.error
        polygon, transcription = item
        if not _is_degenerate(polygon):
            yield polygon, transcription == IGNORED_TRANSCRIPTION


def _parse_line(text: str, origin: str) -> tuple[NDArray[np.float64], str]:
    fields = text.strip().split(",", _N_NUMBERS)
    try:
        numbers = [float(field) for field in fields[:_N_NUMBERS]]
    except ValueError as error:
        raise AnnotationError(f"{origin}: expected {_FORM}, got {text.strip()!r}") from error
    if len(fields) <= _N_NUMBERS:
        raise AnnotationError(f"{origin}: expected {_FORM}, got {len(fields)} fields")
    return to_polygon(numbers, origin), fields[_N_NUMBERS].strip()


def _is_degenerate(polygon: NDArray[np.float64]) -> bool:
    x, y = polygon.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return bool(area <= 0 or np.ptp(x) < 1 or np.ptp(y) < 1)
