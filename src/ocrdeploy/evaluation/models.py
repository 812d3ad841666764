"""Running an evaluation: every model on every backend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrdeploy.running.opening import Opening, opening_of

from .scoring import Scoring, architecture_name, config_name, model_size
from .watching import Silent, Watcher

if TYPE_CHECKING:
    from ocrdeploy.errors import OcrDeployError
    from ocrdeploy.evaluation.evaluating import EvaluationOptions
    from ocrdeploy.evaluation.plan import DataChoice, Labelled
    from ocrdeploy.evaluation.rows import EvaluationRow
    from ocrdeploy.evaluation.runs import Run
    from ocrdeploy.model_spec import ModelSpec, Task
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.predictions.files import PredictionSink


@dataclass(frozen=True)
class Evaluating:
    """What all runs of one command have in common.

    Attributes:
        choice: What the user says of the data.
        options: How to evaluate.
        task: What the models are expected to do; None as they say.
        opening: How models are opened.
        output: Who is told how far it is.
        files: What the command writes, none of which may be what it reads.
    """

    choice: "DataChoice"
    options: "EvaluationOptions"
    task: str | None
    opening: Opening
    output: Watcher
    files: "OutputFiles"

    def rows(self, runs: "Sequence[Run]", predictions: str | None, *, resume: bool) -> "list[EvaluationRow]":
        """Run all, and return their rows.

        A backend that this machine lacks, or whose run fails (as with an output that is not finite), has rows that say
        so if there are others.

        Raises:
            OcrDeployError: Anything else went wrong.
        """
        from ocrdeploy.evaluation.runs import read_spec
        from ocrdeploy.spec_checks import check_batch_sizes

        for run in runs:
            self.files.protect_model(run.source or run.model)
            self.files.protect_model(run.model)
        specs = [read_spec(run, self.opening) for run in runs]
        size = self.options.batch_size
        models = [(run.model, spec) for run, spec in zip(runs, specs, strict=True) if spec is not None]
        check_batch_sizes(models, [] if size is None else [size])
        if size is None and predictions is not None:
            # Batches of other sizes change the last bits of float32, and measured ones change from run to run.
            options = replace(self.options, batch_size=1)
            return replace(self, options=options).rows_of_all(runs, specs, predictions, resume=resume)
        return self.rows_of_all(runs, specs, predictions, resume=resume)

    def rows_of_all(
        self, runs: "Sequence[Run]", specs: "Sequence[ModelSpec | None]", predictions: str | None, *, resume: bool
    ) -> "list[EvaluationRow]":
        """Run all, of which the specs are known as far as they are without opening them; see `rows`."""
        from ocrdeploy.evaluation.plan import open_data
        from ocrdeploy.predictions.files import open_prediction_sink

        for run, spec in zip(runs, specs, strict=True):
            if spec is not None:
                check_labelled(str(run.model), spec, self.task, self.choice, self.options)
        known = [spec for spec in specs if spec is not None]
        if known and (self.choice.data is not None or self.choice.ann_file is not None):
            # What the user names is looked at before the machine is.
            open_data(known[0], self.choice)
        for spec in known if self.files.replaces_any else ():
            for data in open_data(spec, self.choice):
                self.files.protect_labels(Path(data.ann_file))
                self.files.protect_samples(data.samples)
        signature = {} if predictions in (None, "-") else self._signature(runs)
        rows: list[EvaluationRow] = []
        with open_prediction_sink(predictions, signature, resume=resume) as sink:
            for place, (run, spec) in enumerate(zip(runs, specs, strict=True)):
                rows += self._rows_of(place, run, spec or (known[0] if known else None), sink, alone=len(runs) == 1)
        return rows

    def _rows_of(
        self, place: int, run: "Run", spec: "ModelSpec | None", sink: "PredictionSink", *, alone: bool
    ) -> "list[EvaluationRow]":
        """Run one model, at its place among all, on one backend."""
        from ocrdeploy.errors import CheckError, DeviceError, MachineError
        from ocrdeploy.running.models import open_model

        try:
            if run.source is not None:
                raise DeviceError("TensorRT runs on NVIDIA GPUs, and this machine shows none")
            predictor = open_model(run.model, replace(self.opening, backend=run.backend))
        except MachineError as error:
            if alone or spec is None:
                raise
            return self._without_numbers(run, spec, error)
        with predictor:
            check_labelled(str(run.model), predictor.spec, self.task, self.choice, self.options)
            sink.begin(place)
            try:
                return Scoring(run.model, predictor, self.choice, self.options, sink, self.output).rows()
            except CheckError as error:
                if alone:
                    raise
                sink.give_up()
                return self._without_numbers(run, predictor.spec, error)

    def _without_numbers(self, run: "Run", spec: "ModelSpec", error: "OcrDeployError") -> "list[EvaluationRow]":
        """Return the rows of a backend that this machine lacks, or whose run failed."""
        from ocrdeploy.errors import CheckError
        from ocrdeploy.evaluation.plan import open_data
        from ocrdeploy.evaluation.rows import EvaluationRow, add_mean, short_reason
        from ocrdeploy.evaluation.runs import planned_precision

        data_sets = open_data(spec, self.choice)
        rows = [
            EvaluationRow(
                model=str(run.model),
                task=spec.task,
                architecture=architecture_name(spec),
                config=config_name(spec, self.choice),
                backend=run.backend,
                precision=planned_precision(run, spec, self.opening),
                dataset=data.name,
                ann_file=data.ann_file,
                img_prefix=data.img_prefix,
                data_sets=(data.key,),
                size_mib=model_size(run.model, run.backend, spec),
                error=str(error),
                reason=short_reason(error),
                failed=isinstance(error, CheckError),
            )
            for data in data_sets
        ]
        return add_mean(rows)

    def _signature(self, runs: "Sequence[Run]") -> dict[str, Any]:
        """Return what decides which predictions are written."""
        from ocrdeploy.evaluation.runs import identity_of
        from ocrdeploy.version import __version__

        config = self.choice.config
        return {
            "models": [[str(run.model), run.backend] for run in runs],
            "files": [identity_of(run, self.opening) for run in runs],
            "data sets of the config": None if config is None else repr(config.datasets),
            "data": [str(self.choice.data), self.choice.ann_file, self.choice.img_prefix],
            "device": self.opening.device,
            "tf32": self.opening.tf32,
            "batch size": self.options.batch_size,
            "padded batches": self.options.pad_batches,
            "version": __version__,
        }


def check_labelled(
    model: str, labelled: "Labelled", task: str | None, choice: "DataChoice", options: "EvaluationOptions"
) -> None:
    """Refuse what does not go with a model.

    Raises:
        UsageError: It has another task than --task says, or a metric or option is for another task.
    """
    from ocrdeploy.errors import UsageError
    from ocrdeploy.evaluation.plan import choose_settings

    if task is not None and task != labelled.task:
        raise UsageError(f"{model} is a model for task {labelled.task!r}, not {task!r}")
    choose_settings(labelled, choice)
    if options.pad_batches and labelled.task == "det":
        raise UsageError(f"--pad-batches is for text recognition, and {model} detects text")
    if options.score_thr is not None and labelled.task == "recog":
        raise UsageError(f"--score-thr is for text detection, and {model} reads text")


def evaluate(
    *models: str | Path,
    data: str | Path | None = None,
    ann_file: str | Path | None = None,
    img_prefix: str | Path | None = None,
    metrics: "Sequence[str]" = (),
    backend: str | None = None,
    precision: str | None = None,
    batch_size: int | None = None,
    pad_batches: bool = False,
    score_thr: float | None = None,
    skip_broken: bool = False,
    worst: int = 0,
    task: "Task | None" = None,
    predictions: str | Path | None = None,
    resume: bool = False,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    custom_ops: "Sequence[str | Path]" = (),
    plugins: "Sequence[str | Path]" = (),
    optimized_model_cache: str | Path | None = None,
    trust_checkpoint: bool = False,
    other_libraries: bool = False,
    tf32: bool = False,
) -> "list[EvaluationRow]":
    """Measure accuracy and speed of models on labelled data.

    Args:
        models: ONNX models, engines, or checkpoints with `config`.
        data: Labelled images without any config: a folder of `gt_*.txt`, a list of words, or an annotation file.
        ann_file: Annotation file, in place of that of the config's first test set.
        img_prefix: Image folder, likewise, or for `data`.
        metrics: Names of metrics, in place of the config's.
        backend: `torch`, `onnxruntime`, `tensorrt`, or several with commas between them; by default what each model is
            for.
        batch_size: Images of one size that run together; by default a measurement says, and 1 with `predictions`.
        pad_batches: Pad words of different widths to one, which changes results.
        score_thr: Count detections above it, in place of a sweep.
        skip_broken: Count images and annotations that cannot be read, and go on.
        worst: How many of the worst images each row has in `worst`.
        task: `det` or `recog`, what the models are expected to do; by default as they say.
        predictions: A file that gets a line of JSON an image.
        resume: Go on from what an interrupted run left beside that file.
        precision: What OpenVINO computes: `fp32`, `fp16`, `bf16` or `auto`; by default `fp32`.
        config: The MMOCR config, in place of the one that a model's spec records.
        checkpoint: The checkpoint, likewise.
        device: `cpu`, `cuda` or `cuda:N`; by default CUDA where the backend has it, else the CPU.
        threads: Number of CPU cores; by default those that this process may use.
        custom_ops: Shared libraries with operators that an ONNX model needs.
        plugins: Shared libraries with plugins that an engine needs.
        optimized_model_cache: Folder in which ONNX Runtime's optimised models are kept.
        trust_checkpoint: Read checkpoints by running the code that they hold.
        other_libraries: Take libraries that are not those which a model was made with.
        tf32: Let a GPU compute float32 in TensorFloat-32.

    Returns:
        A row for each model, backend and data set, and one more for the mean of several data sets. A row without
        numbers says in `error` why.

    Raises:
        InputError: A file is missing or broken, or an option cannot matter.
        MachineError: A package or device is missing, and there is no other model or backend.
        CheckError: The only model failed.
    """
    from ocrdeploy.errors import UsageError
    from ocrdeploy.evaluation.evaluating import EvaluationOptions
    from ocrdeploy.evaluation.plan import DataChoice
    from ocrdeploy.evaluation.rows import name_data_sets
    from ocrdeploy.evaluation.runs import plan_runs
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.predictions.files import PART_SUFFIX
    from ocrdeploy.running.models import check_options

    if resume and predictions is None:
        raise UsageError("resume continues a run whose predictions are written to a file", "Name the file.")
    opening = opening_of(
        config=config,
        checkpoint=checkpoint,
        precision=precision,
        device=device,
        threads=threads,
        custom_ops=custom_ops,
        plugins=plugins,
        optimized_model_cache=optimized_model_cache,
        trust_checkpoint=trust_checkpoint,
        other_libraries=other_libraries,
        tf32=tf32,
    )
    files = OutputFiles()
    if predictions is not None:
        for file in (predictions, f"{predictions}{PART_SUFFIX}"):
            files.add("predictions", Path(file))
    files.protect_config(opening.config)
    files.protect(*models, opening.checkpoint, *custom_ops, *plugins)
    for labels in (data, ann_file):
        files.protect_labels(None if labels is None else Path(labels))
    choice = DataChoice(
        None if opening.config is None else opening.read_config(opening.config),
        None if ann_file is None else str(ann_file),
        None if img_prefix is None else str(img_prefix),
        None if data is None else Path(data),
        tuple(metrics),
    )
    options = EvaluationOptions(batch_size, pad_batches, score_thr, skip_broken, worst)
    runs = plan_runs([Path(model) for model in models], backend, opening.checkpoint_file, Path.cwd())
    check_options(opening, [(run.model, run.backend) for run in runs], *(() if models else ("checkpoint",)))
    evaluating = Evaluating(choice, options, task, opening, Silent(), files)
    target = None if predictions is None else str(predictions)
    return name_data_sets(evaluating.rows(runs, target, resume=resume))
