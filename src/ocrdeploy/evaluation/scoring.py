"""A model over its data sets, as the rows of an evaluation."""

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocrdeploy.evaluation.evaluating import EvaluationOptions, Outcome
    from ocrdeploy.evaluation.plan import DataChoice, NamedData
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.model_spec import EvaluationSettings, ModelSpec
    from ocrdeploy.predictions.files import PredictionSink
    from ocrdeploy.predictor import Predictor

BYTES_PER_MIB = 1 << 20


@dataclass(frozen=True)
class Scoring:
    """One model on one backend, over all its data sets.

    Attributes:
        model: The model as it was named.
        predictor: The model, open.
        choice: What the user says of the data.
        options: How to evaluate.
        sink: Where predictions go.
        output: Who is told how far it is.
    """

    model: Path
    predictor: "Predictor"
    choice: "DataChoice"
    options: "EvaluationOptions"
    sink: "PredictionSink"
    output: Watcher

    def rows(self) -> "list[EvaluationRow]":
        """Return a row a data set, and one more with their mean where there are several."""
        from ocrdeploy.evaluation.plan import choose_settings, open_data
        from ocrdeploy.evaluation.rows import add_mean

        spec = self.predictor.spec
        settings = choose_settings(spec, self.choice)
        data_sets = open_data(spec, self.choice)
        self.predictor.warm_up()
        options = self._options_with_batch_size(data_sets)
        return add_mean([self._row(data, settings, options) for data in data_sets])

    def _options_with_batch_size(self, data_sets: "Sequence[NamedData]") -> "EvaluationOptions":
        """Return the options with a batch size, which is measured where none is given."""
        from ocrdeploy.datasets import Sample
        from ocrdeploy.predictor import SAMPLE_IMAGES

        if self.options.batch_size is not None:
            return self.options
        samples = (item.image for data in data_sets for item in data.samples if isinstance(item, Sample))
        choice = self.predictor.choose_batch_size(list(islice(samples, SAMPLE_IMAGES)))
        if self.output.verbose:
            self.output.line(f"{self.model}: {choice.text}")
        return replace(self.options, batch_size=choice.size)

    def _row(self, data: "NamedData", settings: "EvaluationSettings", options: "EvaluationOptions") -> "EvaluationRow":
        """Evaluate one data set."""
        from ocrdeploy.datasets import Sample
        from ocrdeploy.errors import OcrDeployError
        from ocrdeploy.evaluation.evaluating import evaluate
        from ocrdeploy.evaluation.rows import EvaluationRow
        from ocrdeploy.predictions.records import failure_document, prediction_document

        backend, spec = self.predictor.backend, self.predictor.spec
        place = str(self.model), backend.name
        with self.output.progress(f"{self.model.name} on {backend.name}", len(data.samples)) as bar:

            def on_outcome(outcome: "Outcome") -> None:
                item, result = outcome.item, outcome.result
                name = item.name if isinstance(item, Sample) else ""
                if isinstance(result, OcrDeployError):
                    document = failure_document(name, *place, str(result))
                    if self.output.verbose:
                        self.output.warn(f"left out: {result}")
                else:
                    document = prediction_document(name, *place, result)
                self.sink.write(outcome.index, outcome.state, document)
                bar.advance()

            self.sink.begin_data_set()
            score = evaluate(
                self.predictor, data.samples, settings, options, on_outcome, self.sink.earlier, on_earlier=bar.skip
            )
        row = EvaluationRow(
            model=str(self.model),
            task=spec.task,
            architecture=architecture_name(spec),
            config=config_name(spec, self.choice),
            backend=backend.name,
            precision=backend.precision,
            device=str(backend.device),
            tf32=backend.tf32,
            dataset=data.name,
            ann_file=data.ann_file,
            img_prefix=data.img_prefix,
            data_sets=(data.key,),
            seconds=score.seconds,
            images_per_second=score.images_per_second,
            batch_size=self.predictor.inference.batch_size(options.batch_size or 1),
            size_mib=model_size(self.model, backend.name, spec),
        )
        return row.scored(score)


def architecture_name(spec: "ModelSpec | None") -> str:
    """Return the name of a network, with MMOCR's star where its upsampling was changed."""
    if spec is None:
        return ""
    changed = spec.export is not None and spec.export.upsample == "bilinear"
    return spec.architecture + "*" * changed


def config_name(spec: "ModelSpec | None", choice: "DataChoice") -> str:
    """Return the name of the config file that counts."""
    if choice.config is not None:
        return Path(choice.config.record.path).name
    return "" if spec is None or spec.source is None else Path(spec.source.config.path).name


def model_size(model: Path, backend: str, spec: "ModelSpec | None") -> float | None:
    """Return the size, in MiB, of the file that holds the weights: for PyTorch the checkpoint."""
    path = model
    if backend == "torch" and spec is not None and spec.source is not None:
        path = Path(spec.source.checkpoint.path)
    return path.stat().st_size / BYTES_PER_MIB if path.is_file() else None
