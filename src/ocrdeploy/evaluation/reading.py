"""Readers scored end to end: place and text of every word."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocrdeploy.datasets.scene_texts import Scene
from ocrdeploy.datasets.segmentation import make_truth
from ocrdeploy.errors import InputError
from ocrdeploy.metrics.detection import HmeanIou
from ocrdeploy.metrics.end_to_end import PROTOCOLS, EndToEnd
from ocrdeploy.metrics.hmean import ScoreSweep
from ocrdeploy.predictions.pages import ReadPage

LEAST_SCORE, MOST_SCORE, STEP = 0.3, 0.9, 0.1
"""MMOCR 0.x's sweep over the scores of detections."""


def read_numbers() -> list[str]:
    """Return the names of the numbers of readers, beside those of their detectors."""
    return [name for protocol in PROTOCOLS for name in EndToEnd(protocol).result()]


@dataclass(slots=True)
class ReadScore:
    """The scores of a reader on a data set, image by image.

    Attributes:
        images: How many images count.
        failed: How many failed.
        failure: Why the first of these did.
        labels: How many texts are cared for end to end.
    """

    images: int = field(init=False, default=0)
    failed: int = field(init=False, default=0)
    failure: str = field(init=False, default="")
    labels: int = field(init=False, default=0)
    _metrics: tuple[EndToEnd, ...] = field(init=False)
    _places: HmeanIou = field(init=False)
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count."""
        self._metrics = tuple(EndToEnd(protocol) for protocol in PROTOCOLS)
        self._places = HmeanIou(ScoreSweep(LEAST_SCORE, MOST_SCORE, STEP))
        self._started = time.perf_counter()

    def add(self, scene: Scene, page: ReadPage) -> None:
        """Score one image, or count that it failed."""
        if page.texts is None:
            self.failed += 1
            self.failure = self.failure or page.error
            return
        self.images += 1
        scores = [metric.add(scene.texts, page.texts) for metric in self._metrics]
        self.labels += scores[0].n_truths
        self._places.add(list(page.detections), make_truth((each.polygon, each.is_ignored) for each in scene.texts))

    def metrics(self) -> dict[str, float]:
        """Return the numbers by their names."""
        numbers = {name: number for metric in self._metrics for name, number in metric.result().items()}
        return numbers | self._places.result()

    @property
    def seconds(self) -> float:
        """Wall time since the score was begun."""
        return time.perf_counter() - self._started


def score_pages(scenes: Sequence[Scene], pages: Iterable[ReadPage], advance: Callable[[], None]) -> ReadScore:
    """Score what readers said of the images of a data set, each once, in any order.

    Raises:
        InputError: A line is of an image that the data set does not have, of one that had a line, or one is missing.
    """
    by_stem = {scene.stem: scene for scene in scenes}
    score = ReadScore()
    seen: set[str] = set()
    for page in pages:
        stem = Path(page.image).stem
        if stem not in by_stem or stem in seen:
            what = "a second line of this image" if stem in seen else "an image that the data set does not have"
            raise InputError(f"{page.origin}: {page.image} is {what}", "Give the data set that these lines are for.")
        seen.add(stem)
        score.add(by_stem[stem], page)
        advance()
    missing = [scene for scene in scenes if scene.stem not in seen]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(scenes)} images have no line, the first is {missing[0].stem}",
            "An image in which nothing was read has a line without words.",
        )
    return score
