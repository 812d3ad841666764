"""What `verify` prints, and what it writes as JSON."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ocrdeploy.plain_text import plain

from .output import Output
from .tables import Table, make_table

if TYPE_CHECKING:
    from ocrdeploy.verification.bisecting import Bisection
    from ocrdeploy.verification.comparison import Comparison
    from ocrdeploy.verification.result_difference import ResultsDifference
    from ocrdeploy.verification.tensor_difference import TensorDifference

MAX_SETTINGS = 5
"""So many settings that differ are printed; JSON and the page have all."""


def print_comparison(comparison: "Comparison", bisection: "Bisection | None", output: Output) -> None:
    """Print a comparison, a row a stage, a fact a line."""
    from ocrdeploy.verification.words import (
        bisection_facts,
        conclusion,
        counted,
        preprocessing_facts,
        results_facts,
        tensor_facts,
        verdict,
    )

    table = make_table("", ("stage", "on", "difference", "verdict"), numeric_from=4)
    before, after, decoders = comparison.preprocessing, comparison.results, comparison.decoding
    _add_row(
        table,
        "pre-processing",
        f"{counted(before.images, 'image')},\n{counted(before.sizes_tried, 'size')}",
        preprocessing_facts(before),
        passed=before.passed,
    )
    for tensor in comparison.tensors:
        batches = f"{counted(len(tensor.shapes), 'input')},\n{counted(len(set(tensor.shapes)), 'shape')}"
        _add_row(table, f"network:\n{plain(tensor.name)}", batches, tensor_facts(tensor), passed=tensor.passed)
    facts = [*results_facts(after), f"decoders alone: {verdict(decoders.passed)}"]
    _add_row(table, "results", counted(after.images, "image"), facts, passed=after.passed and decoders.passed)
    output.table(table)
    for setting in comparison.settings[:MAX_SETTINGS]:
        output.line(f"settings differ: {setting}")
    if len(comparison.settings) > MAX_SETTINGS:
        output.line(f"and {counted(len(comparison.settings) - MAX_SETTINGS, 'setting')} more")
    for place, fact in enumerate([] if bisection is None else bisection_facts(bisection)):
        output.line(f"{'  ' if place else ''}{fact}")
    if comparison.skipped:
        drawn = ", so drawn images were compared" if comparison.drawn else ""
        inputs = counted(comparison.skipped, "input was", "inputs were")
        output.line(f"{inputs} left out: one of the models does not take their size{drawn}")
    output.line(f"{verdict(comparison.passed)}: {conclusion(comparison)}")


def _add_row(table: Table, stage: str, on: str, facts: Sequence[str], *, passed: bool) -> None:
    """Add a stage to the table."""
    from ocrdeploy.verification.words import verdict

    word = Text(verdict(passed), style="green" if passed else "bold red")
    table.add_row(Text(stage), Text(on), Text("\n".join(map(plain, facts))), word)


def comparison_document(comparison: "Comparison", bisection: "Bisection | None" = None) -> dict[str, Any]:
    """Return a comparison as what JSON can hold; a size that differs has no largest difference."""
    before = comparison.preprocessing
    return {
        "reference": comparison.reference,
        "candidate": comparison.candidate,
        "precision": comparison.precision,
        "passed": comparison.passed,
        "causes": list(comparison.causes),
        "tensors": [_tensor_document(tensor) for tensor in comparison.tensors],
        "preprocessing": {
            "passed": before.passed,
            "max_abs": before.max_abs if math.isfinite(before.max_abs) else None,
        },
        "results": _results_document(comparison.results),
        "decoding": _results_document(comparison.decoding),
        "settings": list(comparison.settings),
        "skipped": comparison.skipped,
        "bisection": None if bisection is None else _bisection_document(bisection),
    }


def _tensor_document(tensor: "TensorDifference") -> dict[str, Any]:
    """Return an output's difference."""
    same, worst = tensor.same_shapes, tensor.worst
    return {
        "name": tensor.name,
        "shapes": [list(shape) for shape in tensor.shapes],
        "max_abs": tensor.max_abs if same else None,
        "mean_abs": tensor.mean_abs if same else None,
        "p99_abs": tensor.p99_abs if same else None,
        "max_rel": tensor.max_rel if same else None,
        "cosine": tensor.cosine if same else None,
        "largest": tensor.largest,
        "unequal": tensor.unequal,
        "uncertain": None if tensor.unequal is None else tensor.uncertain,
        "worst": None
        if worst is None
        else {
            "input": worst.input,
            "on": worst.label,
            "index": list(worst.index),
            "reference": worst.reference,
            "candidate": worst.candidate,
        },
        "atol": tensor.tolerance.atol,
        "rtol": tensor.tolerance.rtol,
        "passed": tensor.passed,
    }


def _results_document(results: "ResultsDifference") -> dict[str, Any]:
    """Return the difference of results."""
    from ocrdeploy.verification.result_difference import DetectionDifference

    document: dict[str, Any] = {"passed": results.passed, "images": results.images}
    if isinstance(results, DetectionDifference):
        document |= {
            "matched": results.matched,
            "moved": results.moved,
            "missing": results.missing,
            "extra": results.extra,
            "worst_iou": results.worst_iou,
        }
    else:
        document |= {"texts_equal": results.texts_equal, "edit_distance": results.edit_distance}
    return document | {"worst_score_diff": results.worst_score_diff}


def _bisection_document(bisection: "Bisection") -> dict[str, Any]:
    """Return where two networks part."""
    found = bisection.divergence
    document: dict[str, Any] = {
        "input_shape": list(bisection.input_shape),
        "compared": bisection.compared,
        "shared": bisection.shared,
        "first_difference": None,
    }
    if found is not None:
        document["first_difference"] = {
            "module": found.module,
            "folded": found.folded,
            "node": found.node,
            "operator": found.operator,
            "suspects": [{"node": node.name, "operator": node.operator} for node in found.suspects],
            "shapes": [list(shape) for shape in found.shapes],
            "max_abs": found.max_abs if math.isfinite(found.max_abs) else None,
            "allowed": found.allowed,
            "largest": found.largest,
            "index": None if found.worst is None else list(found.worst.index),
            "inputs_max_abs": found.inputs_max_abs,
        }
    return document
