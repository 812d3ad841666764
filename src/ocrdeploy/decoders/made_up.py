"""Made-up outputs of networks, on which two decoders of one kind are compared: what no image at hand may show."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size

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
PAIR_RADIUS = 4.0
"""Of the circles around pixels that are pairs, in pixels of the map."""
PAIR_DISTANCES = (1, 2, 3, 4, 5, 6, 7)
"""How far the two pixels of each pair are apart."""
PAIR_GAP = 24
"""How far pairs are apart, in pixels of the map."""
BETTER = 1 + 1e-4
"""How much more probable the second one of a pair is."""
BACKGROUND = 1e-4
"""The probability of text elsewhere."""
MULTIPLE = 32
"""What divides height and width of the made-up map."""

Logits = NDArray[np.float32]


def beside(thresholds: Sequence[float]) -> list[float]:
    """Return the scores on both sides of each threshold that are between 0 and 1, in ascending order."""
    scores = {round(each + side, 6) for each in thresholds for side in (-BESIDE, BESIDE)}
    return sorted(score for score in scores if 0 < score < 1)


def rectangles(thresholds: Sequence[float]) -> Logits:
    """Return a map H×W of probabilities, with a row of rectangles of several sizes beside each threshold.

    Args:
        thresholds: At least one number from 0 to 1; the rectangles' probabilities are on both sides of each of them,
            as far as these are between 0 and 1.
    """
    scores = beside(thresholds)
    row = max(height for height, _ in BOXES) + GAP
    height, width = row * len(scores) + GAP, sum(width + GAP for _, width in BOXES) + GAP
    height, width = (-(-length // MULTIPLE) * MULTIPLE for length in (height, width))
    probabilities = np.full((height, width), BACKGROUND, np.float32)
    for index, score in enumerate(scores):
        x = GAP
        for box_height, box_width in BOXES:
            y = GAP + index * row
            probabilities[y : y + box_height, x : x + box_width] = score
            x += box_width + GAP
    return probabilities


def pairs(probabilities: Sequence[float]) -> Logits:
    """Return a map H×W with a row of pairs of pixels for each probability."""
    values = np.full((len(probabilities) * PAIR_GAP, len(PAIR_DISTANCES) * PAIR_GAP), BACKGROUND, np.float32)
    for row, probability in enumerate(probabilities):
        for column, distance in enumerate(PAIR_DISTANCES):
            y, x = (PAIR_GAP * index + PAIR_GAP // 2 for index in (row, column))
            values[y, x], values[y, x + distance] = probability, probability * BETTER
    return values


def logit(probabilities: Logits) -> Logits:
    """Return what the sigmoid makes of these probabilities, of the same shape."""
    return np.asarray(np.log(probabilities / (1 - probabilities)), np.float32)


def repeated(channel: Logits, channels: int) -> Logits:
    """Return maps 1×C×H×W whose channels are all the same map H×W."""
    return np.ascontiguousarray(np.broadcast_to(channel, (1, channels, *channel.shape)), np.float32)


def texts(n_classes: int, blank: int) -> Iterator[tuple[Logits, Preprocessed]]:
    """Yield logits 1×T×C of every class, and of repeated classes with and without a blank between, and padding.

    Args:
        n_classes: C.
        blank: The class that is none.
    """
    classes = [each for each in range(n_classes) if each != blank]
    for start in range(0, len(classes), CLASSES_AT_ONCE):
        steps = [step for each in classes[start : start + CLASSES_AT_ONCE] for step in (each, blank)]
        yield steps_of(steps, n_classes), prepared((32, 4 * len(steps)))
    first, last = classes[0], classes[-1]
    repeats = [first, first, blank, first, blank, blank, last, last]
    for width in (32, 16):
        yield steps_of(repeats, n_classes), prepared((32, 32), (32, width))


def words(n_classes: int, special: Sequence[int]) -> Iterator[list[int]]:
    """Yield the classes of the steps of words: every class, and each that is not read amid others and by itself.

    Args:
        n_classes: Number of classes.
        special: Those that may not be read, such as the end of a word and padding.
    """
    classes = [each for each in range(n_classes) if each not in special]
    for start in range(0, len(classes), CLASSES_AT_ONCE):
        yield classes[start : start + CLASSES_AT_ONCE]
    first, last = classes[0], classes[-1]
    for each in special:
        yield [first, first, each, last, each, first]
        yield [each]


def prepared(size: Size, resized: Size | None = None) -> Preprocessed:
    """Return what an image of a size is prepared to, of which a part may be padding; it holds no pixels of its own."""
    tensor = np.broadcast_to(np.float32(0), (1, *size))
    scale = np.ones(2, np.float32)
    return Preprocessed(tensor, scale, 1.0, size, resized or size)


def steps_of(steps: Sequence[int], n_classes: int) -> Logits:
    """Return logits 1×T×C for the classes of the steps."""
    logits = np.zeros((1, len(steps), n_classes), np.float32)
    logits[0, np.arange(len(steps)), list(steps)] = CERTAIN
    return logits
