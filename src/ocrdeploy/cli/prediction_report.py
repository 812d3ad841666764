"""What `predict` writes and prints of each image."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .output import Output
from .pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.results import Result
    from ocrdeploy.streaming import Outcome


@dataclass(frozen=True)
class Fault:
    """What ended a run before an image's turn.

    Attributes:
        error: The same for all images that are left.
    """

    error: "OcrDeployError"


@dataclass
class Report:
    """What becomes of each image: its line of JSON first, so that nothing which fails later costs it.

    Attributes:
        predictor: The model, open.
        model: Its file.
        is_alone: Whether there is one image, whose fault is the command's error.
        write: Writes a line of JSON.
        pictures: Writes pictures.
        output: The screen.
    """

    predictor: "Predictor"
    model: Path
    is_alone: bool
    write: "Callable[[Mapping[str, Any]], None]"
    pictures: Pictures
    output: Output
    _failed: "OcrDeployError | None" = field(init=False, default=None)
    _fault: "OcrDeployError | None" = field(init=False, default=None)

    def add(self, path: Path, name: str, outcome: "Outcome | OcrDeployError | Fault", *, is_first: bool) -> None:
        """Write an image's line and pictures, and print its result or what went wrong."""
        from ocrdeploy.predictions.records import prediction_document

        place = {"image": str(path), "model": str(self.model), "backend": self.predictor.backend.name}
        if isinstance(outcome, Fault):
            self._fault = outcome.error
            self.write(place | {"error": str(outcome.error)})
        elif isinstance(outcome, Exception):
            self.write(place | {"error": str(outcome)})
            self._tell(outcome)
        else:
            self.write(prediction_document(result=outcome, **place))
            _print_result(path, outcome, self.output)
            self._draw(path, name, outcome, is_first=is_first)

    def judge(self) -> None:
        """Tell, when all is written, what went wrong.

        Raises:
            OcrDeployError: Something that is no image's fault, or the only image's.
            Exit: An image failed, as was said.
        """
        from ocrdeploy.errors import ItemError

        if self._fault is not None:
            raise self._fault
        if self._failed is not None and self.is_alone:
            raise ItemError(self._failed.message, self._failed.fix)
        if self._failed is not None:
            raise typer.Exit(1)

    def _draw(self, path: Path, name: str, result: "Result", *, is_first: bool) -> None:
        """Write an image's pictures; where there is no room for one, no more are tried."""
        from ocrdeploy.errors import OcrDeployError, OutputError
        from ocrdeploy.streaming import naming

        if self._fault is not None:
            return
        try:
            with naming([str(path)]):
                self.pictures.write(path, name, result, is_first=is_first)
        except OutputError as error:
            self._fault = error
        except OcrDeployError as error:
            self._tell(error)

    def _tell(self, error: "OcrDeployError") -> None:
        """Remember that an image failed, and say so at once where there are others."""
        self._failed = error
        if not self.is_alone:
            self.output.warn(str(error))


def _print_result(path: Path, result: "Result", output: Output) -> None:
    """Print an image's result: its text, or how much text there is and, on request, where."""
    from ocrdeploy.results import Recognition

    if isinstance(result, Recognition):
        output.line(f"{path}: {result.text!r} ({result.score:.3f})")
        return
    output.line(f"{path}: {len(result)} text instance{'' if len(result) == 1 else 's'}")
    if output.verbose:
        for item in result:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in item.polygon.tolist())
            output.line(f"  {item.score:.3f}  {corners}")
