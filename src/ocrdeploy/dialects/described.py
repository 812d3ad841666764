"""A model of another family, described in a small TOML or JSON file."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ocrdeploy.decoders import Decoder
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task
from ocrdeploy.steps import Step, check_steps

from .foreign import BLANK, ForeignModel, characters_of, read_text

EXAMPLE = "The documentation of adopt has an example."


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What such a file holds: the steps and the decoder as a model's spec has them, and what the spec calls the model.

    Beside these, `dictionary` may name a text file with a character a line, from which the dictionary of a CTCConvertor
    is filled: a blank, then the characters; with `blank_last = true` the blank comes last.
    """

    task: Task
    architecture: str
    preprocessing: tuple[Step, ...]
    postprocessing: Decoder


def read_description(path: Path, dictionary: Path | None = None) -> ForeignModel:
    """Return what a file describes.

    Args:
        path: A file in TOML, or in JSON where its name ends so.
        dictionary: A dictionary that goes before the one that the file names.

    Raises:
        ConfigError: The file is broken, or contradicts itself.
    """
    values = _parse(path)
    _fill_dictionary(values, path, dictionary)
    try:
        found = msgspec.convert(values, type=Description)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}", EXAMPLE) from error
    check_steps(found.preprocessing)
    if found.postprocessing.task != found.task:
        raise ConfigError(f"{path}: {type(found.postprocessing).__name__} does not belong to task {found.task!r}")
    return ForeignModel(found.architecture, found.task, found.preprocessing, found.postprocessing, str(path))


def _parse(path: Path) -> dict[str, Any]:
    """Return the content of a file."""
    text = read_text(path, "description")
    is_json = path.suffix.lower() == ".json"
    try:
        values = json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no {'JSON' if is_json else 'TOML'} file: {error}", EXAMPLE) from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is no description: it holds no table", EXAMPLE)
    return values


def _fill_dictionary(values: dict[str, Any], path: Path, dictionary: Path | None) -> None:
    """Put the characters of the dictionary's file in their place."""
    named = values.pop("dictionary", None)
    blank_last = values.pop("blank_last", False)
    if named is None and dictionary is None:
        return
    decoder = values.get("postprocessing")
    if not isinstance(named, str | None) or not isinstance(decoder, dict) or decoder.get("type") != "CTCConvertor":
        raise ConfigError(f"{path}: `dictionary` names a text file, and belongs to a CTCConvertor", EXAMPLE)
    file = dictionary or path.parent / str(named)
    characters = characters_of(read_text(file, "dictionary"))
    whole = (*characters, BLANK) if blank_last else (BLANK, *characters)
    values["postprocessing"] = {"blank_index": len(characters) if blank_last else 0, **decoder, "dictionary": whole}
