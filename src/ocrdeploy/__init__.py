"""Run OCR models trained with MMOCR in production: export, verify, evaluate, predict.

From Python, everything begins with `open_predictor`::

    with ocrdeploy.open_predictor("model.onnx") as predictor:
        detections = predictor("image.jpg")
"""

from ocrdeploy.version import __version__

# Not imported from `typing`, which takes longer than all else here: the command line must hear Ctrl-C before.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocrdeploy.engines.building import build_engine
    from ocrdeploy.engines.requests import BuildRequest
    from ocrdeploy.errors import (
        AnnotationError,
        CheckError,
        CheckpointError,
        ConfigError,
        DeviceError,
        ImageError,
        InputError,
        ItemError,
        MachineError,
        MissingPackageError,
        ModelError,
        NonFiniteError,
        OcrDeployError,
        OcrDeployWarning,
        OutputError,
        ShapeError,
        UsageError,
    )
    from ocrdeploy.evaluation.models import evaluate
    from ocrdeploy.exporting import ExportRequest, export_model
    from ocrdeploy.results import Detection, Recognition
    from ocrdeploy.running.models import open_predictor
    from ocrdeploy.running.open_reader import open_reader
    from ocrdeploy.running.pages import Page, Word
    from ocrdeploy.running.reading import Reader
    from ocrdeploy.verification.models import verify

__all__ = [
    "AnnotationError",
    "BuildRequest",
    "CheckError",
    "CheckpointError",
    "ConfigError",
    "Detection",
    "DeviceError",
    "ExportRequest",
    "ImageError",
    "InputError",
    "ItemError",
    "MachineError",
    "MissingPackageError",
    "ModelError",
    "NonFiniteError",
    "OcrDeployError",
    "OcrDeployWarning",
    "OutputError",
    "Page",
    "Reader",
    "Recognition",
    "ShapeError",
    "UsageError",
    "Word",
    "__version__",
    "build_engine",
    "evaluate",
    "export_model",
    "open_predictor",
    "open_reader",
    "verify",
]


def __getattr__(name: str) -> "Any":
    """Import what is asked for only then, so that the command line starts without loading any library."""
    match name:
        case "open_predictor":
            place = "ocrdeploy.running.models"
        case "open_reader":
            place = "ocrdeploy.running.open_reader"
        case "Page" | "Word":
            place = "ocrdeploy.running.pages"
        case "Reader":
            place = "ocrdeploy.running.reading"
        case "export_model" | "ExportRequest":
            place = "ocrdeploy.exporting"
        case "build_engine":
            place = "ocrdeploy.engines.building"
        case "BuildRequest":
            place = "ocrdeploy.engines.requests"
        case "evaluate":
            place = "ocrdeploy.evaluation.models"
        case "verify":
            place = "ocrdeploy.verification.models"
        case "Detection" | "Recognition":
            place = "ocrdeploy.results"
        case _ if name in __all__:
            place = "ocrdeploy.errors"
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(place), name)


def __dir__() -> list[str]:
    """Return the public names, for tools that complete them."""
    return __all__
