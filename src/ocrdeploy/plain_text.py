"""Text from outside (file names, models, recognised words) as text that cannot control what it is shown in."""

import re

MAX_LENGTH = 2000
"""Characters of a message: enough for paths and lists of names, and not a whole broken file."""
MARKDOWN_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\\": "&#92;", "|": "\\|", "[": "\\[", "`": "\\`"}
)
FORMULA = re.compile(r"[=+\-@]")
JOINERS = "\u200c\u200d"
"""What joins letters or keeps them apart: Persian and the scripts of India need it, and nothing moves."""


def plain(text: str) -> str:
    """Return a text in which all that is not printable is escaped as in Python, and blanks stay as they are.

    Not printable are control characters, line ends, marks that change the direction of writing, and bytes of a file
    name that are no text. What joins letters, or keeps them apart, stays.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in JOINERS else _escaped(each) for each in text)


def one_line(text: str) -> str:
    """Return a message on one line, at most `MAX_LENGTH` characters long, cut in its middle where it was longer.

    White space becomes single blanks, and what is not printable is escaped: see `plain`.
    """
    if len(text) > MAX_LENGTH:
        half = MAX_LENGTH // 2 - 3
        text = f"{text[:half]} ... {text[-half:]}"
    return plain(" ".join(text.split()))


def markdown_cell(text: str) -> str:
    """Return a text as a cell of a Markdown table: one line, without HTML, links, code or further cells."""
    return plain(text).translate(MARKDOWN_ESCAPES)


def csv_cell(value: object) -> object:
    """Return a value as a cell of a CSV file: numbers as they are, texts on one line and never a formula.

    Spreadsheets compute cells that begin with `=`, `+`, `-` or `@`; an apostrophe before them makes them a text.
    """
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if FORMULA.match(text.lstrip()) else text


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
