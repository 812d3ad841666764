"""MMOCR's parsers of one annotation line."""

import json
from collections.abc import Mapping

from ocrdeploy.errors import AnnotationError, ConfigError
from ocrdeploy.model_spec import LineJsonParser, LineStrParser

Parser = LineJsonParser | LineStrParser


def parse_line(parser: Parser, text: str, origin: str) -> dict[str, object]:
    """Take the parser's keys from a line.

    Args:
        parser: Which keys there are, and how to find them.
        text: The line.
        origin: Where it is written, for messages.

    Raises:
        AnnotationError: The line is not of the parser's form, or lacks a key.
    """
    match parser:
        case LineJsonParser():
            return _parse_json_line(parser, text, origin)
        case LineStrParser():
            return _parse_separated_line(parser, text, origin)


def require_key(parser: Parser, key: str, purpose: str) -> None:
    """Refuse a parser that does not give a key.

    Raises:
        ConfigError: The key is not among the parser's.
    """
    if key not in parser.keys:
        keys = ", ".join(parser.keys)
        raise ConfigError(
            f"{purpose} needs the key {key!r}, and those of its {type(parser).__name__} are {keys}",
            f"Add {key!r} to the keys of the data set's parser.",
        )


def parse_json(text: str, origin: str, fix: str = "") -> object:
    """Parse JSON, with the words NaN and Infinity that Python allows in it.

    Args:
        text: The document.
        origin: Where it is written, for messages.
        fix: What to do if it is no JSON, for messages.

    Raises:
        AnnotationError: It is no JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f", line {error.lineno}" if "\n" in text else ""
        raise AnnotationError(f"{origin}{line}: expected JSON; at column {error.colno}: {error.msg}", fix) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets within brackets
        raise AnnotationError(f"{origin}: the JSON cannot be read: {error}", fix) from error


def require_text(value: object, key: str, origin: str) -> str:
    """Return the value of a key that has to be a string.

    Raises:
        AnnotationError: It is something else, or a string that cannot be written.
    """
    if not isinstance(value, str):
        raise AnnotationError(f"{origin}: expected {key!r} to be a string, got {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can escape one half of a surrogate pair, which no file can hold
        raise AnnotationError(f"{origin}: expected {key!r} to be Unicode text, got {value!r}") from error
    return value


def take_keys(parser: Parser, fields: Mapping[str, object], origin: str) -> dict[str, object]:
    """Return the parser's keys alone.

    Raises:
        AnnotationError: One of them is missing.
    """
    for key in parser.keys:
        if key not in fields:
            raise AnnotationError(f"{origin}: expected the keys {', '.join(parser.keys)}, but there is no {key!r}")
    return {key: fields[key] for key in parser.keys}


def split_line(parser: LineStrParser, text: str) -> list[str]:
    """Return the fields of a line.

    Raises:
        ConfigError: The parser has no separator.
    """
    if not parser.separator:
        raise ConfigError("the separator of LineStrParser is an empty string", "Give it a separator, such as ' '.")
    match parser.strip, parser.strip_pos:
        case True, "both":
            text = text.strip(parser.strip_str)
        case True, "left":
            text = text.lstrip(parser.strip_str)
        case True, "right":
            text = text.rstrip(parser.strip_str)
    return text.split(parser.separator)


def _parse_json_line(parser: LineJsonParser, text: str, origin: str) -> dict[str, object]:
    """Take the keys from a JSON object.

    Source: `LineJsonParser` in `mmocr.datasets.utils.parser`, MMOCR v0.6.3.
    """
    value = parse_json(text, origin)
    if not isinstance(value, dict):
        raise AnnotationError(f"{origin}: expected a JSON object, got {type(value).__name__}")
    return take_keys(parser, value, origin)


def _parse_separated_line(parser: LineStrParser, text: str, origin: str) -> dict[str, object]:
    """Take the keys from the fields of a line.

    A text that holds the separator is cut at it, as in MMOCR; whoever opens the file warns of it.

    Source: `LineStrParser` and `StringStrip` in `mmocr.datasets.utils.parser` and `mmocr.utils`, MMOCR v0.6.3.
    """
    fields = split_line(parser, text)
    try:
        return {key: fields[index] for key, index in zip(parser.keys, parser.keys_idx, strict=True)}
    except IndexError as error:
        expected = f"{', '.join(parser.keys)} separated by {parser.separator!r}"
        needed = max(parser.keys_idx) + 1
        raise AnnotationError(f"{origin}: expected {expected} ({needed} fields), got {len(fields)} fields") from error
