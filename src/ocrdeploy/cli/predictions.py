"""A prediction as one line of JSON: the form that `predict --json` and `evaluate --predictions` share."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocrdeploy.results import Result


def prediction_document(image: str, model: str, backend: str, result: "Result") -> dict[str, Any]:
    """Return one image's result as what JSON can hold; coordinates are pixels of the original image."""
    from ocrdeploy.results import Recognition

    document: dict[str, Any] = {"image": image, "model": model, "backend": backend}
    if isinstance(result, Recognition):
        return document | {"text": result.text, "char_scores": list(result.char_scores)}
    return document | {
        "polygons": [item.polygon.ravel().tolist() for item in result],
        "scores": [item.score for item in result],
    }
