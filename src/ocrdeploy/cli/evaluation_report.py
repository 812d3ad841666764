"""What an evaluation leaves: the table on the screen, files, and the verdict of its gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocrdeploy.checks import Check

from .ci_reports import tell_ci
from .evaluation_table import csv_text, markdown_table, print_rows
from .output import STANDARD_OUTPUT, Output, write_text

if TYPE_CHECKING:
    from ocrdeploy.evaluation.gates import Gates
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.output_files import OutputFiles


@dataclass(frozen=True)
class ReportFiles:
    """Where the results go beside the screen: names of files, `-` for standard output, None for nowhere."""

    json: str | None = None
    markdown: str | None = None
    csv: str | None = None
    predictions: str | None = None
    junit: str | None = None

    @property
    def takes_stdout(self) -> bool:
        """Whether one of them is standard output."""
        return STANDARD_OUTPUT in self._by_option().values()

    def add_to(self, outputs: "OutputFiles") -> None:
        """Tell what is written, before any work is done.

        Raises:
            UsageError: Two go to the same place.
            OutputError: A file cannot be written.
        """
        from ocrdeploy.predictions.files import PART_SUFFIX

        for option, file in self._by_option().items():
            outputs.add(option, file)
        if self.predictions not in (None, STANDARD_OUTPUT):
            outputs.add("--predictions", f"{self.predictions}{PART_SUFFIX}")

    def _by_option(self) -> dict[str, str]:
        """Return the places that were given."""
        files = {
            "--json": self.json,
            "--markdown": self.markdown,
            "--csv": self.csv,
            "--predictions": self.predictions,
            "--junit": self.junit,
        }
        return {option: file for option, file in files.items() if file is not None}


def report(
    rows: "Sequence[EvaluationRow]", gates: "Gates", files: ReportFiles, output: Output, *, github: bool = False
) -> None:
    """Print the table, write the files, and judge.

    Raises:
        CheckError: A gate is not kept (says which, and by how much), or a backend's run failed.
        MachineError: A backend could not run.
    """
    from ocrdeploy.errors import CheckError, MachineError
    from ocrdeploy.evaluation.rows import arrange, name_data_sets

    rows = name_data_sets(rows)
    arrangement = arrange(rows)
    checks = gates.checks(arrangement)
    failures = [text for check in checks for text in check.failures]
    # Files first: the screen may be a full disk or a reader that is gone.
    write_text(files.markdown, markdown_table(rows))
    write_text(files.csv, csv_text(rows))
    print_rows(rows, output)
    tasks = list(dict.fromkeys(row.task for row in rows))
    document: dict[str, Any] = {"schema": 1, "command": "evaluate", "task": tasks[0] if len(tasks) == 1 else None}
    failed = dict.fromkeys(f"{arrangement.title_of(row)} failed: {row.error}" for row in rows if row.failed)
    for row in rows:
        if row.images_failed and not row.error and not row.mean:
            where = f"{row.model} on {arrangement.title_of(row)} failed on {row.images_failed} images of {row.dataset}"
            failed[f"{where}, first: {row.failure}"] = None
    if gates:
        document |= {"passed": not failures and not failed, "failures": failures}
    lacking = dict.fromkeys(
        f"{arrangement.title_of(row)} could not run: {row.error}" for row in rows if row.error and not row.failed
    )
    tell_ci("evaluate", [*checks, Check("every model ran", (*failed, *lacking))], files.junit, output, github=github)
    output.json(document | {"rows": [row.document() for row in rows]})
    if failures or failed:
        judged = [f"failed: {failures[0]}", *failures[1:]] if failures else []
        raise CheckError("; ".join([*judged, *failed, *lacking]).rstrip("."))
    if lacking:
        raise MachineError("; ".join(lacking).rstrip("."))
    if gates:
        output.line("passed: the scores are as asked for")
