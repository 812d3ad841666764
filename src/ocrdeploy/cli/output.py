"""Where a command's words go: reports to standard output, progress and errors to standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.text import Text

from ocrdeploy.errors import OutputError, UsageError
from ocrdeploy.plain_text import plain
from ocrdeploy.standard_output import (
    ReaderGoneError,
    check_standard_output,
    standard_output_errors,
    write_standard_output,
)

from .faults import print_warning
from .tables import Table

if TYPE_CHECKING:
    from .progress import ProgressBar

STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class Output:
    """What a command writes, and how much.

    Attributes:
        json_file: Where the JSON goes: a file's name, `-` for standard output (then nothing else goes there), or None.
        quiet: Whether reports and progress are left out.
        verbose: Whether details are added.
        stdout_taken: Whether something else than the report goes to standard output, and the report to standard error.
    """

    json_file: str | None = None
    quiet: bool = False
    verbose: bool = False
    stdout_taken: bool = False
    console: Console = field(init=False)
    _live: list[Console] = field(init=False, default_factory=list)
    _faults: list[OutputError | ReaderGoneError] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Open the console, and refuse what cannot be written before any work is done."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose contradict each other", "Give one of them.")
        if self.json_file not in (None, STANDARD_OUTPUT):
            from ocrdeploy.artifacts import check_writable

            check_writable(Path(str(self.json_file)))
        object.__setattr__(self, "stdout_taken", self.stdout_taken or self.json_file == STANDARD_OUTPUT)
        if self.stdout_taken or not self.quiet:
            check_standard_output()
        object.__setattr__(self, "console", make_console(stderr=self.stdout_taken))

    def line(self, text: str) -> None:
        """Print a line of the report, which is not broken: a path in it can be copied and found."""
        self._print(Text(plain(text)))

    def table(self, table: Table) -> None:
        """Print a table of the report: drawn on a terminal where it fits, else as lines."""
        if not self.console.is_terminal:
            lines: Iterable[str] = table.log_lines()
        elif (drawn := table.drawn(self.console.width)) is not None:
            if table.title:
                self._print(Text(plain(table.title), "bold"))
            self._print(drawn, soft_wrap=False)
            return
        else:
            lines = table.narrow_lines(self.console.width)
        for line in lines:
            self._print(Text(line))

    def warn(self, text: str) -> None:
        """Print a warning, also when quiet; a progress bar puts it above itself."""
        print_warning(text)

    def json(self, document: Mapping[str, Any]) -> None:
        """Write the one JSON document of a command."""
        write_text(self.json_file, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        self._tell_fault()

    @contextmanager
    def json_lines(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Give a function that writes one document as a line; a file appears when the block ends without an error."""
        with open_lines(self.json_file) as write:
            yield write
        self._tell_fault()

    def _print(self, what: RenderableType, *, soft_wrap: bool = True) -> None:
        """Print a part of the report. Where that is impossible, what goes to a file is written all the same.

        Raises:
            OutputError: Standard output cannot be written, and there is no such file.
            ReaderGoneError: Nobody reads it, likewise.
        """
        if self.quiet or self._faults:
            return
        if self.stdout_taken:
            with suppress(OSError):
                self._screen.print(what, soft_wrap=soft_wrap)
            return
        try:
            with standard_output_errors():
                self._screen.print(what, soft_wrap=soft_wrap)
        except (OutputError, ReaderGoneError) as fault:
            if self.json_file is None:
                raise
            self._faults.append(fault)

    def _tell_fault(self) -> None:
        """Tell, when all is written, that the report was cut off."""
        if self._faults:
            raise self._faults.pop()

    @property
    def _screen(self) -> Console:
        """Where the report goes: above the progress bar where both are on the same terminal."""
        return self._live[-1] if self._live and self.console.is_terminal else self.console

    @contextmanager
    def progress(self, description: str, total: int | None, *, bytes_: bool = False) -> "Iterator[ProgressBar]":
        """Show how far long work is, on standard error, unless quiet: a bar on a terminal, else a line every minute.

        Args:
            description: What is done.
            total: How much there is to do; None where that is not known.
            bytes_: Whether bytes are counted, not items.
        """
        from .progress import LogProgress, terminal_bar  # help texts do without

        console = make_console(stderr=True)
        # A bar would run through what is written to standard output where that is the same terminal.
        if self.quiet or not console.is_terminal or (self.stdout_taken and sys.stdout.isatty()):
            yield LogProgress(description, total, self.quiet)
            return
        with terminal_bar(console, description, total, bytes_=bytes_) as bar:
            self._live.append(console)
            try:
                yield bar
            finally:
                self._live.pop()


class DataConsole(Console):
    """A console that leaves it to commands what becomes of the rest where nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Tell the command."""
        raise ReaderGoneError


def make_console(*, stderr: bool = False) -> Console:
    """Return a Rich console for text that is data: without a terminal all is plain, and Rich honours NO_COLOR.

    Square brackets are not markup, `:on:` is no picture, and lines are not broken.
    """
    console = DataConsole(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.no_color = True
    return console


@contextmanager
def open_lines(file: str | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that writes one JSON document a line: to a file, to standard output (`-`), or nowhere (None)."""
    if file is None:
        yield lambda _document: None
        return
    with open_text(file) as write:
        yield lambda document: write(json.dumps(document, ensure_ascii=False, allow_nan=False))


@contextmanager
def open_text(file: str | None) -> Iterator[Callable[[str], None]]:
    """Give a function that writes a line of text: to a file, to standard output (`-`), or nowhere (None)."""
    if file is None:
        yield lambda _line: None
    elif file == STANDARD_OUTPUT:
        yield lambda line: write_standard_output(line + "\n")
    else:
        from ocrdeploy.artifacts import atomic_write

        # Names that are no UTF-8 keep their other bytes escaped, as JSON has it.
        with atomic_write(Path(file)) as temporary, temporary.open("w", -1, "utf-8", "backslashreplace") as stream:
            yield lambda line: stream.writelines([line, "\n"])
            # Renamed only after it is whole on disk.
            stream.flush()


def write_text(file: str | None, text: str) -> None:
    """Write a whole text: to a file, which appears at once, to standard output (`-`), or nowhere (None).

    Raises:
        OutputError: The file cannot be written.
    """
    if file == STANDARD_OUTPUT:
        write_standard_output(text)
    elif file is not None:
        from ocrdeploy.artifacts import atomic_write

        with atomic_write(Path(file)) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
