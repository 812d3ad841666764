"""Model specs to and from JSON."""

from typing import TypeVar

import msgspec

from ocrdeploy.errors import ModelError

from .engines import EngineRecord
from .spec import SCHEMA_VERSION, ModelSpec

Document = TypeVar("Document", ModelSpec, EngineRecord)


class _SchemaOnly(msgspec.Struct):
    """The one field that every version of the document has."""

    schema: int


def encode_spec(spec: ModelSpec) -> str:
    """Return the spec as JSON on one line."""
    return msgspec.json.encode(spec).decode()


def decode_spec(text: str | bytes, origin: str) -> ModelSpec:
    """Read a spec from JSON.

    Args:
        text: The document.
        origin: What it was found in, for error messages: a file name.

    Raises:
        ModelError: It is no JSON, of a newer schema, or has a missing, unknown or impossible value.
    """
    return decode_document(text, ModelSpec, SCHEMA_VERSION, f"the model spec of {origin}", "Export the model again.")


def decode_document(text: str | bytes, kind: type[Document], newest: int, name: str, fix: str) -> Document:
    """Read a document that says by `schema` which version of its form it has.

    Args:
        text: The document.
        kind: What it is.
        newest: The newest version that is read.
        name: What it is called in error messages.
        fix: What to do about one that is broken.

    Raises:
        ModelError: It is no JSON, of a newer schema, or has a missing, unknown or impossible value.
    """
    try:
        schema = msgspec.json.decode(text, type=_SchemaOnly).schema
        if schema > newest:
            raise ModelError(f"{name} has schema {schema}, and this version reads up to {newest}", "Update ocrdeploy.")
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ModelError(f"{name} is broken: {error}", fix) from error
