"""Pictures that ocrdeploy writes, told from images that are to be read: drawings by their names, words by a mark."""

import zlib
from pathlib import Path

DRAWN_SUFFIXES = (".pred.png", ".read.png", ".show.png", ".worst.png")
"""How the names of drawings end: results drawn on an image, and results of several models side by side."""
HEADER_BYTES = 33
"""PNG's signature and its first chunk, behind which others may stand."""


def is_drawing(path: Path) -> bool:
    """Tell whether a file's name is one that drawings get."""
    return path.name.casefold().endswith(DRAWN_SUFFIXES)


def mark_word(png: bytes) -> bytes:
    """Return a PNG file that says of itself that it is a word which was cut out of an image."""
    return png[:HEADER_BYTES] + _mark() + png[HEADER_BYTES:]


def is_word(path: Path) -> bool:
    """Tell whether a file is a word that was cut out of an image by this program."""
    mark = _mark()
    try:
        with path.open("rb") as file:
            return path.suffix == ".png" and file.read(HEADER_BYTES + len(mark))[HEADER_BYTES:] == mark
    except OSError:
        return False


def _mark() -> bytes:
    """Return a chunk of text, as PNG has it: length, kind, keyword and text, checksum."""
    body = b"tEXtSoftware\0ocrdeploy, a word cut out of an image"
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
