"""What is known of somebody else's model: its steps and its decoder, from whatever says so."""

from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.artifacts import check_file
from ocrdeploy.decoders import Decoder
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Task
from ocrdeploy.steps import Step

BLANK = "blank"
"""What CTC's blank is called; PP-OCR has it so in dictionaries that have it baked in."""
MAX_BYTES = 2**24
"""Larger dictionaries and descriptions are refused; PaddleOCR's largest has 0.2 MB."""


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """What is known of a model that holds no spec.

    Attributes:
        architecture: What its spec calls it.
        task: Text detection or recognition.
        preprocessing: From the image to the input tensor.
        postprocessing: From the outputs to polygons or text.
        origin: What says so, in words.
    """

    architecture: str
    task: Task
    preprocessing: tuple[Step, ...]
    postprocessing: Decoder
    origin: str


def read_text(path: Path, kind: str) -> str:
    """Return a text file in UTF-8.

    Raises:
        ConfigError: It is missing, no file, too large, or no text.
    """
    check_file(path, kind, ConfigError)
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
        if data is None:
            raise ConfigError(f"the {kind} {path} is larger than {MAX_BYTES} bytes", "Name another file.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the {kind} {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the {kind} {path} must be a text file in UTF-8: {error}", "Convert it to UTF-8.") from error


def characters_of(text: str) -> list[str]:
    """Return the entries of a dictionary, one a line; the end of the last line may be missing."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
