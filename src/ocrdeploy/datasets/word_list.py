"""Plain lists of words: an image and its text a line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.errors import AnnotationError

from .samples import Item, Sample
from .sources import ImageRoot
from .text_lines import count_lines, first_line, parse_lines


@dataclass(frozen=True, slots=True)
class WordListSamples:
    """The words of a list; they are read anew each time they are gone through.

    Attributes:
        path: The list.
        root: Where the images are.
        separator: What stands between image and text: a TAB or a blank.
        n_lines: Number of words.
    """

    path: Path
    root: ImageRoot
    separator: str
    n_lines: int

    def __len__(self) -> int:
        return self.n_lines

    def __iter__(self) -> Iterator[Item]:
        return parse_lines(self.path, self._parse)

    def _parse(self, text: str, origin: str) -> Sample:
        name, separator, truth = text.lstrip().partition(self.separator)
        if not separator or not name.strip():
            between = "a TAB" if self.separator == "\t" else "a TAB (or a blank)"
            raise AnnotationError(f"{origin}: expected an image, {between} and its text, got {text.strip()!r}")
        return Sample(name.strip(), self.root.find(name.strip()), truth.strip(), origin)


def read_word_list(path: Path, root: ImageRoot) -> WordListSamples:
    """Open a list of words.

    Each line is an image's name, a TAB and the text; the text may hold blanks and TABs, and may be empty. Where the
    first line holds no TAB, a blank stands between them, as in MMOCR's `label.txt`: the first one, so that the text
    may hold blanks here too. White space around names and texts is dropped.

    Args:
        path: The list, in UTF-8, with or without a byte-order mark.
        root: Where the images are.

    Raises:
        AnnotationError: The list is missing, cannot be read or is empty.
    """
    n_lines = count_lines(path)
    return WordListSamples(path, root, "\t" if "\t" in first_line(path) else " ", n_lines)
