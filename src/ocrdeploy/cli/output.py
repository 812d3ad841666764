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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ocrdeploy.artifacts import atomic_write, check_writable

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
    """

    json_file: str | None = None
    quiet: bool = False
    verbose: bool = False
    console: Console = field(init=False)

    def __post_init__(self) -> None:
        """Open the console, and refuse a JSON file that cannot be written before any work is done."""
        if self.json_file not in (None, STANDARD_OUTPUT):
            check_writable(Path(str(self.json_file)))
        object.__setattr__(self, "console", make_console(stderr=self.json_file == STANDARD_OUTPUT))

    def line(self, text: str) -> None:
        """Print a line of the report."""
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False)

    def table(self, table: Table) -> None:
        """Print a table of the report; in a pipe or a log, one of plain characters."""
        if not self.console.is_terminal:
            table.box = MARKDOWN
        if not self.quiet:
            self.console.print(table)

    def warn(self, text: str) -> None:
        """Print a warning, also when quiet."""
        make_console(stderr=True).print(f"warning: {text}", markup=False, highlight=False, soft_wrap=True)

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
        if self.json_file == STANDARD_OUTPUT:
            sys.stdout.write(text)
            sys.stdout.flush()
        elif self.json_file is not None:
            with atomic_write(Path(self.json_file)) as temporary:
                temporary.write_text(text, encoding="utf-8")

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator["ProgressBar"]:
        """Show a progress bar on a terminal's standard error; elsewhere, and when quiet, nothing."""
        console = make_console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True, disable=self.quiet or not console.is_terminal) as bar:
            yield ProgressBar(bar, bar.add_task(description, total=total))


@dataclass(frozen=True)
class ProgressBar:
    """One line of progress."""

    bar: Progress
    task: Any

    def advance(self) -> None:
        """Count one more."""
        self.bar.advance(self.task)

    def update(self, done: int, total: int | None) -> None:
        """Set how much is done, and of how much."""
        self.bar.update(self.task, completed=done, total=total)


def make_console(*, stderr: bool = False) -> Console:
    """Return a Rich console; without a terminal it writes plain, wide lines, and NO_COLOR is honoured by Rich."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=LOG_WIDTH, no_color=True)


@contextmanager
def open_lines(file: str | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that writes one JSON document a line: to a file, to standard output (`-`), or nowhere (None)."""
    if file is None:
        yield lambda _document: None
    elif file == STANDARD_OUTPUT:
        yield lambda document: _print_line(sys.stdout, document)
    else:
        with atomic_write(Path(file)) as temporary, temporary.open("w", encoding="utf-8") as stream:
            yield lambda document: _print_line(stream, document)
            # Renamed only after it is whole on disk.
            stream.flush()


def _print_line(stream: TextIO, document: Mapping[str, Any]) -> None:
    """Write a JSON document as one line."""
    stream.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")


def make_table(title: str, columns: Sequence[str], numeric_from: int = 1) -> Table:
    """Return an empty table whose columns from `numeric_from` on are aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < numeric_from else "right", overflow="fold")
    return table
