"""Made-up outputs of networks, on which decoders are compared: what no image at hand may show."""

from collections.abc import Iterator

import numpy as np

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, Outputs, PANPostprocessor, PSEPostprocessor
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.steps import Preprocessed

MapDecoder = DBPostprocessor | PSEPostprocessor | PANPostprocessor

CLASSES_AT_ONCE = 64
"""So many classes are read as one text, so that large dictionaries take little memory."""
CERTAIN = 8.0
"""The logit of the class that is read, where all others have 0."""
BESIDE = 0.02
"""How far the made-up scores lie from a threshold, on both sides of it."""
BOXES = ((6, 6), (12, 40), (28, 120))
"""Height and width of the made-up instances, in pixels of the map."""
GAP = 24
"""Pixels between them: more than they grow."""


def made_up_outputs(reference: ModelSpec, candidate: ModelSpec) -> Iterator[tuple[Outputs, Preprocessed]]:
    """Yield outputs for one image each, with what the image would have been prepared to.

    Recognisers are given a step of every class, and repeated classes with and without a blank between them, with and
    without padding. Detectors are given rectangles of several sizes with scores beside each threshold of both sides.

    Args:
        reference: What the one decoder reads; it decides the form.
        candidate: What the other one reads. Where it has another number of classes, or is of another kind, which is
            a difference already, there are no outputs that both read; nor where neither side's channels are known.
    """
    match reference.postprocessing, candidate.postprocessing:
        case CTCConvertor() as first, CTCConvertor() as second:
            if len(first.dictionary) == len(second.dictionary):
                yield from _texts(len(first.dictionary), first.blank_index)
        case (
            (DBPostprocessor() as one, DBPostprocessor() as other)
            | (PSEPostprocessor() as one, PSEPostprocessor() as other)
            | (PANPostprocessor() as one, PANPostprocessor() as other)
        ):
            lengths = (spec.outputs[0].shape[1] for spec in (reference, candidate))
            channels = next((length for length in lengths if isinstance(length, int)), None)
            if channels is not None:
                yield _rectangles(one, sorted(_scores_beside(one) | _scores_beside(other)), channels)


def _texts(n_classes: int, blank: int) -> Iterator[tuple[Outputs, Preprocessed]]:
    """Yield logits 1×T×C."""
    classes = [each for each in range(n_classes) if each != blank]
    for start in range(0, len(classes), CLASSES_AT_ONCE):
        steps = [step for each in classes[start : start + CLASSES_AT_ONCE] for step in (each, blank)]
        yield _logits(steps, n_classes), _prepared((32, 4 * len(steps)))
    first, last = classes[0], classes[-1]
    repeated = [first, first, blank, first, blank, blank, last, last]
    for width in (32, 16):
        yield _logits(repeated, n_classes), _prepared((32, 32), (32, width))


def _logits(steps: list[int], n_classes: int) -> Outputs:
    """Return logits 1×T×C for the classes of the steps."""
    logits = np.zeros((1, len(steps), n_classes), np.float32)
    logits[0, np.arange(len(steps)), steps] = CERTAIN
    return {"logits": logits}


def _scores_beside(decoder: MapDecoder) -> set[float]:
    """Return the scores on both sides of each of a decoder's thresholds that fit between 0 and 1."""
    match decoder:
        case DBPostprocessor():
            thresholds = [decoder.mask_thr, decoder.min_text_score]
        case PSEPostprocessor():
            thresholds = [decoder.min_kernel_confidence, decoder.min_text_avg_confidence]
        case PANPostprocessor():
            thresholds = [
                decoder.min_text_confidence,
                decoder.min_kernel_confidence,
                decoder.min_text_avg_confidence,
            ]
    beside = (round(each + side, 6) for each in thresholds for side in (-BESIDE, BESIDE))
    return {score for score in beside if 0 < score < 1}


def _rectangles(decoder: MapDecoder, scores: list[float], channels: int) -> tuple[Outputs, Preprocessed]:
    """Return maps 1×C×H×W with a row of rectangles a score: probabilities for DB, else logits."""
    row = max(height for height, _ in BOXES) + GAP
    height, width = row * len(scores) + GAP, sum(width + GAP for _, width in BOXES) + GAP
    height, width = (-(-length // 32) * 32 for length in (height, width))
    probabilities = np.full((height, width), 1e-4, np.float32)
    for index, score in enumerate(scores):
        x = GAP
        for box_height, box_width in BOXES:
            y = GAP + index * row
            probabilities[y : y + box_height, x : x + box_width] = score
            x += box_width + GAP
    is_probability = isinstance(decoder, DBPostprocessor)
    values = probabilities if is_probability else np.log(probabilities / (1 - probabilities))
    maps = np.repeat(values[None], channels, axis=0)
    size = round(height / decoder.downsample_ratio), round(width / decoder.downsample_ratio)
    return {"maps": np.ascontiguousarray(maps[None], np.float32)}, _prepared(size)


def _prepared(size: tuple[int, int], resized: tuple[int, int] | None = None) -> Preprocessed:
    """Return what an image of a size is prepared to, of which a part may be padding; it holds no pixels of its own."""
    tensor = np.broadcast_to(np.float32(0), (1, *size))
    scale = np.ones(2, np.float32)
    return Preprocessed(tensor, scale, 1.0, size, resized or size)
