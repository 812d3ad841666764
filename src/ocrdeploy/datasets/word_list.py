"""Plain lists of words: an image and its text a line, separated by a TAB, a comma or a blank."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.errors import AnnotationError, warn
from ocrdeploy.images.headers import IMAGE_SUFFIXES

from .gt_lines import SCRIPTS
from .samples import Item, Sample
from .sources import ImageRoot
from .text_lines import count_lines, numbered_lines, parse_lines

_SUFFIXES = "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
_NAME_AND_COMMA = re.compile(rf"[^,\t]*(?:{_SUFFIXES})\s*,", re.IGNORECASE)
_COMMENT = re.compile(rf"\s*#(?!.*(?:{_SUFFIXES})\b)", re.IGNORECASE)
_HEADER = re.compile(
    r'"?(?:file_?name|file|image(?:_?name|_?path)?|img(?:_?name|_?path)?|path|name)"?\s*[,\t ]\s*'
    r'"?(?:words?|texts?|labels?|transcriptions?|ground_?truth|gt)"?\s*(?:[,\t]|$)',
    re.IGNORECASE,
)
_ESCAPED = re.compile(r'\\(["\\])|""')
_FIX_COLUMNS = "Keep the columns of the image and its text."


@dataclass(frozen=True, slots=True)
class WordListSamples:
    """The words of a list; they are read anew each time they are gone through.

    Attributes:
        path: The list.
        root: Where the images are.
        separator: What stands between image and text: a TAB, a comma or a blank.
        is_quoted: Whether quotation marks around a text are no part of it.
        has_script: Whether the name of a script stands before the text.
        n_lines: Number of words.
    """

    path: Path
    root: ImageRoot
    separator: str
    is_quoted: bool
    has_script: bool
    n_lines: int

    def __len__(self) -> int:
        return self.n_lines

    def __iter__(self) -> Iterator[Item]:
        return (item for item in parse_lines(self.path, self._parse) if item is not None)

    def _parse(self, text: str, origin: str) -> Sample | None:
        if _is_no_word(text, self.separator):
            return None
        name, separator, truth = text.lstrip().partition(self.separator)
        if not separator or not name.strip():
            between = {"\t": "a TAB", ",": "a comma"}.get(self.separator, "a TAB (or a blank)")
            raise AnnotationError(f"{origin}: expected an image, {between} and its text, got {text.strip()!r}")
        truth = truth.strip()
        if self.has_script:
            truth = truth.partition(",")[2].strip()
        name = _unquote(name.strip()) if self.is_quoted else name.strip()
        return Sample(name, self.root.find(name), _unquote(truth) if self.is_quoted else truth, origin)


def read_word_list(path: Path, root: ImageRoot) -> WordListSamples:
    r"""Open a list of words.

    Each line is an image's name, a TAB and the text; the text may hold blanks and TABs, and may be empty. Where the
    first line holds no TAB, but the name of an image and a comma, the comma separates, as in ICDAR's `word_1.png,
    "TEXT"` and in EasyOCR's `labels.csv`; quotation marks around a text are then no part of it, and `\"` and `""`
    within them are one mark. Otherwise a blank separates, as in MMOCR's `label.txt`: the first one, so that the text
    may hold blanks here too. White space around names and texts is dropped. A first line such as `filename,words` is
    a header, and a line that begins with `#` and names no image is a comment.

    Where every text is in quotation marks, they are taken off, with a warning.

    Args:
        path: The list, in UTF-8, with or without a byte-order mark.
        root: Where the images are.

    Raises:
        AnnotationError: The list is missing, cannot be read, is empty, is of another format, or has more columns.
    """
    head = next((text for _, text in numbered_lines(path) if not _COMMENT.match(text)), "")
    _refuse_other_formats(head, path)
    separator = "\t" if "\t" in head else "," if _NAME_AND_COMMA.match(head) or _is_header(head, ",") else " "
    columns = _Columns(separator)
    count_lines(path, columns.look)
    if columns.n_lines == 0:
        raise AnnotationError(f"{path}: expected an annotation a line, got an empty file")
    if columns.are_more and not columns.have_scripts:
        raise AnnotationError(
            f"{path}, line {columns.first}: expected an image and its text, got {columns.n_columns} columns, as in all "
            "other lines",
            _FIX_COLUMNS,
        )
    if columns.are_quoted and separator != ",":
        warn(f"{path}: every text is in quotation marks, which are taken for no part of it")
    is_quoted = separator == "," or columns.are_quoted
    return WordListSamples(path, root, separator, is_quoted, columns.have_scripts, columns.n_lines)


class _Columns:
    """Looks at the lines of a list for what all of them have in common.

    Attributes:
        n_lines: Number of words.
        first: Number of the first line of a word.
        are_quoted: Whether every text is in quotation marks.
        have_scripts: Whether every text has the name of a script and a comma before it.
    """

    def __init__(self, separator: str) -> None:
        self.n_lines = 0
        self.first = 0
        self.are_quoted = True
        self.have_scripts = separator == ","
        self._separator = separator
        self._counts: set[int] = set()

    def look(self, number: int, text: str) -> None:
        """Look at one line."""
        if _is_no_word(text, self._separator):
            return
        self.n_lines += 1
        self.first = self.first or number
        truth = text.lstrip().partition(self._separator)[2].strip()
        is_quoted = _is_quoted(truth)
        self.are_quoted &= is_quoted
        script, comma, _ = truth.partition(",")
        self.have_scripts &= bool(comma) and script.strip().lower() in SCRIPTS
        self._counts.add(1 if is_quoted else truth.count(self._separator) + 1)

    @property
    def n_columns(self) -> int:
        """How many columns the lines have, the image's included."""
        return max(self._counts) + 1

    @property
    def are_more(self) -> bool:
        """Whether all lines have the same number of columns, and more than two. One line with commas has a text."""
        one_number = len(self._counts) == 1 and self.n_columns > 2
        return one_number and (self._separator == "\t" or (self._separator == "," and self.n_lines > 1))


def _is_no_word(text: str, separator: str) -> bool:
    """Tell whether a line is a header or a comment."""
    return _is_header(text, separator) or _COMMENT.match(text) is not None


def _is_header(text: str, separator: str) -> bool:
    return separator in text and _HEADER.match(text.strip()) is not None


def _is_quoted(text: str) -> bool:
    return len(text) >= 2 and text[0] == text[-1] == '"'


def _unquote(text: str) -> str:
    return _ESCAPED.sub(lambda match: match[1] or '"', text[1:-1]) if _is_quoted(text) else text


def _refuse_other_formats(line: str, path: Path) -> None:
    """Refuse what is no list, where its first line shows what it is.

    Raises:
        AnnotationError: Names the format, and what to make of it.
    """
    text = line.lstrip()
    match text[:2]:
        case "{'":
            found, fix = "a Python dictionary", 'Write JSON, with json.dumps: names and texts in "double" marks.'
        case '["':
            found, fix = "PaddleOCR's list of several images of one text", "Write a line an image: image<TAB>text."
        case "{" | "[" | "[{" | '{"':
            found, fix = (
                "JSON over several lines",
                "Write a JSON object with filename and text a line, or image<TAB>text.",
            )
        case _ if "\t[{" in text:
            found, fix = "PaddleOCR's labels of text detection", "Evaluate a detector on it, or give a list of words."
        case _:
            return
    raise AnnotationError(f"{path}, line 1: expected a list of image<TAB>text lines, got {found}", fix)
