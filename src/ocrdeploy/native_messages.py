"""What compiled libraries write to standard error by themselves, past Python, such as libpng of an odd colour profile.

The command keeps it away while images are decoded; what is wrong with one, our error says. A program that uses the
package as a library keeps its standard error as it is.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

STANDARD_ERROR = 2


class _Gate:
    """Standard error as compiled libraries see it: open, or leading nowhere while any thread asks for silence."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asking = 0
        self._real: int | None = None

    def separate(self) -> None:
        """Give Python's messages a descriptor of their own, so that the libraries' can be silenced without them."""
        if self._real is not None or sys.stderr is None or sys.stderr.fileno() != STANDARD_ERROR:
            return
        sys.stderr.flush()
        self._real = os.dup(STANDARD_ERROR)
        sys.stderr = open(  # noqa: SIM115  (it stays open until the process ends)
            self._real, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors, closefd=False
        )

    def close(self) -> None:
        """Lead the libraries' messages nowhere, for one more block."""
        with self._lock:
            self._asking += 1
            if self._asking == 1 and self._real is not None:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, STANDARD_ERROR)
                os.close(nowhere)

    def open(self) -> None:
        """End a block; after the last the messages are seen again."""
        with self._lock:
            self._asking -= 1
            if self._asking == 0 and self._real is not None:
                os.dup2(self._real, STANDARD_ERROR)


_gate = _Gate()


def separate() -> None:
    """Let `silent` silence compiled libraries in this process from now on; the command line does it at its start."""
    with suppress(OSError, ValueError):
        _gate.separate()


@contextmanager
def silent() -> Iterator[None]:
    """Keep away what compiled libraries write to standard error while the block runs, if `separate` was called."""
    _gate.close()
    try:
        yield
    finally:
        _gate.open()
