"""What a user names as images: files, folders and patterns."""

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ocrdeploy.errors import InputError, UsageError

from .headers import IMAGE_SUFFIXES
from .own_pictures import DRAWN_SUFFIXES, is_drawing, is_word

NOT_READ = (".heic", ".heif", ".avif", ".jxl", ".pdf", ".djvu", ".svg", ".psd", ".cr2", ".nef", ".dng")
"""What people have beside images, and OpenCV does not read."""
SHOWN_NAMES = 3
URL = re.compile(r"(?:https?|ftp|s3|gs)://", re.IGNORECASE)


def find_images(
    arguments: Sequence[str], *, recursive: bool = False, say: Callable[[str], None] = lambda _text: None
) -> list[Path]:
    """Return the image files that arguments name, in the arguments' order, and by name within each.

    What earlier runs of this program wrote is no image of a folder or pattern: drawings never, and words that were cut
    out only where there is nothing else. A file that is named is always read.

    Args:
        arguments: A file, also one that is missing or no image; a folder, which stands for the image files in it; or a
            pattern with `*`, `?`, `[...]` or `**`, which stands for the image files that it matches. A file whose name
            looks like a pattern is that file.
        recursive: Look for images in the folders below a folder as well, but not in hidden ones.
        say: Is told what is left out.

    Raises:
        UsageError: A folder or pattern has no image, a URL is named, or nothing is.
        InputError: A folder cannot be read.
    """
    if not arguments:
        raise UsageError("no image was named", "Name image files, folders, or patterns in quotation marks.")
    return [path for argument in arguments for path in _find(argument, recursive, say)]


def is_url(argument: str) -> bool:
    """Tell whether an argument is an address in the web, which a path would lose a stroke of."""
    return URL.match(argument) is not None


def is_folder(argument: str) -> bool:
    """Tell whether an argument names a folder."""
    try:
        return Path(argument).is_dir()
    except OSError:  # whoever reads the image will say what is wrong with its name
        return False


def names_one_file(argument: str) -> bool:
    """Tell whether an argument names one file, also one that is missing, and neither a folder nor a pattern."""
    try:
        path = Path(argument)
        return not path.is_dir() and (path.exists() or not glob.has_magic(argument))
    except OSError:
        return True


def _find(argument: str, recursive: bool, say: Callable[[str], None]) -> list[Path]:
    """Return the image files that one argument names."""
    if is_url(argument):
        raise UsageError(f"{argument} is a URL, and images are files", "Download it first, for example with curl -O.")
    path = Path(argument)
    if names_one_file(argument):
        return [path]
    if is_folder(argument):
        _tell_others(path, say)
        found = _without_own(sorted(_images_in(path, recursive)), argument, say)
        below = " or below it" if recursive else "; with --recursive those below it are looked through too"
        message = f"there is no image in the folder {path}{below}"
    else:
        names = glob.glob(argument, recursive=True)  # noqa: PTH207  (patterns may begin at the root)
        found = _without_own(sorted(match for match in map(Path, names) if _is_image(match)), argument, say)
        message = f"no image matches {argument}"
    if not found:
        raise UsageError(message, f"Images are files named *{', *'.join(IMAGE_SUFFIXES)}.")
    return found


def _tell_others(folder: Path, say: Callable[[str], None]) -> None:
    """Tell of the files of a folder that people take for images and that are not read."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in NOT_READ) if folder.is_dir() else []
    if names:
        shown = ", ".join(names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
        say(f"{folder}: {len(names)} files are left out ({shown}), which are no images that are read: convert them")


def _without_own(found: list[Path], argument: str, say: Callable[[str], None]) -> list[Path]:
    """Return images without those that earlier runs wrote."""
    images = [path for path in found if not is_drawing(path)]
    if drawn := len(found) - len(images):
        say(f"{argument}: {drawn} drawn results (*{', *'.join(DRAWN_SUFFIXES)}) are left out")
    others = [path for path in images if not is_word(path)]
    if not others or len(others) == len(images):
        return images
    say(f"{argument}: {len(images) - len(others)} words that were cut out of images are left out")
    return others


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
