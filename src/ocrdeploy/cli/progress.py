"""How far long work is: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Column
from rich.text import Text

from ocrdeploy.plain_text import plain
from ocrdeploy.standard_output import write_standard_error

LOG_SECONDS = 60.0
"""How often a log is told."""
DESCRIPTION_WIDTH = 30
"""Most columns of a terminal's 80 that the description takes; of a narrower one a quarter."""
WIDTH_FOR_RATE = 60
"""On a terminal of fewer columns rate and remaining time are left out: numbers are not cut."""


class ProgressBar(Protocol):
    """Something that is told how far work is."""

    def advance(self) -> None:
        """Count one more."""
        ...

    def skip(self) -> None:
        """Count one more that took no time, so that it says nothing of the rate."""
        ...

    def update(self, done: int, total: int | None) -> None:
        """Set how much is done, and of how much."""
        ...


@dataclass(frozen=True, slots=True)
class TerminalBar:
    """One line of progress on a terminal."""

    bar: Progress
    task: Any

    def advance(self) -> None:
        """Count one more."""
        self.bar.advance(self.task)

    def skip(self) -> None:
        """Count one more that took no time."""
        self.bar.update(self.task, advance=1, skipped=self.bar.tasks[0].fields["skipped"] + 1)

    def update(self, done: int, total: int | None) -> None:
        """Set how much is done, and of how much."""
        self.bar.update(self.task, completed=done, total=total)


@dataclass(slots=True)
class LogProgress:
    """A line to standard error every minute; nothing where the work is done before that.

    Attributes:
        description: What is done.
        total: How much there is to do; None where that is not known.
        is_quiet: Whether nothing is written.
        clock: Tells the time, in seconds.
    """

    description: str
    total: int | None
    is_quiet: bool
    clock: Callable[[], float] = time.monotonic
    _done: int = field(init=False, default=0)
    _skipped: int = field(init=False, default=0)
    _started: float = field(init=False)
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count."""
        self._started = self._told = self.clock()

    def advance(self) -> None:
        """Count one more."""
        self.update(self._done + 1, self.total)

    def skip(self) -> None:
        """Count one more that took no time."""
        self._skipped += 1
        self.advance()

    def update(self, done: int, total: int | None) -> None:
        """Set how much is done, and of how much."""
        self._done, self.total = done, total
        now = self.clock()
        if not self.is_quiet and now - self._told >= LOG_SECONDS:
            self._told = now
            write_standard_error(self._line(now - self._started))

    def _line(self, seconds: float) -> str:
        """Return what is done, how fast, and what is left."""
        rate = (self._done - self._skipped) / seconds
        what = plain(self.description)
        if self.total is None:
            return f"{what}: {self._done}, {rate_text(rate)}"
        left = max(0, self.total - self._done) / rate if rate else 0.0
        return f"{what}: {self._done} of {self.total}, {rate_text(rate)}, {left / 60:.1f} minutes left"


class RateColumn(ProgressColumn):
    """Items a second, from the beginning on: those of the last moment come and go with the threads."""

    def render(self, task: Task) -> Text:
        """Return the rate, nothing before it is known."""
        rate = _rate(task)
        return Text(rate_text(rate) if rate else "", style="progress.data.speed")


class RemainingColumn(ProgressColumn):
    """Time that is left at that rate."""

    def render(self, task: Task) -> Text:
        """Return minutes and seconds, with hours where there are some; nothing before they are known."""
        rate = _rate(task)
        if task.remaining is None or not rate:
            return Text("")
        minutes, seconds = divmod(round(task.remaining / rate), 60)
        hours, minutes = divmod(minutes, 60)
        time_left = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
        return Text(f"{time_left} left", style="progress.remaining")


def _rate(task: Task) -> float:
    """Return items a second, 0 before it is known."""
    return (task.completed - task.fields["skipped"]) / task.elapsed if task.elapsed else 0.0


def rate_text(rate: float) -> str:
    """Return items a second, or seconds an item where that is easier to read."""
    if rate >= 10:
        return f"{rate:.0f}/s"
    if rate >= 1:
        return f"{rate:.1f}/s"
    return f"{1 / rate:.1f} s each" if rate else "0/s"


@contextmanager
def terminal_bar(console: Console, description: str, total: int | None, *, bytes_: bool) -> Iterator[TerminalBar]:
    """Show a bar with rate and remaining time while the block runs; it goes when the block ends."""
    size: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), RateColumn())
    if bytes_:
        size = (DownloadColumn(), TransferSpeedColumn())
    is_wide = console.width >= WIDTH_FOR_RATE
    columns = (
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(
                no_wrap=True, overflow="ellipsis", max_width=DESCRIPTION_WIDTH if is_wide else console.width // 4
            ),
        ),
        BarColumn(bar_width=None),
        *((*size, RemainingColumn()) if is_wide else size[:1]),
    )
    # What is written to standard output is no business of a bar on standard error: it may be a file.
    with Progress(
        *columns,
        console=console,
        transient=True,
        expand=True,
        redirect_stdout=False,
    ) as bar:
        yield TerminalBar(bar, bar.add_task(plain(description), total=total, skipped=0))
