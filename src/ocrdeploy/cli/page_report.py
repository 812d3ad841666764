"""What `read` writes and prints of each image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .output import Output
from .output_names import READ_SUFFIX

if TYPE_CHECKING:
    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.running.pages import Page


@dataclass
class PageReport:
    """What becomes of each image.

    Attributes:
        detector: The first model's file.
        recogniser: The second model's file.
        draw: Folder of images with their text, or None.
        write: Writes a line of JSON.
        write_text: Writes a line of text.
        output: The screen.
    """

    detector: Path
    recogniser: Path
    draw: Path | None
    write: Callable[[Mapping[str, Any]], None]
    write_text: Callable[[str], None]
    output: Output
    images: int = field(init=False, default=0)
    words: int = field(init=False, default=0)
    failures: list["OcrDeployError"] = field(init=False, default_factory=list)
    seconds: dict[str, float] = field(init=False, default_factory=dict)

    def add(self, path: Path, name: str, outcome: "Page | OcrDeployError") -> None:
        """Write and print what was read in an image, or what went wrong."""
        self.images += 1
        place = {"image": str(path), "detector": str(self.detector), "recogniser": str(self.recogniser)}
        if isinstance(outcome, Exception):
            self.failures.append(outcome)
            self.write(failure_line(outcome, place))
            self.output.warn(str(outcome))
            return
        self.write(page_document(outcome, place))
        lines = text_lines(outcome)
        if self.images - len(self.failures) > 1:
            self.write_text("")
        for line in lines:
            self.write_text(line)
        count = len(outcome.words)
        self.words += count
        self.output.line(f"{path}: {count} word{'' if count == 1 else 's'}")
        for line in lines:
            self.output.line(f"  {line}")
        for stage, seconds in outcome.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if self.draw is not None:
            self._draw(path, self.draw / f"{name}{READ_SUFFIX}", outcome)

    def close(self) -> None:
        """Print the closing line.

        Raises:
            Exit: An image failed, as was said.
        """
        read = self.images - len(self.failures)
        stages = ", ".join(f"{stage} {1000 * seconds / max(read, 1):.0f}" for stage, seconds in self.seconds.items())
        failed = f"{len(self.failures)} failed, " if self.failures else ""
        where = f"; drawn in {self.draw}" if self.draw is not None else ""
        self.output.line(
            f"{self.images} image{'' if self.images == 1 else 's'}, {failed}{self.words} words"
            + (f"; ms an image: {stages}" if stages else "")
            + where
        )
        if self.failures:
            raise typer.Exit(1)

    def _draw(self, path: Path, target: Path, page: "Page") -> None:
        """Write an image with its text."""
        from ocrdeploy.errors import OcrDeployError, OutputError
        from ocrdeploy.images.drawing import write_png
        from ocrdeploy.images.page_drawing import draw_page
        from ocrdeploy.images.reading import read_image

        try:
            pixels = read_image(path, "color_ignore_orientation" if page.orientation is None else "color")
            write_png(target, draw_page(pixels, [(word.polygon, word.text) for word in page.words]))
        except OutputError:
            raise
        except OcrDeployError as error:
            self.failures.append(error)
            self.output.warn(str(error))


def text_lines(page: "Page") -> list[str]:
    """Return the lines of text of an image: words of one line with a blank between them."""
    return [" ".join(word.text for word in line) for _, line in groupby(page.words, key=lambda word: word.line)]


def failure_line(error: Exception, place: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of an image that failed."""
    return {**place, "error": str(error)}


def page_document(page: "Page", place: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was read in an image as JSON holds it."""
    document: dict[str, Any] = {"image": place["image"], "width": page.width, "height": page.height}
    if page.orientation is not None:
        document["orientation"] = page.orientation
    words = [
        {
            "polygon": word.polygon.ravel().tolist(),
            "text": word.text,
            "score": word.score,
            "detection_score": word.detection_score,
            "char_scores": list(word.char_scores),
            "line": word.line,
        }
        for word in page.words
    ]
    return document | {"detector": place["detector"], "recogniser": place["recogniser"], "words": words}
