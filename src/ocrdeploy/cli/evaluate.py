"""`ocrdeploy evaluate`: accuracy and speed on a labelled data set, one table for all backends."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .checkpoint_argument import local_checkpoint
from .evaluation_table import print_rows
from .options import (
    AnnFile,
    BatchSize,
    CheckpointFile,
    ConfigFile,
    DeviceId,
    DeviceName,
    ImgPrefix,
    JsonFile,
    Quiet,
    TaskOption,
    Verbose,
    device_name,
)
from .output import Output, open_lines
from .scoring import Scoring

if TYPE_CHECKING:
    from ocrdeploy.predictor import Predictor


def command(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="ONNX models, or checkpoints with --config. [default: the one model in the current folder that the "
            "backend runs]",
            show_default=False,
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend",
            metavar="BACKEND[,BACKEND]",
            help="torch, onnxruntime, or both, in any case. [default: what each model is for]",
        ),
    ] = None,
    eval_metrics: Annotated[
        list[str] | None,
        typer.Option("--eval", metavar="METRIC", help="hmean-iou, hmean-ic13 or acc. [default: the config's]"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER_OR_FILE",
            help="Your own labelled images, without any config: a folder with ICDAR 2015's gt_IMAGE.txt files, a list "
            "of image<TAB>text lines, or an annotation file of MMOCR. --img-prefix names the folder of its images.",
        ),
    ] = None,
    ann_file: AnnFile = None,
    img_prefix: ImgPrefix = None,
    score_thr: Annotated[
        float | None,
        typer.Option(
            "--score-thr", metavar="X", help="Count detections above X. [default: the best of a sweep, as MMOCR does]"
        ),
    ] = None,
    batch_size: BatchSize = 1,
    pad_batches: Annotated[
        bool,
        typer.Option(
            "--pad-batches",
            help="Batch words of different widths, padded to one. Faster, but it changes results, because an LSTM "
            "reads the padding.",
        ),
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Count images and annotations that cannot be read, and go on.")
    ] = False,
    predictions: Annotated[
        str | None,
        typer.Option("--predictions", metavar="FILE.jsonl", help="Write each image's result as a line of JSON."),
    ] = None,
    task: TaskOption = None,
    config: ConfigFile = None,
    checkpoint: CheckpointFile = None,
    device: DeviceName = None,
    device_id: DeviceId = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure accuracy and speed on a labelled data set, each backend beside the others.

    The data set is the one that the model's config names in data.test, relative to the current folder.
    """
    from ocrdeploy.artifacts import check_writable
    from ocrdeploy.evaluation import EvaluationOptions
    from ocrdeploy.evaluation_plan import DataChoice, plan_runs
    from ocrdeploy.opening import open_predictor

    output = Output(json_file, quiet, verbose)
    if predictions not in (None, "-"):
        check_writable(Path(str(predictions)))
    weights = None if checkpoint is None else local_checkpoint(checkpoint, output)
    metrics = tuple(name for names in eval_metrics or [] for name in names.split(","))
    choice = DataChoice(config, ann_file, img_prefix, data, metrics)
    options = EvaluationOptions(batch_size, pad_batches, score_thr, skip_broken)
    place = device_name(device, device_id)
    rows: list[dict[str, Any]] = []
    with open_lines(predictions) as write:
        for run in plan_runs(models or [], backend, weights, Path.cwd()):
            with open_predictor(
                run.model, config=config, checkpoint=weights, backend=run.backend, device=place
            ) as predictor:
                _check_task(task, run.model, predictor)
                rows += Scoring(run.model, predictor, choice, options, write, output).rows()
    print_rows(rows, output)
    task_name = rows[0]["task"]
    output.json({"schema": 1, "command": "evaluate", "task": task_name, "rows": rows})


def _check_task(task: str | None, model: Path, predictor: "Predictor") -> None:
    """Refuse a model of another task than --task says."""
    from ocrdeploy.errors import UsageError

    if task is not None and task != predictor.spec.task:
        raise UsageError(f"{model} is a model for task {predictor.spec.task!r}, not {task!r}")
