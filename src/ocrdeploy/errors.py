"""The errors a user can meet, each with its exit code and, where one exists, its fix.

::

    OcrDeployError                 the base of all that follows
    ├── CheckError            1    something was compared, gated or worked through, and failed
    │   ├── ItemError              one image or annotation of many could not be processed
    │   └── NonFiniteError         an output of a network holds NaN or infinity
    ├── InputError            2    what the user gave cannot be used
    │   ├── UsageError             options that contradict each other, or a value that does not exist
    │   ├── ConfigError            an MMOCR config that is broken or asks for what cannot be honoured
    │   ├── CheckpointError        a checkpoint that is broken or does not fit its network
    │   ├── ModelError             an ONNX model or engine that is broken or lacks its spec
    │   ├── ShapeError             a tensor whose shape the model does not take
    │   ├── ImageError             an image file that cannot be read
    │   ├── AnnotationError        an annotation file that cannot be read
    │   └── OutputError            a place where nothing can be written
    └── MachineError          3    something this machine lacks
        ├── MissingPackageError    a Python package, named with the command that installs it
        └── DeviceError            a GPU or another device that is not there
"""

import warnings
from typing import ClassVar


class OcrDeployWarning(UserWarning):
    """Something that the user should know and that stops nothing; the commands print it as a line."""


def warn(text: str) -> None:
    """Tell the user, or the program that uses the library, of something that stops nothing.

    Args:
        text: What was found, with file and place, and what to do about it.
    """
    warnings.warn(text, OcrDeployWarning, stacklevel=3)


class OcrDeployError(Exception):
    """Something that the user can understand and, mostly, mend.

    Args:
        message: What was expected and what was got, without a full stop at the end.
        fix: What to do about it, as a sentence; may be empty.
        details: What --verbose adds, a line each.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, fix: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.details = details

    def __str__(self) -> str:
        """Return the message and the fix in one line."""
        return f"{self.message}. {self.fix}" if self.fix else self.message


class CheckError(OcrDeployError):
    """A comparison, gate or item failed."""


class ItemError(CheckError):
    """One image or annotation of many could not be processed."""


class NonFiniteError(CheckError):
    """An output of a network holds NaN or infinity, so it means nothing and is not decoded."""


class InputError(OcrDeployError):
    """What the user gave cannot be used."""

    exit_code = 2


class UsageError(InputError):
    """Options contradict each other, or a value does not exist."""


class ConfigError(InputError):
    """An MMOCR config is broken or asks for what cannot be honoured."""


class CheckpointError(InputError):
    """A checkpoint is broken or does not fit its network."""


class ModelError(InputError):
    """An ONNX model or engine is broken or lacks its spec."""


class ShapeError(InputError):
    """A tensor has a shape that the model does not take."""


class ImageError(InputError):
    """An image file cannot be read."""


class AnnotationError(InputError):
    """An annotation file cannot be read."""


class OutputError(InputError):
    """Nothing can be written where the user asked for it."""


class MachineError(OcrDeployError):
    """This machine lacks something."""

    exit_code = 3


class MissingPackageError(MachineError):
    """A Python package is not installed.

    Args:
        package: Import name of the package.
        purpose: What it is needed for, as the rest of the sentence "PACKAGE is needed to ...".
        install: The command that installs it.
    """

    def __init__(self, package: str, purpose: str, install: str) -> None:
        super().__init__(f"{package} is needed to {purpose}, and it is not installed", f"Install it with: {install}")
        self.package = package


class DeviceError(MachineError):
    """A device that was asked for is not there."""
