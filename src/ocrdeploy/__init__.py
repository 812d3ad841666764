"""Run OCR models trained with MMOCR in production: export, verify, evaluate, predict.

Everything that the commands do can be called, with the same options and typed results::

    import ocrdeploy

    ocrdeploy.export_model("dbnet.py", "dbnet.pth", "model.onnx", dynamic=True)
    assert ocrdeploy.verify("model.onnx").passed
    with ocrdeploy.open_predictor("model.onnx") as predictor:
        detections = predictor("photo.jpg", score_threshold=0.5)
"""

from ocrdeploy.version import __version__

# Not imported from `typing`, which takes longer than all else here: the command line must hear Ctrl-C before.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocrdeploy.api import build_engine, export_model
    from ocrdeploy.benchmarking.models import benchmark
    from ocrdeploy.benchmarking.rows import BenchmarkRow
    from ocrdeploy.engines.building import BuildReport
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
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.exporting import ExportReport
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.results import Detection, Recognition
    from ocrdeploy.running.models import open_predictor
    from ocrdeploy.running.open_reader import open_reader
    from ocrdeploy.running.pages import Page, Word
    from ocrdeploy.running.reading import Reader
    from ocrdeploy.verification.models import Verdict, Verification, verify

__all__ = [
    "AnnotationError",
    "BenchmarkRow",
    "BuildReport",
    "CheckError",
    "CheckpointError",
    "ConfigError",
    "Detection",
    "DeviceError",
    "EvaluationRow",
    "ExportReport",
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
    "Predictor",
    "Reader",
    "Recognition",
    "ShapeError",
    "UsageError",
    "Verdict",
    "Verification",
    "Word",
    "__version__",
    "benchmark",
    "build_engine",
    "evaluate",
    "export_model",
    "open_predictor",
    "open_reader",
    "verify",
]


_PLACES = {
    "BenchmarkRow": "ocrdeploy.benchmarking.rows",
    "BuildReport": "ocrdeploy.engines.building",
    "Detection": "ocrdeploy.results",
    "EvaluationRow": "ocrdeploy.evaluation.rows",
    "ExportReport": "ocrdeploy.exporting",
    "Page": "ocrdeploy.running.pages",
    "Predictor": "ocrdeploy.predictor",
    "Reader": "ocrdeploy.running.reading",
    "Recognition": "ocrdeploy.results",
    "Verdict": "ocrdeploy.verification.models",
    "Verification": "ocrdeploy.verification.models",
    "Word": "ocrdeploy.running.pages",
    "benchmark": "ocrdeploy.benchmarking.models",
    "build_engine": "ocrdeploy.api",
    "evaluate": "ocrdeploy.evaluation.models",
    "export_model": "ocrdeploy.api",
    "open_predictor": "ocrdeploy.running.models",
    "open_reader": "ocrdeploy.running.open_reader",
    "verify": "ocrdeploy.verification.models",
}
"""The module of each public name but the errors."""


def __getattr__(name: str) -> "Any":
    """Import what is asked for only then, so that the command line starts without loading any library."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES.get(name, "ocrdeploy.errors")), name)


def __dir__() -> list[str]:
    """Return the public names, for tools that complete them."""
    return __all__
