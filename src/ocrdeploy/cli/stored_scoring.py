"""Scoring predictions that were made before, without running a model."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocrdeploy.running.opening import Opening

from .output import Output

if TYPE_CHECKING:
    from ocrdeploy.evaluation.evaluating import EvaluationOptions
    from ocrdeploy.evaluation.plan import DataChoice, Labelled, NamedData
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.evaluation.runs import Run
    from ocrdeploy.model_spec import ModelSpec, Task
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.predictions.records import Prediction, PredictionReader


@dataclass(frozen=True)
class StoredScoring:
    """Predictions in a file, scored on the data sets that they were made for.

    Attributes:
        models: Models whose specs name the data sets; where there are none, those that the lines name.
        choice: What the user says of the data.
        options: How to evaluate.
        task: What the models were expected to do; None as the lines say.
        opening: What the models' files are read through.
        output: Where progress is shown.
        files: What the command writes, none of which may be what it reads.
    """

    models: Sequence[Path]
    choice: "DataChoice"
    options: "EvaluationOptions"
    task: str | None
    opening: Opening
    output: Output
    files: "OutputFiles"

    def rows(self, path: Path) -> "list[EvaluationRow]":
        """Return the rows of each model and backend in the file, in its order.

        Raises:
            InputError: A line is no prediction, or does not fit the data set.
            UsageError: Nothing says which data set that is.
        """
        from ocrdeploy.artifacts import check_file
        from ocrdeploy.errors import ModelError, UsageError
        from ocrdeploy.predictions.records import open_predictions

        rows: list[EvaluationRow] = []
        found: set[Path] = set()
        for model in self.models:
            check_file(model, "model", ModelError)
        with open_predictions(path) as reader:
            while (first := reader.peek()) is not None:
                found.add(self._run(first).model)
                rows += self._rows_of(first, reader)
        for model in self.models:
            if model not in found:
                raise UsageError(f"{path} holds no predictions of {model}", "Leave the model out.")
        return rows

    def _rows_of(self, first: "Prediction", reader: "PredictionReader") -> "list[EvaluationRow]":
        """Score what one model gave on all its data sets."""
        from ocrdeploy.errors import InputError
        from ocrdeploy.evaluation.models import check_labelled
        from ocrdeploy.evaluation.plan import open_data
        from ocrdeploy.evaluation.rows import add_mean

        spec, labelled = self._labelled(first, reader)
        check_labelled(first.model, labelled, self.task, self.choice, self.options)
        data_sets = open_data(labelled, self.choice)
        self.files.protect_model(self._run(first).model)
        for data in data_sets:
            self.files.protect_labels(Path(data.ann_file))
            self.files.protect_samples(data.samples)
        rows = [self._row(first, reader, spec, labelled, data) for data in data_sets]
        left = reader.peek()
        if left is not None and (left.model, left.backend) == (first.model, first.backend):
            raise InputError(
                f"{left.origin}: a prediction for {left.image!r}, which the data set does not have in this place",
                "Give the data set that the predictions were made for.",
            )
        return add_mean(rows)

    def _row(
        self,
        first: "Prediction",
        reader: "PredictionReader",
        spec: "ModelSpec | None",
        labelled: "Labelled",
        data: "NamedData",
    ) -> "EvaluationRow":
        """Score what one model gave on one data set."""
        from ocrdeploy.evaluation.evaluating import evaluate_predictions
        from ocrdeploy.evaluation.plan import choose_settings
        from ocrdeploy.evaluation.rows import EvaluationRow
        from ocrdeploy.evaluation.runs import planned_precision
        from ocrdeploy.evaluation.scoring import architecture_name, config_name, model_size

        settings = choose_settings(labelled, self.choice)
        with self.output.progress(f"scoring {reader.path.name}", total=len(data.samples)) as bar:
            score = evaluate_predictions(reader, data.samples, settings, self.options, bar.advance)
        row = EvaluationRow(
            model=first.model,
            task=labelled.task,
            architecture=architecture_name(spec),
            config=config_name(spec, self.choice),
            backend=self._run(first).backend,
            precision="" if spec is None else planned_precision(self._run(first), spec, self.opening),
            dataset=data.name,
            ann_file=data.ann_file,
            img_prefix=data.img_prefix,
            data_sets=(data.key,),
            size_mib=model_size(Path(first.model), first.backend, spec),
        )
        return row.scored(score)

    def _labelled(self, first: "Prediction", reader: "PredictionReader") -> "tuple[ModelSpec | None, Labelled]":
        """Return the spec of the model that a line names, if there is one, and what is known of its data sets.

        Raises:
            UsageError: Nothing says which data set the predictions are for.
        """
        from ocrdeploy.errors import UsageError
        from ocrdeploy.evaluation.plan import Unlabelled
        from ocrdeploy.results import Recognition

        spec = self._spec(first)
        found = reader.first_result()
        task: Task = "recog" if found is not None and isinstance(found.result, Recognition) else "det"
        if found is None or (found.model, found.backend) != (first.model, first.backend):
            # None of its images has a result.
            task = "recog" if "recog" in (self.task, spec and spec.task) else "det"
        if spec is not None:
            if spec.task != task:
                raise UsageError(f"{first.origin}: a prediction for task {task!r}, and the model is for {spec.task!r}")
            return spec, spec
        if self.choice.config is None and self.choice.data is None and self.choice.ann_file is None:
            raise UsageError(
                f"nothing says which data set {first.origin} is for: {first.model} cannot be asked",
                "Name the model, or give --config, --data or --ann-file.",
            )
        return None, Unlabelled(task)

    def _spec(self, first: "Prediction") -> "ModelSpec | None":
        """Return the spec of the model that a line names, from the models that were given, or from its own place.

        Raises:
            UsageError: Models were given, and none of several is the one.
        """
        from ocrdeploy.descriptions.specs import build_spec
        from ocrdeploy.errors import InputError
        from ocrdeploy.evaluation.runs import read_spec

        try:
            return read_spec(self._run(first), self.opening)
        except InputError:
            # A model that was not named may be gone, or somewhere else: then the data set has to be given.
            if self.models:
                raise
            config = self.opening.config
            return None if config is None else build_spec(self.opening.read_config(config))

    def _run(self, first: "Prediction") -> "Run":
        """Return what wrote a line, the model being the one that was given, if there is one.

        Raises:
            UsageError: Models were given, and none of several is the one; or there is no such backend.
        """
        from ocrdeploy.backends import parse_backend
        from ocrdeploy.errors import UsageError
        from ocrdeploy.evaluation.runs import Run

        backend = parse_backend(first.backend)
        if not self.models:
            return Run(Path(first.model), backend)
        fitting = [model for model in self.models if os.path.abspath(model) == os.path.abspath(first.model)]  # noqa: PTH100
        # Predictions may be of a model that lies somewhere else now.
        fitting = fitting or [model for model in self.models if model.name == Path(first.model).name]
        if len(fitting) != 1:
            raise UsageError(
                f"{first.origin} is of {first.model}, which is none of the models that were named",
                "Name the models whose predictions are in the file, or none.",
            )
        return Run(fitting[0], backend)
