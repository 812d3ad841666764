"""The report of a verification: one HTML page that holds all it shows, for people who were not there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from string import Template
from typing import Protocol, runtime_checkable

from ocrdeploy.artifacts import sha256_of
from ocrdeploy.machine_report import inspect_machine
from ocrdeploy.results import Recognition
from ocrdeploy.verification.bisecting import Bisection
from ocrdeploy.verification.comparison import Comparison, Side, facts_of
from ocrdeploy.verification.result_difference import DetectionDifference
from ocrdeploy.verification.words import conclusion

from .gallery import Gallery, PicturedCase
from .html import (
    badge,
    bisection_box,
    case_article,
    escape,
    facts_table,
    legend,
    picture_row,
    settings_list,
    stage_cards,
    tensor_table,
    text_rows,
)

TEMPLATE = "page.html"


@dataclass(frozen=True, slots=True)
class SideRecord:
    """One side of a comparison, for the record.

    Attributes:
        name: What it is called, such as `model.onnx`.
        backend: Runtime and number format, such as `onnxruntime fp32`.
        architecture: Name of the network.
        files: What it was made from: what the file is, its path, its SHA-256.
        tools: Versions of the packages that wrote the model, as its spec has them, or that run it elsewhere.
    """

    name: str
    backend: str
    architecture: str
    files: tuple[tuple[str, str, str], ...]
    tools: str


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison in the report.

    Attributes:
        reference: The reference.
        candidate: The candidate.
        comparison: What was found.
        bisection: Where the networks part; None where it was not looked for.
        gallery: The worst images.
        seconds: How long it took.
    """

    reference: SideRecord
    candidate: SideRecord
    comparison: Comparison
    bisection: Bisection | None
    gallery: Gallery
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A comparison that came to no end, because an output is not finite.

    Attributes:
        reference: The reference.
        candidate: The candidate.
        error: Why.
    """

    reference: SideRecord
    candidate: SideRecord
    error: str


@runtime_checkable
class RunsElsewhere(Protocol):
    """A side that runs in an interpreter of its own."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the packages there."""
        ...


def record_of(side: Side, name: str, model: Path | None) -> SideRecord:
    """Return one side of a comparison for the record.

    Args:
        side: The side.
        name: What it is called.
        model: Its file, if it is one.
    """
    files = [] if model is None else [("model", str(model.resolve()), sha256_of(model))]
    source = side.spec.source
    if source is not None:
        files += [
            (kind, each.path, each.sha256)
            for kind, each in (("config", source.config), ("checkpoint", source.checkpoint))
        ]
    tools = side.versions if isinstance(side, RunsElsewhere) else side.spec.tools
    return SideRecord(
        name=name,
        backend=facts_of(side).text,
        architecture=side.spec.architecture,
        files=tuple(files),
        tools=", ".join(f"{package} {version}" for package, version in tools.items()),
    )


def render_report(parts: Sequence[Section | Failure], when: datetime | None = None) -> str:
    """Return the report as one HTML page that needs nothing else: no network, no script, no other file.

    Args:
        parts: The comparisons, at least one.
        when: When they were made; by default now.
    """
    sections = [part for part in parts if isinstance(part, Section)]
    passed = len(sections) == len(parts) and all(section.comparison.passed for section in sections)
    names = ", ".join(dict.fromkeys(part.candidate.name for part in parts))
    title = f"{names}: verification {'passed' if passed else 'FAILED'}"
    moment = (when or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    body = [_header(parts, names, moment, passed=passed)]
    body += [_section(section) for section in sections]
    body.append(_record(parts))
    body.append("<footer>Made by ocrdeploy verify. The page is complete: it loads nothing.</footer>")
    template = (resources.files("ocrdeploy.verification.report") / TEMPLATE).read_text(encoding="utf-8")
    return Template(template).substitute(title=escape(title), body="\n".join(body))


def _header(parts: Sequence[Section | Failure], names: str, moment: str, *, passed: bool) -> str:
    """Return the verdict."""
    references = ", ".join(dict.fromkeys(part.reference.name for part in parts))
    lines = [f"<p>{escape(_sentence(part, several=len(parts) > 1))}</p>" for part in parts]
    return (
        f"<header>{badge(passed)}<h1>{escape(names)} against {escape(references)}</h1>"
        f'{"".join(lines)}<p class="soft">{moment}</p></header>'
    )


def _sentence(part: Section | Failure, *, several: bool) -> str:
    """Return what a comparison comes to."""
    if isinstance(part, Failure):
        return f"{part.candidate.name}: {part.error}"
    text = conclusion(part.comparison)
    return f"{part.candidate.name}: {text}." if several else f"{text[0].upper()}{text[1:]}."


def _section(section: Section) -> str:
    """Return one comparison."""
    comparison = section.comparison
    candidate, reference = section.candidate, section.reference
    sides = " against ".join(f"{side.name} ({side.backend})" for side in (candidate, reference))
    parts = [f"<h2>{escape(sides)} {badge(comparison.passed)}</h2>", stage_cards(comparison)]
    if comparison.settings:
        parts.append(settings_list(comparison.settings))
    if section.bisection is not None:
        parts.append(bisection_box(section.bisection))
    parts.append(tensor_table(comparison.tensors))
    shown, total = len(section.gallery.cases), section.gallery.total
    parts.append(f"<h3>Images{'' if shown == total else f': the worst {shown} of {total}'}, the worst first</h3>")
    if isinstance(comparison.results, DetectionDifference):
        parts.append(legend())
    parts += [_case(case, (reference.name, candidate.name)) for case in section.gallery.cases]
    return "\n".join(parts)


def _case(case: PicturedCase, names: tuple[str, str]) -> str:
    """Return one image."""
    first, second = case.results
    if isinstance(first, Recognition) and isinstance(second, Recognition):
        texts = text_rows((names[0], first.text, _score_text(first)), (names[1], second.text, _score_text(second)))
        return case_article(case.name, case.passed, case.facts, [picture_row(case.pictures, "word"), texts])
    rows = [picture_row(case.pictures[:2], "two"), picture_row(case.pictures[2:])]
    return case_article(case.name, case.passed, case.facts, rows)


def _score_text(result: Recognition) -> str:
    """Return a text's mean score."""
    return f"{sum(result.char_scores) / len(result.char_scores):.4f}" if result.char_scores else ""


def _record(parts: Sequence[Section | Failure]) -> str:
    """Return files, hashes and versions."""
    lines = ["<h2>For the record</h2>"]
    sides = dict.fromkeys(side for part in parts for side in (part.reference, part.candidate))
    for side in sides:
        rows = [("runs on", side.backend), ("architecture", side.architecture)]
        for kind, path, sha256 in side.files:
            rows += [(kind, path), (f"SHA-256 of {kind}", sha256)]
        if side.tools:
            rows.append(("packages", side.tools))
        lines += [f"<h3>{escape(side.name)}</h3>", facts_table(rows)]
    times = [f"{part.candidate.name} {part.seconds:.1f} s" for part in parts if isinstance(part, Section)]
    machine = inspect_machine()
    rows = [
        ("system", machine.platform),
        ("Python", machine.python),
        ("CPU cores, GPUs", f"{machine.cpu_count}, {machine.gpu_count}"),
        *((package.name, package.version) for package in machine.packages if package.version),
        *([("time taken", ", ".join(times))] if times else []),
    ]
    return "\n".join([*lines, "<h3>This machine</h3>", facts_table(rows)])
