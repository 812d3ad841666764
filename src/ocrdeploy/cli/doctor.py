"""`ocrdeploy doctor`: what this machine can run."""

from typing import Any

from .options import JsonFile, Quiet, Verbose
from .output import Output
from .tables import make_table


def command(json_file: JsonFile = None, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Show what this machine can run, and what to install."""
    from ocrdeploy.machine_report import inspect_machine

    output = Output(json_file, quiet, verbose)
    report = inspect_machine()
    packages = make_table("Packages", ("package", "version", "for"), numeric_from=3)
    for package in report.packages:
        packages.add_row(package.name, package.version or "not installed", package.purpose)
    output.table(packages)
    output.line(f"Python {report.python} on {report.platform}")
    quota = "none" if report.cpu_quota is None else f"{report.cpu_quota:g}"
    output.line(
        f"CPU cores: {report.affinity_count} of {report.cpu_count} · CPU quota: {quota} · threads by default: "
        f"{report.threads} · NVIDIA GPUs: {report.gpu_count}"
        + (f" ({report.gpu_architecture})" if report.gpu_architecture else "")
    )
    output.line(f"ONNX Runtime providers: {', '.join(report.providers) or 'none'}")
    abilities = make_table("Abilities", ("what", "here", "what is missing"), numeric_from=3)
    for ability in report.abilities:
        abilities.add_row(ability.name, "yes" if ability.available else "no", ability.remedy)
    output.table(abilities)
    for problem in report.problems:
        output.warn(problem)
    document: dict[str, Any] = {"schema": 1, "command": "doctor", **report.as_document()}
    output.json(document)
