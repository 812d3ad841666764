"""What `evaluate` does for readers: two models that run, or lines that any reader wrote."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrdeploy.running.opening import Opening

from .output import Output, open_lines

if TYPE_CHECKING:
    from ocrdeploy.datasets.scene_texts import Scene
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.predictions.pages import ReadPage
    from ocrdeploy.running.reading import Reader


@dataclass(frozen=True)
class ReadScoring:
    """How readers are scored.

    Attributes:
        data: The folder with a file gt_IMAGE.txt for each image.
        img_prefix: The folder of the images; None for that of the labels.
        output: The screen.
        files: What the command writes, none of which may be an input.
    """

    data: Path | None
    img_prefix: str | None
    output: Output
    files: "OutputFiles"

    def refuse(self, options: Mapping[str, object]) -> None:
        """Refuse options that cannot matter for readers.

        Raises:
            UsageError: One was given.
        """
        from ocrdeploy.errors import UsageError

        given = [option for option, value in options.items() if value]
        if given:
            raise UsageError(f"what readers say is scored without {', '.join(given)}", "Leave it out.")

    def stored(self, path: Path) -> "list[EvaluationRow]":
        """Score the lines of a file, without models or images.

        Raises:
            UsageError: Nothing says which data set they are for.
            InputError: The lines are not those of the data set.
        """
        from ocrdeploy.predictions.pages import read_pages

        scenes = self._scenes()
        if self.img_prefix is not None:
            from ocrdeploy.errors import UsageError

            raise UsageError("--img-prefix cannot matter: lines are scored without images", "Leave it out.")
        first = next(read_pages(path), None)
        models = ("", "") if first is None else (first.detector, first.recogniser)
        return [self._row(scenes, read_pages(path), models, runs=False)]

    def run(self, models: Sequence[Path], opening: Opening, predictions: str | None) -> "list[EvaluationRow]":
        """Read the images of the data set with a detector and a recogniser, and score what they say."""
        from ocrdeploy.datasets.scene_texts import scene_images
        from ocrdeploy.running.open_reader import open_as_reader
        from ocrdeploy.running.pages import ReadSettings

        scenes = self._scenes()
        folder = Path(self.img_prefix) if self.img_prefix is not None else self._folder()
        images = scene_images(scenes, folder)
        self.files.protect(*images)
        for model in models:
            self.files.protect_model(model)
        # Labels are in pixels of the image as it is stored.
        settings = ReadSettings(auto_orient=False)
        with open_as_reader(list(models), opening, settings) as reader, open_lines(predictions) as write:
            pages = _pages(reader, models, images, write)
            backend = reader.detector.backend
            return [
                self._row(
                    scenes,
                    pages,
                    (str(models[0]), str(models[1])),
                    runs=True,
                    place={
                        "backend": backend.name,
                        "precision": backend.precision,
                        "device": str(backend.device),
                        "architecture": reader.detector.spec.architecture,
                    },
                )
            ]

    def _folder(self) -> Path:
        """Return the folder of the labels.

        Raises:
            UsageError: None was named.
        """
        from ocrdeploy.errors import UsageError

        if self.data is None:
            raise UsageError(
                "nothing says what the images say", "Name a folder of files gt_IMAGE.txt with places and texts: --data."
            )
        return self.data

    def _scenes(self) -> "list[Scene]":
        """Return the labelled texts."""
        from ocrdeploy.datasets.scene_texts import read_scenes

        folder = self._folder()
        self.files.protect_labels(folder)
        return read_scenes(folder)

    def _row(
        self,
        scenes: "Sequence[Scene]",
        pages: "Iterable[ReadPage]",
        models: tuple[str, str],
        *,
        runs: bool,
        place: Mapping[str, str] | None = None,
    ) -> "EvaluationRow":
        """Score pages."""
        from ocrdeploy.evaluation.reading import score_pages
        from ocrdeploy.evaluation.rows import EvaluationRow

        with self.output.progress("reading" if runs else "scoring", total=len(scenes)) as bar:
            score = score_pages(scenes, pages, bar.advance)
        folder = self._folder()
        given: dict[str, Any] = {"backend": "", "precision": "", "architecture": "", **(place or {})}
        row = EvaluationRow(
            model=models[0],
            recogniser=models[1],
            task="read",
            config="",
            dataset=folder.name,
            ann_file=str(folder),
            img_prefix=self.img_prefix or "",
            data_sets=((str(folder), self.img_prefix or "", 0),),
            **given,
        )
        return row.read(score, runs=runs)


def _pages(
    reader: "Reader", models: Sequence[Path], images: Sequence[Path], write: Callable[[Mapping[str, Any]], None]
) -> "Iterator[ReadPage]":
    """Yield what a reader says of each image, and write its line."""
    from ocrdeploy.predictions.pages import ReadPage
    from ocrdeploy.results import Detection, SceneText

    from .page_report import failure_line, page_document

    for path, outcome in zip(images, reader.stream(images), strict=True):
        place = {"image": str(path), "detector": str(models[0]), "recogniser": str(models[1])}
        if isinstance(outcome, Exception):
            write(failure_line(outcome, place))
            yield ReadPage(**place, texts=None, detections=(), error=str(outcome), origin=str(path))
            continue
        write(page_document(outcome, place))
        texts = tuple(SceneText(word.polygon, word.text) for word in outcome.words)
        detections = tuple(Detection(word.polygon, word.detection_score) for word in outcome.words)
        yield ReadPage(**place, texts=texts, detections=detections, error="", origin=str(path))
