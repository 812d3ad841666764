"""Numbers that the Python API is given: checked as the command line checks its own."""

import operator

from ocrdeploy.errors import UsageError

MAX_THREADS = 4096
"""More than any machine has; ONNX Runtime takes such a number at its word."""
MAX_BATCH = 2**16


def whole_number(value: object, what: str, least: int, most: int) -> int:
    """Return a whole number in a range as an `int`; NumPy's integers are taken.

    Args:
        value: What was given.
        what: What the number is called, for the message.
        least: The smallest that is taken.
        most: The largest that is taken.

    Raises:
        UsageError: It is no whole number, or out of range.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise UsageError(f"{what} is a whole number from {least} to {most}, got {value!r}")
    return number


def check_threads(threads: object) -> int | None:
    """Return a number of threads; None stays None and stands for the cores that this process may use."""
    return None if threads is None else whole_number(threads, "the number of threads", 1, MAX_THREADS)


def check_batch_size(batch_size: object) -> int:
    """Return a batch size."""
    return whole_number(batch_size, "batch_size", 1, MAX_BATCH)
