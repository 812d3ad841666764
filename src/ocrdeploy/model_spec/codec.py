"""Model specs to and from JSON."""

import msgspec

from ocrdeploy.errors import ModelError

from .spec import SCHEMA_VERSION, ModelSpec


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
    try:
        schema = msgspec.json.decode(text, type=_SchemaOnly).schema
        if schema > SCHEMA_VERSION:
            raise ModelError(
                f"the model spec of {origin} has schema {schema}, and this version reads up to {SCHEMA_VERSION}",
                "Update ocrdeploy.",
            )
        return msgspec.json.decode(text, type=ModelSpec)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ModelError(f"the model spec of {origin} is broken: {error}", "Export the model again.") from error
