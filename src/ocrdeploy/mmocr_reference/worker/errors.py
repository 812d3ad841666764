"""What is told of a request that cannot be fulfilled."""

from __future__ import annotations


class WorkerError(Exception):
    """A request cannot be fulfilled; `kind` says what is at fault, such as config or checkpoint."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def describe(error: BaseException) -> str:
    """Return an exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
