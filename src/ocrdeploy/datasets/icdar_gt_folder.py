"""Annotations of text detection as ICDAR gives them out: a folder with a text file an image."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import AnnotationError, warn
from ocrdeploy.images.headers import IMAGE_SUFFIXES

from .folders import list_folder
from .gt_lines import have_scripts, looks_like_ground_truth, parse_gt_line
from .samples import BrokenSample, ImageFile, Item, Sample
from .segmentation import make_truth
from .text_lines import first_line, numbered_lines, parse_lines

_PREFIXES = ("gt_", "poly_gt_")
# How many files of a folder without such prefixes are looked into.
_N_LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class IcdarGtFolderSamples:
    """The images that a folder of ground truth speaks of.

    Attributes:
        gt_files: The files `gt_NAME.txt` or `NAME.txt`, by the numbers in their names.
        image_folder: Where the images `NAME` are, of any image suffix.
        has_script: Whether lines have the name of a script before the text.
    """

    gt_files: tuple[Path, ...]
    image_folder: Path
    has_script: bool

    def __len__(self) -> int:
        return len(self.gt_files)

    def __iter__(self) -> Iterator[Item]:
        images = images_by_stem(self.image_folder)
        for gt_file in self.gt_files:
            try:
                image = _only_image(_images_of(gt_file, images), gt_file, self.image_folder)
                truth = make_truth(_polygons(gt_file, has_script=self.has_script))
                yield Sample(image.name, ImageFile(image), truth, str(gt_file))
            except AnnotationError as error:
                yield BrokenSample(error)


def read_icdar_gt_folder(gt_folder: Path, image_folder: Path) -> IcdarGtFolderSamples:
    """Open a folder of ground truth as ICDAR gives it out.

    `gt_img_7.txt`, or `img_7.txt` in a folder without `gt_` files, speaks of the image `img_7` of any image suffix.
    Its lines have one of the forms of `gt_lines.parse_gt_line`, in UTF-8 with or without a byte-order mark. A file
    without lines is an image without text. Images without a ground truth file are left out, with a warning.

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
        raise AnnotationError(f"{gt_folder}: expected files {_PREFIXES[0]}*.txt, got none")
    if not image_folder.is_dir():
        raise AnnotationError(f"{image_folder}: there is no such folder of images")
    images = images_by_stem(image_folder)
    used = {image for gt_file in gt_files for image in _images_of(gt_file, images)}
    unused = [image for group in images.values() for image in group if image not in used]
    if unused:
        warn(
            f"{gt_folder}: {len(unused)} images in {image_folder} have no ground truth and are left out, the first is "
            f"{unused[0].name}"
        )
    return IcdarGtFolderSamples(gt_files, image_folder, have_scripts(_lines(gt_files)))


def find_gt_files(folder: Path) -> tuple[Path, ...]:
    """Return the ground truth files of a folder, `gt_img_2.txt` before `gt_img_10.txt`; suffixes are of any case.

    Where no name begins with `gt_`, all text files are ground truth if one of the first few begins like one.

    Raises:
        AnnotationError: The folder is missing or cannot be read.
    """
    texts = [path for path in list_folder(folder) if path.suffix.lower() == ".txt"]
    files = [path for path in texts if path.name.lower().startswith(_PREFIXES)]
    if not files and any(looks_like_ground_truth(_first_line(path)) for path in texts[:_N_LOOKED_AT]):
        files = texts
    return tuple(sorted(files, key=_by_numbers))


def image_stem(gt_file: Path) -> str:
    """Return the name, without suffix, of the image that a ground truth file speaks of."""
    prefix = next((prefix for prefix in _PREFIXES if gt_file.name.lower().startswith(prefix)), "")
    return gt_file.stem[len(prefix) :]


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


def _images_of(gt_file: Path, images: dict[str, list[Path]]) -> list[Path]:
    return images.get(image_stem(gt_file)) or images.get(gt_file.stem) or []


def _lines(gt_files: tuple[Path, ...]) -> Iterator[str]:
    """Yield the lines of all files, without what is wrong with them: that is told when they are read."""
    for gt_file in gt_files:
        with contextlib.suppress(AnnotationError):
            yield from (text for _, text in numbered_lines(gt_file))


def _first_line(path: Path) -> str:
    """Return the first line of a file, or an empty string of one that cannot be read."""
    try:
        return first_line(path)
    except AnnotationError:
        return ""


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(part), "") if part[0] in "0123456789" else (0, part) for part in parts]


def _only_image(images: list[Path], gt_file: Path, folder: Path) -> Path:
    if len(images) != 1:
        names = " and ".join(image.name for image in images) or "none"
        raise AnnotationError(f"{gt_file}: expected one image {image_stem(gt_file)}.* in {folder}, got {names}")
    return images[0]


def _polygons(gt_file: Path, *, has_script: bool) -> Iterator[tuple[NDArray[np.float64], bool]]:
    for item in parse_lines(gt_file, partial(parse_gt_line, has_script=has_script)):
        if isinstance(item, BrokenSample):
            raise item.error
        if not _is_degenerate(item[0]):
            yield item


def _is_degenerate(polygon: NDArray[np.float64]) -> bool:
    x, y = polygon.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return bool(area <= 0 or np.ptp(x) < 1 or np.ptp(y) < 1)
