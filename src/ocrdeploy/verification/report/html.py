"""The parts of a verification's report, as HTML. Whatever comes from outside is escaped here."""

import base64
import html
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from ocrdeploy.plain_text import plain
from ocrdeploy.verification.bisecting import Bisection
from ocrdeploy.verification.comparison import Comparison
from ocrdeploy.verification.tensor_difference import TensorDifference
from ocrdeploy.verification.words import (
    bisection_facts,
    counted,
    preprocessing_facts,
    results_facts,
    shape_text,
    verdict,
    worst_text,
)

from .pictures import Picture

MAX_SHAPES = 12
"""So many shapes of inputs are named."""


def escape(text: str) -> str:
    """Return a text from outside as HTML that shows it and does nothing else.

    What is not printable, such as control characters and marks that change the direction of writing, is escaped as in
    messages.
    """
    return html.escape(plain(text))


def badge(passed: bool | None) -> str:
    """Return a verdict, told by a sign and a word as well as by a colour; None is for what is told and not judged."""
    sign, kind = ("·", "soft") if passed is None else ("✓", "good") if passed else ("✗", "bad")
    return f'<span class="badge {kind}">{sign} {verdict(passed)}</span>'


def stage_cards(comparison: Comparison) -> str:
    """Return the three stages, each with its verdict."""
    outputs = len(comparison.tensors)
    before, inputs = comparison.preprocessing, len(comparison.tensors[0].shapes)
    network = [
        f"{tensor.name}: max {tensor.max_abs:.2g} of {tensor.allowed:.2g} allowed"
        if tensor.same_shapes
        else f"{tensor.name}: shapes differ"
        for tensor in comparison.tensors
    ]
    stages = (
        (
            "Pre-processing",
            comparison.pipelines_agree,
            preprocessing_facts(comparison.preprocessing),
            f"{counted(before.images, 'image')}, {counted(before.sizes_tried, 'more size')}",
        ),
        (
            "Network",
            comparison.networks_agree,
            network,
            f"{inputs} inputs, {outputs} output{'s' if outputs > 1 else ''}",
        ),
        (
            "Results",
            comparison.results.passed and comparison.decoders_agree,
            [*results_facts(comparison.results), f"decoders alone: {verdict(comparison.decoders_agree)}"],
            counted(comparison.results.images, "image"),
        ),
    )
    cards = [
        f'<section class="stage"><h3>{title} {badge(passed)}</h3>{_paragraphs(facts)}<p class="soft">{on}</p></section>'
        for title, passed, facts, on in stages
    ]
    return f'<div class="stages">{"".join(cards)}</div>'


def tensor_table(tensors: Sequence[TensorDifference]) -> str:
    """Return all numbers of the outputs' differences."""
    names = ("output", "max", "allowed", "atol", "rtol", "mean", "p99", "relative", "cosine", "largest", "verdict")
    head = "".join(f"<th{'' if i in {0, 10} else ' class=number'}>{name}</th>" for i, name in enumerate(names))
    rows = []
    for tensor in tensors:
        numbers = (
            tensor.max_abs, tensor.allowed, tensor.tolerance.atol, tensor.tolerance.rtol, tensor.mean_abs,
            tensor.p99_abs, tensor.max_rel,
        )  # fmt: skip
        cells = "".join(f'<td class="number">{number:.3g}</td>' for number in numbers)
        cells += f'<td class="number">{tensor.cosine:.8f}</td><td class="number">{tensor.largest:.4g}</td>'
        rows.append(f"<tr><td><code>{escape(tensor.name)}</code></td>{cells}<td>{badge(tensor.passed)}</td></tr>")
    notes = []
    for tensor in tensors:
        shapes = list(dict.fromkeys(shape_text(shape) for shape in tensor.shapes))
        more = f" and {len(shapes) - MAX_SHAPES} more" if len(shapes) > MAX_SHAPES else ""
        notes.append(f"{tensor.name}: shapes {', '.join(shapes[:MAX_SHAPES])}{more}; worst at {worst_text(tensor)}")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>{_paragraphs(notes, "soft")}'


def bisection_box(bisection: Bisection) -> str:
    """Return where the networks part."""
    kind = "box calm" if bisection.divergence is None else "box"
    return f'<div class="{kind}"><h3>Node by node</h3>{_paragraphs(bisection_facts(bisection))}</div>'


def settings_list(settings: Sequence[str]) -> str:
    """Return what the specs say differently."""
    items = "".join(f"<li>{escape(each)}</li>" for each in settings)
    return f'<div class="box"><h3>Settings that differ</h3><ul>{items}</ul></div>'


def legend() -> str:
    """Return what the colours of outlines mean."""
    entries = (
        ("matched", "found by both"),
        ("moved", "found by both, but moved"),
        ("missing", "missing in the candidate"),
        ("extra", "only in the candidate"),
    )
    spans = [f'<span class="outline" style="--swatch:var(--{name})">{text}</span>' for name, text in entries]
    spans.append('<span class="heat">difference of the outputs, from none to what the picture names</span>')
    return f'<div class="legend">{"".join(spans)}</div>'


def case_article(title: str, passed: bool, facts: Sequence[str], parts: Sequence[str]) -> str:
    """Return one image's part of the report."""
    heading = f'<h3><span class="mono">{escape(title)}</span> {badge(passed)}</h3>'
    return f"<article>{heading}{_paragraphs(facts, 'soft')}{''.join(parts)}</article>"


def picture_row(pictures: Sequence[Picture], kind: str = "") -> str:
    """Return pictures beside each other, or beneath each other where there is no room."""
    return f'<div class="pictures {kind}">{"".join(_figure(picture) for picture in pictures)}</div>'


def text_rows(reference: tuple[str, str, str], candidate: tuple[str, str, str]) -> str:
    """Return two texts, one above the other, with what differs marked.

    Args:
        reference: Name of the side, text, and its score in words.
        candidate: Likewise.
    """
    blocks = Levenshtein.opcodes(reference[1], candidate[1])
    rows = []
    for place, (name, text, score) in enumerate((reference, candidate)):
        marked = ""
        for block in blocks:
            span = (block.src_start, block.src_end) if place == 0 else (block.dest_start, block.dest_end)
            piece = escape(text[span[0] : span[1]])
            marked += piece if block.tag == "equal" or not piece else f"<mark>{piece}</mark>"
        empty = '<span class="soft">no text</span>'
        rows.append(
            f'<span class="side soft">{escape(name)}</span><span class="text mono">{marked or empty}</span>'
            f'<span class="soft">{escape(score)}</span>'
        )
    return f'<div class="texts">{"".join(rows)}</div>'


def facts_table(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values."""
    lines = "".join(f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>" for name, value in rows)
    return f'<div class="scroll"><table><tbody>{lines}</tbody></table></div>'


def _figure(picture: Picture) -> str:
    """Return a picture with its title."""
    title = escape(picture.title)
    source = f"data:image/{picture.kind};base64,{base64.b64encode(picture.data).decode()}"
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<figure><img src="{source}" alt="{title}" {size}><figcaption>{title}</figcaption></figure>'


def _paragraphs(lines: Sequence[str], kind: str = "") -> str:
    """Return a paragraph a line."""
    attribute = f' class="{kind}"' if kind else ""
    return "".join(f"<p{attribute}>{escape(line)}</p>" for line in lines)
