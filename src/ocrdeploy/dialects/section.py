"""One dictionary of a config, read so strictly that nothing in it can be overlooked."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from ocrdeploy.errors import ConfigError

T = TypeVar("T")

REQUIRED: Any = object()
"""Default of a key that has none."""

KEY_IN_ERROR = re.compile(r" - at `\$(.*)`$")
"""How msgspec says, at the end of a message, which part of a value is wrong."""


class Section:
    """A dictionary of the config and its place there, such as `model.backbone`.

    Every key is either taken or skipped; `finish` refuses, by name, what is left.
    """

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(f"{place} of the config must be a dict, got {type(values).__name__}")
        self._left = dict(values)
        self.place = place

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def __iter__(self) -> Iterator[str]:
        return iter(self._left)

    def take(self, key: str, kind: Any, default: Any = REQUIRED) -> Any:
        """Return the value of `key`, checked to be of type `kind`; lists become tuples where `kind` is one.

        Raises:
            ConfigError: The key is missing and has no default, or the value is of another type.
        """
        if key not in self._left:
            if default is REQUIRED:
                raise ConfigError(f"{self.place} of the config lacks the key {key!r}")
            return default
        return _convert(self._left.pop(key), kind, f"{self.place}.{key}")

    def expect(self, key: str, expected: Any, default: Any = REQUIRED) -> None:
        """Take a key that can have one value only; sequences are compared as tuples.

        Raises:
            ConfigError: The value is another one, which cannot be honoured.
        """
        value = self.take(key, Any, expected if default is REQUIRED else default)
        if (tuple(value) if isinstance(value, list) else value) != expected:
            raise ConfigError(
                f"{self.place}.{key} = {value!r} cannot be honoured: only {expected!r} is supported",
            )

    def build(self, kind: type[T], keys: Iterable[str], given: Mapping[str, Any] | None = None) -> T:
        """Make a `kind` (a dataclass or spec part that checks itself) from those of `keys` that are here, and `given`.

        A key that is not here keeps the default of `kind`, which is MMOCR's.

        Raises:
            ConfigError: A value is missing, of another type, or one that `kind` refuses.
        """
        values = {key: self._left.pop(key) for key in keys if key in self._left}
        built: T = _convert(values | dict(given or {}), kind, self.place)
        return built

    def section(self, key: str) -> "Section":
        """Take a key whose value is a dictionary."""
        return Section(self.take(key, Any), f"{self.place}.{key}")

    def sections(self, key: str) -> list["Section"]:
        """Take a key whose value is a list of dictionaries."""
        values = self.take(key, list[Any])
        return [Section(value, f"{self.place}.{key}[{index}]") for index, value in enumerate(values)]

    def take_none(self, key: str) -> bool:
        """Return whether a key is left out or None, and take it if so."""
        is_none = self._left.get(key) is None
        if is_none:
            self._left.pop(key, None)
        return is_none

    def type_name(self) -> str:
        """Take `type`, without the scope (`mmdet.`, `mmocr.`) that MMOCR allows before a name."""
        name: str = self.take("type", str)
        scope, _, bare = name.rpartition(".")
        return bare if scope in ("", "mmdet", "mmocr") else name

    def peek(self, key: str, kind: Any, default: Any) -> Any:
        """Return the value of `key` as `take` does, and leave it here."""
        return Section(self._left, self.place).take(key, kind, default)

    def peek_type(self) -> str:
        """Return `type` as `type_name` does, and leave it here."""
        whole = self.take("type", str)
        self._left["type"] = whole
        return Section({"type": whole}, self.place).type_name()

    def expect_type(self, expected: str) -> None:
        """Take `type`, which can be one only.

        Raises:
            ConfigError: It is another one.
        """
        name = self.type_name()
        if name != expected:
            raise ConfigError(f"{self.place}.type = {name!r} cannot be honoured: only {expected!r} is supported")

    def with_values(self, values: Mapping[str, Any]) -> "Section":
        """Return a section of what is left here, with other values for some keys."""
        return Section({**self._left, **values}, self.place)

    def skip(self, *keys: str) -> None:
        """Leave out keys that have no influence on what a trained model computes."""
        for key in keys:
            self._left.pop(key, None)

    def finish(self) -> None:
        """Refuse what was neither taken nor skipped.

        Raises:
            ConfigError: Names every such key.
        """
        if self._left:
            names = ", ".join(f"{self.place}.{key}" for key in self._left)
            raise ConfigError(
                f"{names} of the config: not known, so it cannot be honoured",
                "Remove it if the model does not depend on it.",
            )


def _convert(value: Any, kind: Any, place: str) -> Any:
    """Return a value of the config as one of type `kind`; an error names the key."""
    try:
        converted = msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = KEY_IN_ERROR.search(text)
        if found:
            place, text = place + found[1], text[: found.start()] + _got(value, found[1])
        raise ConfigError(f"{place} of the config: {text}") from error
    _check_storable(value, place)
    return converted


def _got(value: object, path: str) -> str:
    """Return, for a message, the number or text at a path such as `.size[0]` of a value; nothing of longer things."""
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list | tuple) and index:
            value = value[int(index)]
    return f", got {value!r}" if isinstance(value, int | float) else ""


def _check_storable(value: object, place: str) -> None:
    """Refuse what JSON cannot hold and no option means anything with: infinite numbers, NaN, halves of characters."""
    match value:
        case float() if not math.isfinite(value):
            raise ConfigError(f"{place} of the config: expected a finite number, got {value}")
        case str() if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise ConfigError(f"{place} of the config: expected Unicode text, got {value!r}")
        case Mapping():
            for key, item in value.items():
                _check_storable(item, f"{place}.{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                _check_storable(item, f"{place}[{index}]")
