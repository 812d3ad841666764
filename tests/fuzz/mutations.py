"""Bytes of a fuzzer to changes of whole documents: values out of place, of the wrong type, missing, twice."""

import copy
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3, 2**31, 2**70, -0.5, 1e308, float("nan"), float("inf"), "", "text", "a\0b", "\ud800",
    "a\nb", "../../x", "x" * 3000, [], [[]], [0], ["text"], [[0, 0, 1, 0, 1, 1]], {}, {"type": "Unknown"}, {"": None},
)  # fmt: skip

ODD_PIECES = (
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n\n", b"\xed\xa0\x80", b"\xe2\x80\xa8", b",", b"{", b"]",
    b'"', b"\\", b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 3000, b"\t", b" ", b"###", b"{}", b"null",
)  # fmt: skip


class Choices:
    """Decisions, two bytes each; when the bytes are used up, always the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def below(self, limit: int) -> int:
        """Return a number from 0 up to a limit, exclusive."""
        part = self._data[self._position : self._position + 2]
        self._position += 2
        return int.from_bytes(part, "little") % limit

    def of(self, values: Any) -> Any:
        """Return one of a sequence."""
        return values[self.below(len(values))]


def mutate_document(document: Any, choices: Choices) -> Any:
    """Return a copy with up to four changes at any depth."""
    holder = [copy.deepcopy(document)]
    for _ in range(choices.below(5)):
        places = _places(holder)
        container, key = choices.of(places)
        match choices.below(5):
            case 0 if container is not holder:
                del container[key]
            case 1:
                source, source_key = choices.of(places)
                container[key] = copy.deepcopy(source[source_key])
            case 2 if isinstance(container, dict):
                container[key + choices.of(("x", " ", "\0"))] = container.pop(key)
            case 3 if isinstance(container, list) and container is not holder:
                container.insert(key, copy.deepcopy(container[key]))
            case _:
                container[key] = copy.deepcopy(choices.of(ODD_VALUES))
    return holder[0]


def mutate_bytes(data: bytes, choices: Choices) -> bytes:
    """Return the bytes with one to four pieces cut out, repeated, changed or put in."""
    for _ in range(1 + choices.below(4)):
        start = choices.below(len(data) + 1)
        end = min(len(data), start + (1, 2, 8, 100, 10_000)[choices.below(5)])
        match choices.below(4):
            case 0:
                piece = b""
            case 1:
                piece = data[start:end] * 2
            case 2:
                piece = bytes([choices.below(256)]) + data[start + 1 : end]
            case _:
                piece = choices.of(ODD_PIECES) + data[start:end]
        data = data[:start] + piece + data[end:]
    return data


def _places(holder: list[Any]) -> list[tuple[Any, Any]]:
    """Return every place of a document as its container and the key in it."""
    places: list[tuple[Any, Any]] = []
    open_containers: list[Any] = [holder]
    while open_containers:
        container = open_containers.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            places.append((container, key))
            if isinstance(container[key], dict | list):
                open_containers.append(container[key])
    return places
