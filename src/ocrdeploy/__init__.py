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

    from ocrdeploy.evaluation.models import evaluate
    from ocrdeploy.results import Detection, Recognition
    from ocrdeploy.running.models import open_predictor
    from ocrdeploy.verification.models import verify

__all__ = ["Detection", "Recognition", "__version__", "evaluate", "open_predictor", "verify"]


def __getattr__(name: str) -> "Any":
    """Import what is asked for only then, so that the command line starts without loading any library."""
    match name:
        case "open_predictor":
            from ocrdeploy.running.models import open_predictor

            return open_predictor
        case "evaluate":
            from ocrdeploy.evaluation.models import evaluate

            return evaluate
        case "verify":
            from ocrdeploy.verification.models import verify

            return verify
        case "Detection" | "Recognition":
            from ocrdeploy import results

            return getattr(results, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
