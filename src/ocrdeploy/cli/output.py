"""Where a command's words go: reports to standard output, progress and errors to standard error."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from .plain_text import one_line
from .progress import LogProgress, ProgressBar, terminal_bar

STANDARD_OUTPUT = "-"
LOG_WIDTH = 200
"""Width of lines in a pipe or a log, where there is no terminal to ask: wide enough not to break paths."""


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

    def __post_init__(self) -> None:
        """Open the console, and refuse a JSON file that cannot be written before any work is done."""
        if self.json_file not in (None, STANDARD_OUTPUT):
            from ocrdeploy.artifacts import check_writable

            check_writable(Path(str(self.json_file)))
        object.__setattr__(self, "stdout_taken", self.stdout_taken or self.json_file == STANDARD_OUTPUT)
        object.__setattr__(self, "console", make_console(stderr=self.stdout_taken))

    def line(self, text: str) -> None:
        """Print a line of the report."""
        if not self.quiet:
            self._screen.print(text, markup=False, highlight=False)

    def table(self, table: Table) -> None:
        """Print a table of the report; in a pipe or a log, one of plain characters."""
        if not self.console.is_terminal:
            table.box = MARKDOWN
        if not self.quiet:
            self._screen.print(table)

    def warn(self, text: str) -> None:
        """Print a warning, also when quiet."""
        console = self._live[-1] if self._live else make_console(stderr=True)
        console.print(f"warning: {one_line(text)}", markup=False, highlight=False, soft_wrap=True)

    def json(self, document: Mapping[str, Any]) -> None:
        """Write the one JSON document of a command."""
        self._write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    @contextmanager
    def json_lines(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Give a function that writes one document as a line; a file appears when the block ends without an error."""
        with open_lines(self.json_file) as write:
            yield write

    def _write(self, text: str) -> None:
        """Write to the JSON file, if one was asked for."""
        write_text(self.json_file, text)

    @property
    def _screen(self) -> Console:
        """Where the report goes: above the progress bar where both are on the same terminal."""
        return self._live[-1] if self._live and self.console.is_terminal else self.console

    @contextmanager
    def progress(self, description: str, total: int | None, *, bytes_: bool = False) -> Iterator[ProgressBar]:
        """Show how far long work is, on standard error, unless quiet: a bar on a terminal, else a line every minute.

        Args:
            description: What is done.
            total: How much there is to do; None where that is not known.
            bytes_: Whether bytes are counted, not items.
        """
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


def make_console(*, stderr: bool = False) -> Console:
    """Return a Rich console; without a terminal it writes plain, wide lines, and NO_COLOR is honoured by Rich.

    Square brackets are not markup: file names, shapes and `ocrdeploy[torch]` have them too.
    """
    console = Console(stderr=stderr, markup=False)
    return console if console.is_terminal else Console(stderr=stderr, markup=False, width=LOG_WIDTH, no_color=True)


@contextmanager
def open_lines(file: str | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that writes one JSON document a line: to a file, to standard output (`-`), or nowhere (None)."""
    if file is None:
        yield lambda _document: None
    elif file == STANDARD_OUTPUT:
        yield lambda document: _print_line(sys.stdout, document)
    else:
        from ocrdeploy.artifacts import atomic_write

        # Names that are no UTF-8 keep their other bytes escaped, as JSON has it.
        with atomic_write(Path(file)) as temporary, temporary.open("w", -1, "utf-8", "backslashreplace") as stream:
            yield lambda document: _print_line(stream, document)
            # Renamed only after it is whole on disk.
            stream.flush()


def write_text(file: str | None, text: str) -> None:
    """Write a whole text: to a file, which appears at once, to standard output (`-`), or nowhere (None).

    Raises:
        OutputError: The file cannot be written.
    """
    if file == STANDARD_OUTPUT:
        sys.stdout.write(text)
        sys.stdout.flush()
    elif file is not None:
        from ocrdeploy.artifacts import atomic_write

        with atomic_write(Path(file)) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _print_line(stream: TextIO, document: Mapping[str, Any]) -> None:
    """Write a JSON document as one line."""
    stream.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")


def make_table(title: str, columns: Sequence[str], numeric_from: int = 1) -> Table:
    """Return an empty table whose columns from `numeric_from` on are aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < numeric_from else "right", overflow="fold")
    return table
