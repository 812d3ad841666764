"""What a config says of a network, in neutral words: what only one generation of configs has is read already."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ocrdeploy.errors import ConfigError

from .section import Section

Settings = TypeVar("Settings")


class NetworkParts:
    """The sections of a config's `model` that say how its network is built.

    A detector has `backbone`, `neck` and `head`, a recogniser `preprocessor`, `backbone`, `encoder` and `decoder`.
    What they say of training has been left out.

    Args:
        model: The config's `model`; what else it holds has been taken.
        keys: The config's names of parts that are called otherwise here.
        skipped: Keys of any part that have no influence on what a trained model computes.
        given: Parts that have been taken from the model, by their names here.
    """

    def __init__(
        self,
        model: Section,
        keys: Mapping[str, str],
        skipped: tuple[str, ...],
        given: Mapping[str, Section] | None = None,
    ) -> None:
        self._model = model
        self._keys = keys
        self._skipped = skipped
        self._given = dict(given or {})

    def take(self, name: str) -> Section:
        """Return a part.

        Raises:
            ConfigError: The config has no such part.
        """
        part = self._given.pop(name, None) or self._model.section(self._keys.get(name, name))
        part.skip(*self._skipped)
        return part

    def expect_none(self, *names: str) -> None:
        """Refuse parts that the network has not.

        Raises:
            ConfigError: The config has one.
        """
        for name in names:
            self._model.expect(self._keys.get(name, name), None)

    def finish(self, make: Callable[..., Settings], *parts: Any) -> Settings:
        """Return the settings of the network, made of its parts.

        Raises:
            ConfigError: The parts do not fit together, or the model has keys that are not known.
        """
        try:
            settings = make(*parts)
        except ValueError as error:
            raise ConfigError(f"{self._model.place} of the config: {error}") from error
        self._model.finish()
        return settings
