"""Standard output as programs read it: UTF-8 whatever the locale, and nothing is lost without a word."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ocrdeploy.errors import OutputError


class ReaderGoneError(BaseException):
    """Whoever read standard output has closed it and wants no more. Not a fault, so no handler of faults takes it."""


def write_standard_output(text: str) -> None:
    """Write a text as UTF-8, and hand it on at once; characters that UTF-8 lacks keep them escaped, as JSON has it.

    Raises:
        OutputError: Standard output is closed, or its disk is full.
        ReaderGoneError: Nobody reads it any more.
    """
    check_standard_output()
    with standard_output_errors():
        sys.stdout.flush()
        data = text.encode("utf-8", "backslashreplace")
        # What stands in for standard output, as in a notebook, may take text alone.
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.buffer.write(data)
        else:
            sys.stdout.write(data.decode("utf-8"))
        sys.stdout.flush()


def check_standard_output() -> None:
    """Refuse a standard output that is closed.

    Raises:
        OutputError: It is.
    """
    if sys.stdout is None:
        raise OutputError(
            "standard output cannot be written: it is closed", "Open it, or add --quiet to print nothing."
        )


@contextmanager
def standard_output_errors() -> Iterator[None]:
    """Let errors of the block, which writes to standard output, say that it is standard output.

    Raises:
        OutputError: It cannot be written.
        ReaderGoneError: Nobody reads it any more.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error


def write_standard_error(line: str) -> None:
    """Print a line to standard error; where that is closed or full there is nobody to tell."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201
