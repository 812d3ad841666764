"""Looking into folders, and finding the one that holds the images of annotations."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ocrdeploy.errors import AnnotationError

_DEPTH = 2

_RULE = "in its own folder, in the same path with imgs for annotations, and up to two levels below"


def find_folder(annotations: Path, named: Path, count: Callable[[Path], int], what: str) -> Path:
    """Find the folder of the images that annotations speak of.

    The places are, in this order: the annotations' own folder; MMOCR's layout, which is the same path with `imgs` for
    `annotations`; the folder that the user named and the folders up to two levels below it. The folder with the most
    of the images is taken, the first such place of several. Folders beside the one that is named are not looked into:
    images of another set may have the same names.

    Args:
        annotations: The folder that the annotations are in.
        named: The folder that the user named: that one, or one above it.
        count: Tells how many of the images a folder has.
        what: What is looked for, for messages.

    Raises:
        AnnotationError: No folder has the images, or several of the same place have.
    """
    places = [{folder: count(folder) for folder in place} for place in _places(annotations, named)]
    most = max((number for place in places for number in place.values()), default=0)
    if most == 0:
        raise AnnotationError(
            f"{annotations}: expected {what} {_RULE}; there is none",
            "Put the images there, or name their folder with --img-prefix.",
        )
    folders = next(found for place in places if (found := [each for each, number in place.items() if number == most]))
    if len(folders) > 1:
        names = ", ".join(map(str, folders))
        raise AnnotationError(
            f"{annotations}: expected {what} in one folder, found it in {names}",
            "Name the folder of the images with --img-prefix.",
        )
    return folders[0]


def folders_below(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield the folders up to some levels below one, by name, without hidden ones and those that cannot be read."""
    if not _is_readable_folder(folder):
        return
    for child in list_folder(folder):
        if not child.name.startswith(".") and _is_readable_folder(child):
            yield child
            if depth > 1:
                yield from folders_below(child, depth - 1)


def list_folder(folder: Path) -> list[Path]:
    """Return what a folder holds, by name.

    Raises:
        AnnotationError: It is missing or cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise AnnotationError(f"{folder}: the folder cannot be read: {error.strerror}") from error


def is_file(path: Path) -> bool:
    """Tell whether a path is a file; one that cannot be one, such as a name that is too long, is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def exists(path: Path) -> bool:
    """Tell whether there is a file or folder; one that cannot be seen is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_readable_folder(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.R_OK | os.X_OK)


def _places(annotations: Path, named: Path) -> Iterator[list[Path]]:
    yield [annotations]
    parts = annotations.absolute().parts
    yield [Path(*parts[:i], "imgs", *parts[i + 1 :]) for i, part in enumerate(parts) if part == "annotations"]
    yield [folder for folder in (named, *folders_below(named)) if folder != annotations]
