"""A comparison in words and numbers, the same for a terminal and for a page."""

import math
from pathlib import PurePath

from .bisecting import Bisection, Divergence
from .comparison import Comparison
from .result_difference import DetectionDifference, ResultsDifference
from .tensor_difference import PreprocessingDifference, TensorDifference

STAGE_NAMES = {
    "pre-processing": "pre-processing",
    "network": "the network",
    "post-processing": "post-processing",
    "results": "their results",
}


def verdict(passed: bool | None) -> str:
    """Return a verdict's word; None is for what is told and not judged."""
    return "told only" if passed is None else "passed" if passed else "FAILED"


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as 1×3×736×1312."""
    return "×".join(map(str, shape)) or "a number"


def counted(count: int, singular: str, plural: str = "") -> str:
    """Return how many there are of something, such as `1 image` or `2 images`."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def conclusion(comparison: Comparison) -> str:
    """Return what a comparison comes to, in a sentence that says on how many images it stands."""
    stages = [cause for cause in comparison.causes if cause != "images"]
    images = _images_text(comparison)
    if not stages:
        return images if comparison.shows_nothing else f"the models agree{images}"
    found = f"the models differ in {' and in '.join(STAGE_NAMES[stage] for stage in stages)}"
    if stages == ["results"]:
        found = _results_alone(comparison)
    return f"{found}; {images}" if comparison.shows_nothing else found + _missing_text(comparison)


def _results_alone(comparison: Comparison) -> str:
    """Return what it means that the results differ, and no stage does."""
    results, rule = comparison.results, comparison.rule
    if not rule.judges_tensors:
        part = results.tolerance.differing
        return (
            f"{results.differing} of {results.compared} results differ, and {rule.word} may change {part:.1%} of them"
        )
    return (
        "the results differ although every stage agrees within tolerance: a difference that small has moved a "
        "pixel or a score over a threshold"
    )


def _images_text(comparison: Comparison) -> str:
    """Return on how many images a verdict stands, or why it stands on none."""
    given, results = comparison.given, comparison.results
    if results.images == 0 or (given and comparison.drawn):
        reasons = [f"{each.image}: {each.reason}" for each in (*comparison.left_out, *comparison.unreadable)][:1]
        reason = f" ({reasons[0]})" if reasons else ""
        none = "no image" if not given else "the one image" if given == 1 else f"none of the {given} images"
        return f"{none} was {'not ' if given == 1 else ''}compared{reason}"
    if comparison.shows_nothing:
        return (
            f"neither side found anything on {counted(results.images, 'image')}, and {comparison.rule.word} is judged "
            "by results alone"
        )
    if comparison.drawn:
        return f" on {counted(results.images, 'drawn image')}"
    return (
        f" on {counted(given, 'image')}"
        if results.images == given
        else (f" on {results.images} of {counted(given, 'image')}{_missing_text(comparison)}")
    )


def _missing_text(comparison: Comparison) -> str:
    """Return how many of the images that were given were not compared, and why."""
    text = ""
    if comparison.left_out:
        first = comparison.left_out[0]
        were = counted(len(comparison.left_out), "was", "were")
        text += f"; {were} left out, as one of the models does not take their size ({first.image}: {first.reason})"
    if comparison.unreadable:
        first = comparison.unreadable[0]
        text += f"; {len(comparison.unreadable)} cannot be read ({first.image}: {first.reason})"
    return text


def preprocessing_facts(difference: PreprocessingDifference) -> list[str]:
    """Return what is known of the pipelines' difference, a fact an entry."""
    if difference.sizes is not None:
        first, second = (shape_text(size) for size in difference.sizes)
        return [f"sizes differ: {first} in the reference, {second} in the candidate"]
    return [f"max {difference.max_abs:.2g} of {difference.allowed:.2g} allowed"]


def tensor_facts(difference: TensorDifference) -> list[str]:
    """Return what is known of an output's difference, a fact an entry."""
    if not difference.same_shapes:
        return ["shapes differ"]
    if difference.unequal is not None:
        return _class_facts(difference)
    facts = [
        f"max {difference.max_abs:.2g}" + (f" of {difference.allowed:.2g} allowed" if difference.judged else ""),
        f"mean {difference.mean_abs:.2g}, p99 {difference.p99_abs:.2g}",
        f"relative {difference.max_rel:.2g}, cosine {_cosine_text(difference.cosine)}",
    ]
    if difference.worst is not None:
        facts.append(f"worst at {worst_text(difference)}")
    return facts


