"""From photo to text: a detector finds the words, a recogniser reads each, and they come in reading order."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Self, cast, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.decoders import OrientationPostprocessor, Outputs, PPOCRPostprocessor
from ocrdeploy.errors import OcrDeployError, UsageError
from ocrdeploy.image_inputs import AnyImage, ImageList, is_one_image, item_name, many_images, read_pixels
from ocrdeploy.images.exif import orientation_of
from ocrdeploy.images.reading_order import lines_of
from ocrdeploy.images.straightening import cut_out
from ocrdeploy.inference import Run
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Detection, Recognition, Result
from ocrdeploy.steps import ColorType, Preprocessed, ResizeWord
from ocrdeploy.steps.geometry import resize
from ocrdeploy.streaming import AHEAD, OF_ALL_IMAGES, in_order, naming, workers

from .pages import Page, ReadSettings, Word

Runs = dict[str, Run | None]


class Reader:
    """A detector and a recogniser that are open, as one; a context manager that closes them.

    What is read in a crop depends on the crop alone: not on its neighbours, nor on the order of the images.

    Args:
        detector: Finds words.
        recogniser: Reads a word.
        classifier: Tells lines that are upside down, or None.
        settings: How words are read.

    Attributes:
        detector: As given.
        recogniser: As given, but for `tight`.
        classifier: As given.
        settings: As given.
    """

    def __init__(
        self,
        detector: Predictor,
        recogniser: Predictor,
        classifier: Predictor | None = None,
        settings: ReadSettings | None = None,
    ) -> None:
        self.settings = settings or ReadSettings()
        _check_roles(detector, recogniser, classifier)
        self.detector = detector
        self.recogniser = _tight(recogniser) if self.settings.tight else recogniser
        self.classifier = classifier
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the models; once they are closed, nothing happens."""
        for predictor in self._predictors():
            predictor.close()

    @overload
    def __call__(self, images: AnyImage) -> list[Word]: ...

    @overload
    def __call__(self, images: ImageList) -> list[list[Word]]: ...

    def __call__(self, images: AnyImage | ImageList) -> list[Word] | list[list[Word]]:
        """Return the words of one image, or a list of them for several images, in order.

        Args:
            images: An image, or several; see `Predictor.__call__`.

        Raises:
            OcrDeployError: What is wrong with an image, or with a model.
        """
        if is_one_image(images):
            return self.read(cast("AnyImage", images)).words
        pages = []
        for outcome in self.stream(many_images(images)):  # type: ignore[arg-type]
            if isinstance(outcome, OcrDeployError):
                raise outcome
            pages.append(outcome.words)
        return pages

    def read(self, image: AnyImage) -> Page:
        """Return what one image says; the detector has all cores, then several words are read at once."""
        for predictor in self._predictors():
            predictor.inference.check_usable()
        count, runs = self._runs()
        runs["detector"] = None
        with naming([item_name(image, None)]), workers(count) as pool:
            return self._read(image, runs, partial(in_order, pool, ahead=AHEAD * count))

    def stream(self, images: Iterable[AnyImage]) -> Generator[Page | OcrDeployError, None, None]:
        """Yield what each image says, or what went wrong with it, in order.

        Images are worked on beside each other, some ahead of the one that is yielded, however many there are.
        """
        for predictor in self._predictors():
            predictor.inference.check_usable()
        count, runs = self._runs()

        def one(item: tuple[int, AnyImage]) -> Page | OcrDeployError:
            index, image = item
            try:
                with naming([item_name(image, index)]):
                    return self._read(image, runs, map)
            except OF_ALL_IMAGES:
                raise
            except OcrDeployError as error:
                return error

        with workers(count) as pool:
            yield from in_order(pool, one, enumerate(images), AHEAD * count)

    def _predictors(self) -> list[Predictor]:
        """Return the models that are open."""
        return [each for each in (self.detector, self.recogniser, self.classifier) if each is not None]

    def _runs(self) -> tuple[int, Runs]:
        """Return how many threads there are, and how each runs the networks."""
        names = ("detector", "recogniser", "classifier")
        chosen = [each.inference.choose_run() for each in self._predictors()]
        return max(count for count, _ in chosen), dict(zip(names, (run for _, run in chosen), strict=False))

    def _read(self, image: AnyImage, runs: Runs, each: Callable[..., Iterable[Recognition]]) -> Page:
        """Return what an image says; `each` calls a function for each crop, in order."""
        clock = _Clock()
        color: ColorType = "color" if self.settings.auto_orient else "color_ignore_orientation"
        tag = orientation_of(image) if self.settings.auto_orient else None
        pixels = read_pixels(image, color)
        clock.stop("read")
        found, framed, to_image = self._detect(pixels, runs["detector"])
        clock.stop("detect")
        ordered = isinstance(self.detector.spec.postprocessing, PPOCRPostprocessor)
        crops = [cut_out(framed, item.polygon, ordered=ordered) for item in found]
        clock.stop("crop")
        texts = list(each(partial(self._recognise, runs=runs), crops))
        clock.stop("recognise")
        placed = [Detection(to_image(item.polygon), item.score) for item in found]
        words = list(self._words(placed, texts))
        return Page(words, pixels.shape[0], pixels.shape[1], tag, clock.seconds)

    def _detect(
        self, pixels: NDArray[np.uint8], run: Run | None
    ) -> tuple[list[Detection], NDArray[np.uint8], Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
        """Return the words of an image, the pixels that they are cut out of, and what brings them to the image."""
        prepared = self.detector.prepare(pixels)
        frame = prepared.frame
        if frame is not None:
            prepared = replace(prepared, frame=None, original_shape=frame.size)
        outputs = self._infer(self.detector, [prepared], run)
        result = self.detector.decode(outputs, [prepared])[0]
        assert isinstance(result, list)  # noqa: S101  (a detector's, as was checked)
        if frame is None or frame.size == pixels.shape[:2]:
            return result, pixels, lambda polygon: polygon
        framed = frame.padded(resize(pixels, frame.scaled))
        return result, np.asarray(framed, np.uint8), frame.to_original

    def _recognise(self, crop: NDArray[np.uint8], runs: Runs) -> Recognition:
        """Read one crop, turned by half where it is upside down."""
        if self.classifier is not None:
            decoder = self.classifier.spec.postprocessing
            label = self._predict(self.classifier, crop, runs["classifier"])
            if isinstance(decoder, OrientationPostprocessor) and decoder.is_upside_down(label):
                crop = np.ascontiguousarray(crop[::-1, ::-1])
        result = self._predict(self.recogniser, crop, runs["recogniser"])
        assert isinstance(result, Recognition)  # noqa: S101  (a recogniser's, as was checked)
        return result

    def _predict(self, predictor: Predictor, crop: NDArray[np.uint8], run: Run | None) -> Result:
        """Return what a model says of one crop."""
        prepared = [predictor.prepare(crop)]
        return predictor.decode(self._infer(predictor, prepared, run), prepared)[0]

    def _infer(self, predictor: Predictor, prepared: Sequence[Preprocessed], run: Run | None) -> Outputs:
        """Run a network; one inference at a time where it takes one caller at a time."""
        if run is not None:
            return predictor.inference.infer(prepared, run)
        with self._lock:
            return predictor.inference.infer(prepared)

    def _words(self, found: Sequence[Detection], texts: Sequence[Recognition]) -> Iterator[Word]:
        """Yield the words that count, in reading order."""
        scored = [(item, text, _mean(text)) for item, text in zip(found, texts, strict=True)]
        kept = [each for each in scored if each[2] >= self.settings.min_score and each[1].text.strip()]
        for number, line in enumerate(lines_of([item.polygon for item, _, _ in kept])):
            for index in line:
                item, text, score = kept[index]
                yield Word(item.polygon, text.text, score, text.char_scores, item.score, number)


class _Clock:
    """Measures stages that follow each other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, stage: str) -> None:
        """Count what has passed since the last stop to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now


def _mean(result: Recognition) -> float:
    """Return the score of a text; that of an empty one is 0."""
    return sum(result.char_scores) / len(result.char_scores) if result.char_scores else 0.0


def _check_roles(detector: Predictor, recogniser: Predictor, classifier: Predictor | None) -> None:
    """Refuse models in places that are not theirs."""
    if detector.spec.task != "det":
        raise UsageError(f"{detector.name} reads words, and the first model of two finds them", "Exchange the two.")
    for role, predictor in (("second", recogniser), ("classifier", classifier)):
        if predictor is None:
            continue
        is_classifier = isinstance(predictor.spec.postprocessing, OrientationPostprocessor)
        if predictor.spec.task != "recog" or is_classifier != (role == "classifier"):
            what = "tells the orientation of lines" if role == "classifier" else "reads words"
            raise UsageError(f"{predictor.name} is no model that {what}, as the {role} one does")


def _tight(recogniser: Predictor) -> Predictor:
    """Return the recogniser without a canvas that is wider than the word.

    Raises:
        UsageError: It has none.
    """
    steps = recogniser.spec.preprocessing
    if not any(isinstance(step, ResizeWord) and step.max_width is None for step in steps):
        raise UsageError(f"--tight leaves out PP-OCR's canvas, and {recogniser.name} has none", "Leave it out.")
    return recogniser.with_steps(
        [msgspec.structs.replace(step, min_width=None) if isinstance(step, ResizeWord) else step for step in steps]
    )
