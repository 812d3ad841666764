"""The worst images of an evaluation: listed, and drawn into a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .output import Output

if TYPE_CHECKING:
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.evaluation.worst import Mistakes
    from ocrdeploy.output_files import OutputFiles

SUFFIX = ".worst.png"
MISSING = (40, 40, 220)
EXTRA = (220, 40, 200)
FOUND = (80, 170, 60)
"""Colours in BGR."""
LEGEND = "red: missing   violet: extra   green: found"


def add_worst_folder(outputs: "OutputFiles", folder: Path, worst: int | None) -> None:
    """Tell the pictures that will be written.

    Raises:
        UsageError: It is not said how many.
    """
    from ocrdeploy.errors import UsageError

    if worst is None:
        raise UsageError("--worst-folder draws the images that --worst N lists", "Give --worst N too.")
    outputs.add_series("--worst-folder", folder, lambda name: name.endswith(SUFFIX))


def show_worst(rows: "Sequence[EvaluationRow]", folder: Path | None, output: Output) -> None:
    """List the worst images of each row, and draw them.

    Raises:
        OutputError: A picture cannot be written.
    """
    taken: set[str] = set()
    for row in rows:
        if row.worst:
            output.line(f"the worst images of {row.dataset}, {row.model} on {row.backend}:")
        for mistakes in row.worst:
            output.line(f"  {mistakes}")
            if folder is not None:
                path = folder / _name(mistakes, taken)
                _draw(mistakes, path)
                output.line(f"    drawn: {path}")


def _name(mistakes: "Mistakes", taken: set[str]) -> str:
    """Return a name for a picture that no other has."""
    stem = Path(mistakes.name).stem or "image"
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name.casefold())
    return name + SUFFIX


def _draw(mistakes: "Mistakes", path: Path) -> None:
    """Draw an image with what is missing, extra and found, or a word with what was read."""
    from ocrdeploy.image_inputs import read_pixels
    from ocrdeploy.images.drawing import captioned, draw_outlines, draw_result, write_png
    from ocrdeploy.results import Detection

    # Labels are in pixels of the image as it is stored, whatever its EXIF tag says.
    pixels = read_pixels(mistakes.image, "color_ignore_orientation")
    if mistakes.read is not None:
        drawn = draw_result(pixels, mistakes.read, f"labelled {mistakes.truth}")
    else:
        width = max(1, round(max(pixels.shape[:2]) / 500))
        groups = [(mistakes.found, FOUND), (mistakes.extra, EXTRA), (mistakes.missing, MISSING)]
        outlines = [([Detection(each, 1.0) for each in polygons], colour, width) for polygons, colour in groups]
        drawn = captioned(draw_outlines(pixels, outlines), LEGEND)
    write_png(path, drawn)
