"""Texts of scenes as ICDAR 2015 gives them out: a folder with a file `gt_IMAGE.txt` of places and texts for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.errors import AnnotationError
from ocrdeploy.images.headers import IMAGE_SUFFIXES
from ocrdeploy.results import SceneText

from .gt_lines import parse_gt_line
from .icdar_gt_folder import find_gt_files, image_stem, images_by_stem
from .text_lines import numbered_lines

CORNER_NUMBERS = 8
IGNORED = "###"


@dataclass(frozen=True, slots=True)
class Scene:
    """The labelled texts of an image.

    Attributes:
        stem: The image's name without its suffix.
        texts: Its texts, in the order of the file.
        origin: The file.
    """

    stem: str
    texts: tuple[SceneText, ...]
    origin: Path


def read_scenes(folder: Path) -> list[Scene]:
    r"""Return the scenes of a folder of files `gt_IMAGE.txt`, whose lines are `x1,y1,x2,y2,x3,y3,x4,y4,TEXT`.

    A text in quotation marks loses them, and `\"` and `\\` in it are unescaped. `###` is not cared for.

    Raises:
        AnnotationError: There is no such file, or a line has another form.
    """
    files = find_gt_files(folder) if folder.is_dir() else ()
    if not files:
        raise AnnotationError(f"{folder}: expected a folder with a file gt_IMAGE.txt for each image")
    return [Scene(image_stem(path), tuple(_texts(path)), path) for path in files]


def scene_images(scenes: list[Scene], folder: Path) -> list[Path]:
    """Return the image of each scene in a folder.

    Raises:
        AnnotationError: One has none, or several.
    """
    images = images_by_stem(folder)
    found = []
    for scene in scenes:
        fitting = images.get(scene.stem, [])
        if len(fitting) != 1:
            raise AnnotationError(
                f"{scene.origin}: expected one image {scene.stem}.* in {folder}, got "
                f"{' and '.join(path.name for path in fitting) or 'none'}",
                f"Images are files named *{', *'.join(IMAGE_SUFFIXES)}; --img-prefix names their folder.",
            )
        found += fitting
    return found


def _texts(path: Path) -> Iterator[SceneText]:
    """Yield the texts of a file."""
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        origin = f"{path}, line {number}"
        parts = line.split(",", CORNER_NUMBERS)
        polygon, _ = parse_gt_line(",".join([*parts[:CORNER_NUMBERS], "text"]), origin, has_script=False)
        if len(parts) <= CORNER_NUMBERS:
            raise AnnotationError(f"{origin}: expected x1,y1,x2,y2,x3,y3,x4,y4,TEXT, got {line!r}")
        text = _unquoted(parts[CORNER_NUMBERS])
        yield SceneText(polygon, text, is_ignored=text == IGNORED)


def _unquoted(text: str) -> str:
    """Return a text without the quotation marks around it."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
