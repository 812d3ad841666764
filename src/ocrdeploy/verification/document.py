"""What a comparison found, as what JSON can hold."""

import math
from typing import Any

import msgspec

from .bisecting import Bisection
from .comparison import Comparison
from .result_difference import ResultsDifference
from .tensor_difference import TensorDifference


def comparison_document(comparison: Comparison, bisection: Bisection | None = None) -> dict[str, Any]:
    """Return a comparison; what is not a finite number, such as the difference of two sizes, is null."""
    sides = {"reference": comparison.reference, "candidate": comparison.candidate}
    before = comparison.preprocessing
    document = {
        **{name: side.backend for name, side in sides.items()},
        "precision": comparison.candidate.precision,
        **({"tf32": True} if comparison.candidate.tf32 else {}),
        "judged_as": comparison.rule.word,
        "sides": sides,
        "passed": comparison.passed,
        "causes": comparison.causes,
        "tensors": [_tensor_document(tensor) for tensor in comparison.tensors],
        "preprocessing": {"passed": comparison.pipelines_agree, "max_abs": before.max_abs},
        "results": _results_document(comparison.results),
        "decoding": _results_document(comparison.decoding) | {"passed": comparison.decoders_agree},
        "settings": comparison.settings,
        "images_given": comparison.given,
        "left_out": comparison.left_out,
        "unreadable": comparison.unreadable,
        "skipped": comparison.skipped,
        "drawn": comparison.drawn,
        "notes": comparison.notes,
        "bisection": None if bisection is None else _bisection_document(bisection),
    }
    plain = _finite(msgspec.to_builtins(document))
    if not isinstance(plain, dict):
        raise TypeError("a document is a mapping")
    return plain


def _tensor_document(tensor: TensorDifference) -> dict[str, Any]:
    """Return an output's difference."""
    document: dict[str, Any] = msgspec.to_builtins(tensor)
    document |= document.pop("tolerance") | {"mean_abs": tensor.mean_abs, "max_rel": tensor.max_rel}
    if not document.pop("same_shapes"):
        document |= dict.fromkeys(("max_abs", "mean_abs", "p99_abs", "max_rel", "cosine"))
    if tensor.unequal is None:
        document["uncertain"] = None
    if tensor.worst is not None:
        document["worst"]["on"] = document["worst"].pop("label")
    return document | {"passed": tensor.passed}


def _results_document(results: ResultsDifference) -> dict[str, Any]:
    """Return the difference of results."""
    document: dict[str, Any] = msgspec.to_builtins(results)
    allowed = document.pop("tolerance")
    return {"passed": results.passed, **document, "compared": results.compared, "allowed": allowed}


def _bisection_document(bisection: Bisection) -> dict[str, Any]:
    """Return where two networks part."""
    document: dict[str, Any] = msgspec.to_builtins(bisection)
    found = document.pop("divergence")
    if found is not None:
        worst = found.pop("worst")
        found["index"] = None if worst is None else worst["index"]
        found["suspects"] = [{"node": each["name"], "operator": each["operator"]} for each in found["suspects"]]
    return document | {"first_difference": found}


def _finite(value: object) -> object:
    """Return plain data in which NaN and infinities, which JSON lacks, are null."""
    match value:
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case float() if not math.isfinite(value):
            return None
    return value
