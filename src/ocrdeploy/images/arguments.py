"""What a user names as images: files, folders and patterns."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from ocrdeploy.errors import InputError, UsageError

from .headers import IMAGE_SUFFIXES


def find_images(arguments: Sequence[str], *, recursive: bool = False) -> list[Path]:
    """Return the image files that arguments name, in the arguments' order, and by name within each.

    Args:
        arguments: A file, also one that is missing or no image; a folder, which stands for the image files in it; or a
            pattern with `*`, `?`, `[...]` or `**`, which stands for the image files that it matches. A file whose name
            looks like a pattern is that file.
        recursive: Look for images in the folders below a folder as well, but not in hidden ones.

    Raises:
        UsageError: A folder or pattern has no image, or nothing is named.
        InputError: A folder cannot be read.
    """
    if not arguments:
        raise UsageError("no image was named", "Name image files, folders, or patterns in quotation marks.")
    return [path for argument in arguments for path in _find(argument, recursive)]


def _find(argument: str, recursive: bool) -> list[Path]:
    """Return the image files that one argument names."""
    path = Path(argument)
    try:
        is_folder = path.is_dir()
    except OSError:  # whoever reads the image will say what is wrong with its name
        return [path]
    if is_folder:
        found = sorted(_images_in(path, recursive))
        below = " or below it" if recursive else "; with --recursive those below it are looked through too"
        message = f"there is no image in the folder {path}{below}"
    elif glob.has_magic(argument) and not path.exists():
        names = glob.glob(argument, recursive=True)  # noqa: PTH207  (patterns may begin at the root)
        found = sorted(match for match in map(Path, names) if _is_image(match))
        message = f"no image matches {argument}"
    else:
        return [path]
    if not found:
        raise UsageError(message, f"Images are files named *{', *'.join(IMAGE_SUFFIXES)}.")
    return found


def _images_in(folder: Path, recursive: bool) -> Iterator[Path]:
    """Yield the image files in a folder."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if recursive and entry.is_dir() and not entry.is_symlink():
            yield from _images_in(entry, recursive)
        elif _is_image(entry):
            yield entry


def _is_image(path: Path) -> bool:
    """Tell whether a path is a file whose name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
