"""What `verify` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from ocrdeploy.plain_text import plain

from .output import Output
from .tables import Table, make_table

if TYPE_CHECKING:
    from ocrdeploy.verification.bisecting import Bisection
    from ocrdeploy.verification.comparison import Comparison
    from ocrdeploy.verification.pairs import Pair

MAX_SETTINGS = 5
"""So many settings that differ are printed; JSON and the page have all."""


def print_pair(pair: "Pair", output: Output) -> None:
    """Print what was found of a reference and a candidate."""
    if pair.error is None:
        print_comparison(pair.comparison, pair.bisection, output)
    else:
        output.line("FAILED: an output is not finite")


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
    before, after = comparison.preprocessing, comparison.results
    _add_row(
        table,
        "pre-processing",
        f"{counted(before.images, 'image')},\n{counted(before.sizes_tried, 'size')}",
        preprocessing_facts(before),
        passed=comparison.pipelines_agree,
    )
    for tensor in comparison.tensors:
        batches = f"{counted(len(tensor.shapes), 'input')},\n{counted(len(set(tensor.shapes)), 'shape')}"
        _add_row(table, f"network:\n{plain(tensor.name)}", batches, tensor_facts(tensor), passed=tensor.passed)
    decoders = comparison.decoders_agree
    facts = [*results_facts(after), f"decoders alone: {verdict(decoders)}"]
    _add_row(table, "results", counted(after.images, "image"), facts, passed=after.passed and decoders)
    output.table(table)
    for setting in comparison.settings[:MAX_SETTINGS]:
        output.line(f"settings differ: {setting}")
    if len(comparison.settings) > MAX_SETTINGS:
        output.line(f"and {counted(len(comparison.settings) - MAX_SETTINGS, 'setting')} more")
    for place, fact in enumerate([] if bisection is None else bisection_facts(bisection)):
        output.line(f"{'  ' if place else ''}{fact}")
    if comparison.batches_left_out:
        inputs = counted(comparison.batches_left_out, "made-up input was", "made-up inputs were")
        output.line(f"{inputs} left out: one of the models does not take their size")
    for note in comparison.notes:
        output.line(f"note: {note}")
    output.line(f"{verdict(comparison.passed)}: {conclusion(comparison)}")


def _add_row(table: Table, stage: str, on: str, facts: Sequence[str], *, passed: bool | None) -> None:
    """Add a stage to the table."""
    from ocrdeploy.verification.words import verdict

    word = Text(verdict(passed), style="" if passed is None else "green" if passed else "bold red")
    table.add_row(Text(stage), Text(on), Text("\n".join(map(plain, facts))), word)
