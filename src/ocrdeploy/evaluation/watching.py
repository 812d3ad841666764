"""Who is told of an evaluation while it runs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from ocrdeploy.errors import warn


class Progress(Protocol):
    """Something that is told how far work is."""

    def advance(self) -> None:
        """Count one more."""
        ...

    def skip(self) -> None:
        """Count one more that took no time."""
        ...


class Watcher(Protocol):
    """Who is told of an evaluation while it runs."""

    @property
    def verbose(self) -> bool:
        """Whether details are wanted."""
        ...

    def line(self, text: str, /) -> None:
        """Take a line of what is said beside the results."""
        ...

    def warn(self, text: str, /) -> None:
        """Take a warning."""
        ...

    def progress(self, description: str, total: int | None, /) -> AbstractContextManager[Progress]:
        """Give what long work tells how far it is."""
        ...


class Silent:
    """Shows nothing; warnings are Python's."""

    verbose = False

    def line(self, text: str, /) -> None:
        """Show nothing."""

    def warn(self, text: str, /) -> None:
        """Warn."""
        warn(text)

    @contextmanager
    def progress(self, _description: str, _total: int | None, /) -> "Iterator[Silent]":
        """Give itself, which counts nothing."""
        yield self

    def advance(self) -> None:
        """Count nothing."""

    def skip(self) -> None:
        """Count nothing."""
