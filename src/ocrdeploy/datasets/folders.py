"""Looking into folders, and finding the one that holds the images of annotations."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ocrdeploy.errors import AnnotationError

_DEPTH = 2

_RULE = "in its own folder, in the same path with imgs for annotations, up to two levels below, and beside it"


def find_folder(annotations: Path, named: Path, holds: Callable[[Path], bool], what: str) -> Path:
    """Find the folder of the images that annotations speak of.

    The places are, in this order: the annotations' own folder; MMOCR's layout, which is the same path with `imgs` for
    `annotations`; the folder that the user named and the folders up to two levels below it; the folders beside that.
    The first place that has the images decides.

    Args:
        annotations: The folder that the annotations are in.
        named: The folder that the user named: that one, or one above it.
        holds: Tells whether a folder has the images.
        what: What is looked for, for messages.

    Raises:
        AnnotationError: No folder has the images, or several of the same place have.
    """
    for place in _places(annotations, named):
        match [folder for folder in place if holds(folder)]:
            case []:
                continue
            case [folder]:
                return folder
            case folders:
                names = ", ".join(map(str, folders))
                raise AnnotationError(
                    f"{annotations}: expected {what} in one folder, found it in {names}",
                    "Name the folder of the images with --img-prefix.",
                )
    raise AnnotationError(
        f"{annotations}: expected {what} {_RULE}; there is none",
        "Put the images there, or name their folder with --img-prefix.",
    )


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
    above = named.resolve().parent
    yield [folder for folder in folders_below(above, 1) if folder != named.resolve()]
