"""What a row of the table is: a bad input, what is done with it, and what the user is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUT = "out"
"""The current folder of a command line, below the folder of its input."""


@dataclass(frozen=True)
class Place:
    """What a row starts from.

    Attributes:
        folder: Empty, for the bad input; the command runs in the folder `out` below it.
        det: A trained DBNet of the demo as an ONNX model, for images of a ninth of the pixels.
        recog: A small CRNN as an ONNX model.
        config: The config of a small DBNet.
        weights: Its checkpoint.
        imgs: The demo's images.
        ann: Annotations of two of them.
    """

    folder: Path
    det: Path
    recog: Path
    config: Path
    weights: Path
    imgs: Path
    ann: Path

    @property
    def image(self) -> Path:
        """One of the demo's images."""
        return self.imgs / "syn_0022.jpg"

    @property
    def out(self) -> Path:
        """The command's current folder."""
        return self.folder / OUT

    def new(self, name: str, content: bytes | str) -> Path:
        """Write a file and return it."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str


Make = Callable[[Place], Path]
Check = Callable[[Place, Outcome], None]


def nothing(place: Place) -> Path:
    """Make nothing: the fault is in the command line."""
    return place.folder


def any_result(_place: Place, _outcome: Outcome) -> None:
    """Ask for no more than the exit code and the message."""


@dataclass(frozen=True)
class Case:
    """A row.

    Attributes:
        name: What the input is.
        make: Makes it.
        command: The command line, in which {input} is what was made and the other names are those of `Place`.
        says: Regular expression that the message matches; without one nothing may be said.
        code: The exit code.
        check: Looks at what the command did, where more than the message matters.
        changes: Patterns of what the command may write; nothing else below the folder may change.
        file_limit: Size in bytes at which files stop growing, as on a full disk.
        gpu: Compute capability of a GPU to pretend to have, without anything that runs on it.
        skip: Why the row cannot be tried here; empty where it can.
    """

    name: str
    make: Make
    command: str
    says: str = ""
    code: int = 2
    check: Check = any_result
    changes: tuple[str, ...] = ()
    file_limit: int | None = None
    gpu: tuple[int, int] | None = None
    skip: str = ""

    @property
    def n_lines(self) -> int:
        """How many lines go to standard error: one for each part of `says`, which a pattern of anything separates."""
        return len(self.says.split(r"(.|\n)*")) if self.says else 0

    def arguments(self, place: Place, made: Path) -> list[str]:
        """Return the command line's words."""
        names: dict[str, Any] = {"input": made, "image": place.image, "folder": place.folder}
        names |= {name: getattr(place, name) for name in ("det", "recog", "config", "weights", "imgs", "ann")}
        return [word.format(**names) for word in self.command.split()]


def fine(name: str, make: Make, command: str, check: Check = any_result, *changes: str, says: str = "") -> Case:
    """Return a row of an input that is unusual and rightly no error."""
    return Case(name, make, command, says, 0, check, changes)


@dataclass(frozen=True)
class Topic:
    """The rows of one topic."""

    name: str
    cases: tuple[Case, ...] = field(default=())
