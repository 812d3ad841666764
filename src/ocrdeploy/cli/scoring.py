"""A model over its data sets, as the rows of `evaluate --json`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import Output
from .predictions import prediction_document

if TYPE_CHECKING:
    from ocrdeploy.datasets import Sample
    from ocrdeploy.errors import InputError
    from ocrdeploy.evaluation import EvaluationOptions
    from ocrdeploy.evaluation_plan import DataChoice, NamedData
    from ocrdeploy.model_spec import EvaluationSettings
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.results import Result


@dataclass(frozen=True)
class Scoring:
    """One model on one backend, over all its data sets."""

    model: Path
    predictor: "Predictor"
    choice: "DataChoice"
    options: "EvaluationOptions"
    write: "Callable[[Mapping[str, Any]], None]"
    output: Output

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a data set, and one more with their mean where there are several."""
        from ocrdeploy.evaluation import mean_metrics
        from ocrdeploy.evaluation_plan import choose_settings, open_data

        spec = self.predictor.spec
        settings = choose_settings(spec, self.choice)
        rows = [self._row(data, settings) for data in open_data(spec, self.choice)]
        if len(rows) == 1:
            return rows
        seconds = sum(row["seconds"] for row in rows)
        images = sum(row["images"] for row in rows)
        return [
            *rows,
            rows[0]
            | {
                "dataset": "mean",
                "images": images,
                "broken": sum(row["broken"] for row in rows),
                "metrics": mean_metrics([row["metrics"] for row in rows]),
                "seconds": seconds,
                "images_per_second": images / seconds if seconds else 0.0,
            },
        ]

    def _row(self, data: "NamedData", settings: "EvaluationSettings") -> dict[str, Any]:
        """Evaluate one data set."""
        from ocrdeploy.evaluation import evaluate

        backend = self.predictor.backend
        self.predictor.warm_up()
        with self.output.progress(f"{self.model.name} on {backend.name}", total=len(data.samples)) as bar:

            def on_result(sample: "Sample", result: "Result") -> None:
                self.write(prediction_document(sample.name, str(self.model), backend.name, result))
                bar.advance()

            def on_broken(error: "InputError") -> None:
                if self.output.verbose:
                    self.output.warn(f"skipped: {error}")
                bar.advance()

            evaluation = evaluate(self.predictor, data.samples, settings, self.options, on_result, on_broken)
        return {
            "model": str(self.model),
            "task": self.predictor.spec.task,
            "architecture": self.predictor.spec.architecture,
            "backend": backend.name,
            "precision": backend.precision,
            "device": str(backend.device),
            "dataset": data.name,
            "images": evaluation.images,
            "broken": evaluation.broken,
            "metrics": evaluation.metrics,
            "seconds": evaluation.seconds,
            "images_per_second": evaluation.images_per_second,
        }
