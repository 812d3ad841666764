"""Names of files that are written for images."""

import re
from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.errors import UsageError, warn

CROP_STEM = re.compile(r"(.+)_\d{3,}")
PICTURE_SUFFIX = ".pred.png"
READ_SUFFIX = ".read.png"
SHOW_SUFFIX = ".show.png"
"""What stands in place of a model's suffix in the name of the picture that --show writes."""


class OutputNames:
    """Gives each image a name of its own for what is written of it, so that nothing is written over.

    An image's name is its file's stem; where an earlier image of the same command has it, or where a file that is
    written would be one of the images, a number is added: `a`, `a_2`, `a_3`.

    Args:
        images: All images of the command.
        folders: The folders that are written to.
    """

    def __init__(self, images: Sequence[Path], folders: Sequence[Path]) -> None:
        places = {folder.resolve() for folder in folders}
        self._taken: set[str] = set()
        for image in images:
            if image.parent.resolve() in places:
                name = image.name.casefold()
                if name.endswith(PICTURE_SUFFIX):
                    self._taken.add(name.removesuffix(PICTURE_SUFFIX))
                if match := CROP_STEM.fullmatch(image.stem.casefold()):
                    self._taken.add(match[1])

    def next(self, image: Path) -> str:
        """Return the name of the next image."""
        name, number = image.stem, 1
        # File systems may not tell capital letters from small ones.
        while name.casefold() in self._taken:
            number += 1
            name = f"{image.stem}_{number}"
        self._taken.add(name.casefold())
        return name


def model_path(path: Path, suffixes: Sequence[str]) -> Path:
    """Return the file for a model that is written; a name without a suffix gets the first of those of such models.

    Raises:
        UsageError: The name stands for standard output.
    """
    if str(path) == "-":
        raise UsageError("a model is a file, and is not written to standard output", "Name a file with -o.")
    # What is there and no file, such as a folder or a device, is refused by its own name.
    is_name = not path.suffix and (path.is_file() or not path.exists())
    return path.with_name(path.name + suffixes[0]) if is_name else path


def warn_of_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Warn of a model's name that no command takes for one."""
    if path.suffix.lower() not in suffixes:
        known = " or ".join(suffixes)
        warn(f"{path}: commands know such models by the suffix {known}, so none will open it by this name")


def picture_path(folder: Path, name: str) -> Path:
    """Return where the picture of an image's result goes."""
    return folder / f"{name}{PICTURE_SUFFIX}"


def crop_path(folder: Path, name: str, index: int) -> Path:
    """Return where a word that was cut out of an image goes."""
    return folder / f"{name}_{index:03d}.png"


def is_crop(names: frozenset[str], file: str) -> bool:
    """Tell whether a file's name is one that a word gets which is cut out of an image with one of some names."""
    match = CROP_STEM.fullmatch(file.removesuffix(".png"))
    return file.endswith(".png") and match is not None and match[1] in names