def _class_facts(difference: TensorDifference) -> list[str]:
    """Return what is known of the difference of classes."""
    facts = [f"{difference.unequal} of {sum(math.prod(shape) for shape in difference.shapes)} classes differ"]
    if difference.unequal:
        least = f"at least {difference.max_abs:.2g}, {difference.allowed:.2g} allowed"
        facts.append(f"their probabilities are apart by {least}")
    if difference.uncertain:
        facts.append(f"in {difference.uncertain} of them neither side gives its class more than 1/2")
    if difference.worst is not None:
        facts.append(f"worst at {worst_text(difference)}")
    return facts


def worst_text(difference: TensorDifference) -> str:
    """Return where an output differs most."""
    worst = difference.worst
    if worst is None:
        return "nowhere"
    place = ", ".join(f"{name} {index}" for name, index in zip(_axes(len(worst.index)), worst.index, strict=True))
    # A whole path would be wider than most terminals; JSON and the page have it.
    label = PurePath(worst.label).name
    return f"{place} of input {worst.input} ({label}): {worst.reference:.6g}, candidate {worst.candidate:.6g}"


def results_facts(difference: ResultsDifference) -> list[str]:
    """Return what is known of the results' difference, a fact an entry."""
    allowed = difference.tolerance
    scores = f"worst score difference {difference.worst_score_diff:.2g}"
    if allowed.score is not None:
        scores += f" of {allowed.score:.2g} allowed"
    if isinstance(difference, DetectionDifference):
        boxes = counted(difference.matched, "box", "boxes")
        counts = f"{boxes} matched, {difference.missing} missing, {difference.extra} extra"
        if not (difference.matched or difference.missing or difference.extra):
            return [counts, "neither side found any text, so this stage shows nothing"]
        if not difference.matched:
            return [counts]
        needed = "" if allowed.overlap is None else f" of {allowed.overlap} needed{_moved(difference.moved)}"
        return [counts, f"worst IoU {difference.worst_iou:.4f}{needed}", scores]
    texts = f"{difference.texts_equal} of {difference.images} texts equal"
    facts = [texts, f"edit distance {difference.edit_distance}"]
    return [*facts, scores] if difference.texts_equal else facts


def _moved(count: int) -> str:
    """Return how many boxes are not where they were."""
    return f", {count} moved" if count else ""


def bisection_facts(bisection: Bisection) -> list[str]:
    """Return what was found of where two networks part, a fact an entry, the most important first."""
    divergence = bisection.divergence
    on = f"on an input of {shape_text(bisection.input_shape)}"
    if divergence is None:
        return [f"no node differs: all {bisection.compared} values that both networks have agree {on}"]
    facts = [f"first difference: {divergence.node} ({divergence.operator}){_module_text(divergence)}"]
    if len(divergence.suspects) > 1:
        nodes = ", ".join(f"{node.name} ({node.operator})" for node in divergence.suspects)
        facts.append(f"to blame is one of {len(divergence.suspects)} nodes between values that agree: {nodes}")
    first, second = divergence.shapes
    if first != second:
        facts.append(f"its output is {shape_text(first)} in the reference, {shape_text(second)} in the candidate")
    else:
        facts.append(
            f"its output {shape_text(first)} differs by up to {divergence.max_abs:.3g} of {divergence.allowed:.2g} "
            f"allowed; what it reads, by up to {divergence.inputs_max_abs:.2g}"
        )
    if divergence.worst is not None:
        place = ", ".join(map(str, divergence.worst.index))
        facts.append(f"most at [{place}]: {divergence.worst.reference:.6g}, candidate {divergence.worst.candidate:.6g}")
    facts.append(f"the {bisection.compared - 1} values before it agree, of {bisection.shared} that both have, {on}")
    return facts


def _module_text(divergence: Divergence) -> str:
    """Return which module a node belongs to."""
    if not divergence.module:
        return ""
    folded = f", compared behind {divergence.folded}, which is folded into it" if divergence.folded else ""
    return f" of module {divergence.module}{folded}"


def _axes(dimensions: int) -> tuple[str, ...]:
    """Return the names of an output's dimensions."""
    match dimensions:
        case 4:
            return ("n", "c", "y", "x")
        case 3:
            return ("n", "step", "class")
        case 2:
            return ("n", "step")
    return tuple(f"axis {index}" for index in range(dimensions))


def _cosine_text(cosine: float) -> str:
    """Return a cosine; one so near 1 that digits do not tell it is written as its distance from 1."""
    return f"{cosine:.6f}" if cosine < 1 - 1e-6 else f"1 - {max(0.0, 1 - cosine):.1g}"
