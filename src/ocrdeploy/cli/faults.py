"""How errors and warnings look on standard error: a word that says what it is, the message, and below it what to do.

A terminal gets lines that are broken between words, never inside what the user typed, so that a path with blanks can
be copied. A pipe or a log gets one line each, however long. Nothing heavy is imported: errors come early too.
"""

import os
import shutil
import sys
from collections.abc import Sequence

from ocrdeploy.plain_text import one_line
from ocrdeploy.standard_output import write_standard_error

RED, YELLOW, CYAN = "31", "33", "36"
LEAST_COLUMNS = 20


def print_error(message: str, hint: str = "", usage: str = "", details: Sequence[str] = ()) -> None:
    """Print an error.

    Args:
        message: What was expected and what was got.
        hint: What to do about it; may be empty.
        usage: The command's usage line, for a command line that cannot be understood; may be empty.
        details: More lines, which stand last.
    """
    if usage:
        write_standard_error(usage)
    for line in _labelled("ocrdeploy: ", "error:", RED, message):
        write_standard_error(line)
    if hint:
        for line in _labelled("", "hint:", CYAN, hint):
            write_standard_error(line)
    for detail in details:
        write_standard_error("  " + one_line(detail))


def print_warning(text: str) -> None:
    """Print a warning."""
    for line in _labelled("", "warning:", YELLOW, text):
        write_standard_error(line)


def _labelled(before: str, label: str, color: str, text: str) -> list[str]:
    """Return a text in lines that begin with a label, coloured on a terminal."""
    first = f"{before}{label} "
    if not _is_terminal():
        return [first + one_line(text)]
    lines = wrap_words(first + one_line(text), max(LEAST_COLUMNS, shutil.get_terminal_size().columns), sys.argv[1:])
    if not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        lines[0] = lines[0].replace(label, f"\033[1;{color}m{label}\033[0m", 1)
    return lines


def wrap_words(text: str, width: int, whole: Sequence[str]) -> list[str]:
    """Return a text in lines of at most a width, broken at blanks; a word that is longer has a line of its own.

    Args:
        text: The text, on one line.
        width: Most columns of a line.
        whole: What is never broken, though it may hold blanks.
    """
    from rich.cells import cell_len

    for each in sorted((each for each in whole if " " in each), key=len, reverse=True):
        text = text.replace(each, each.replace(" ", "\0"))
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > width:
            lines.append(line)
            longer = "  " + word
        line = longer
    return [each.replace("\0", " ") for each in (*lines, line)]


def _is_terminal() -> bool:
    """Tell whether somebody reads standard error on a screen."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False
