"""`ocrdeploy evaluate`: accuracy and speed on a labelled data set, one table for all backends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ocrdeploy.running.opening import Opening

from .evaluation_report import ReportFiles, report
from .model_arguments import check_models
from .options import (
    RUNNING,
    AnnFile,
    BatchSize,
    Csv,
    Github,
    ImgPrefix,
    JsonFile,
    Junit,
    Markdown,
    Quiet,
    TaskOption,
    Verbose,
    guard,
    planned,
    prepared,
    takes,
)
from .output import Output
from .read_scoring import ReadScoring
from .stored_scoring import StoredScoring
from .worst_images import add_worst_folder, show_worst


@takes("backends", *RUNNING)
def command(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MODEL",
            help="ONNX models, TensorRT engines, or checkpoints with --config. [default: the one model in the current "
            "folder that the backend runs]",
            show_default=False,
        ),
    ] = None,
    *,
    eval_metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--eval",
            metavar="METRIC",
            help="hmean-iou or hmean-ic13; acc, which is all of word_acc, "
            "word_acc_ignore_case, word_acc_ignore_case_symbol, char_recall, char_precision and one_minus_ned, or some "
            "of these. MMOCR 1.x's names do as well: HmeanIOUMetric, WordMetric, CharMetric, OneMinusNEDMetric, "
            "recog/word_acc. [default: the config's]",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER_OR_FILE",
            help="Your own labelled images, without any config: a folder with ICDAR's gt_IMAGE.txt files, a list of "
            "image<TAB>text lines, or labels of MMOCR, docTR, EasyOCR or PaddleOCR. --img-prefix names the folder of "
            "the images.",
        ),
    ] = None,
    ann_file: AnnFile = None,
    img_prefix: ImgPrefix = None,
    score_thr: Annotated[
        float | None,
        typer.Option(
            "--score-thr",
            metavar="X",
            help="Count detections above X, for models of MMOCR 1.x also those at X. [default: the best of a sweep, as "
            "MMOCR does]",
        ),
    ] = None,
    batch_size: BatchSize = None,
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
    worst: Annotated[
        int | None,
        typer.Option(
            "--worst",
            min=1,
            metavar="N",
            help="List the N worst images of each data set, with what is missing and extra, or misread.",
        ),
    ] = None,
    worst_folder: Annotated[
        Path | None,
        typer.Option("--worst-folder", metavar="FOLDER", help="Draw the images of --worst into a folder."),
    ] = None,
    predictions: Annotated[
        str | None,
        typer.Option(
            "--predictions",
            metavar="FILE.jsonl",
            help="Write each image's result as a line of JSON; - is standard output. Until all are there they are in "
            "FILE.jsonl.part. Without --batch-size images run one by one then, so that all runs write the same.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="With --predictions: go on after an interruption, from what FILE.jsonl.part holds, if model, backend "
            "and data set are the same.",
        ),
    ] = False,
    from_predictions: Annotated[
        Path | None,
        typer.Option(
            "--from-predictions",
            metavar="FILE.jsonl",
            help="Score what --predictions wrote, without running a model. The data set is that of --config, --data or "
            "--ann-file, or of the model.",
        ),
    ] = None,
    read: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--read",
            metavar="DETECTOR RECOGNISER",
            help="Score two models that read together, end to end, by ICDAR 2015's protocol. --data names a folder of "
            "files gt_IMAGE.txt with places and texts.",
        ),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="NAME=VALUE",
            help="Exit with 1 if a number, such as hmean-iou:hmean=0.79 (or icdar/hmean=0.79) or images_per_second=20, "
            "is smaller; of several data sets the mean counts. May be given several times.",
        ),
    ] = None,
    fail_over: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-over",
            metavar="NAME=VALUE",
            help="Exit with 1 if size_mib or seconds is larger, such as size_mib=20. May be given several times.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="OLD.json",
            help="Exit with 1 if a score is under that of an earlier --json by more than --max-drop. [default of "
            "--max-drop then: what one label makes, since the last bits of float32 differ between machines]",
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            metavar="X",
            help="Exit with 1 if hmean, word accuracy or 1-N.E.D. is more than X under that of the first column, or of "
            "--baseline, on any data set.",
        ),
    ] = None,
    task: TaskOption = None,
    opening: Opening,
    json_file: JsonFile = None,
    markdown: Markdown = None,
    csv: Csv = None,
    junit: Junit = None,
    github: Github = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure accuracy on labelled images, a column for each backend.

    The labels are those of --data, or of the test set that the model's config names, relative to the current folder.
    Where this machine lacks a backend, its cell says what is missing, the others run, and the exit code is 3.
    """
    from ocrdeploy.evaluation.baseline import read_baseline
    from ocrdeploy.evaluation.evaluating import EvaluationOptions
    from ocrdeploy.evaluation.gates import Gates, check_drop_has_reference, parse_maximum, parse_minimum
    from ocrdeploy.evaluation.models import Evaluating
    from ocrdeploy.evaluation.plan import DataChoice
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.predictions.pages import holds_pages

    check_models("evaluate", models or [])
    files = ReportFiles(json_file, markdown, csv, predictions, junit)
    outputs = OutputFiles()
    files.add_to(outputs)
    if worst_folder is not None:
        add_worst_folder(outputs, worst_folder, worst)
    guard(outputs, opening)
    outputs.protect(from_predictions, baseline, *(models or ()))
    for labels in (ann_file, data):
        outputs.protect_labels(None if labels is None else Path(labels))
    output = Output(json_file, quiet, verbose, stdout_taken=files.takes_stdout)
    bounds = (*map(parse_minimum, fail_under or ()), *map(parse_maximum, fail_over or ()))
    gates = Gates(bounds, max_drop, None if baseline is None else read_baseline(baseline))
    metrics = tuple(name for names in eval_metrics or [] for name in names.split(","))
    config = None if opening.config is None else opening.read_config(opening.config)
    choice = DataChoice(config, ann_file, img_prefix, data, metrics)
    options = EvaluationOptions(batch_size, pad_batches, score_thr, skip_broken, worst or 0)
    _check_resume(resume, predictions)
    running = {
        **{option: value for option, value in opening.given.items() if option != "--config"},
        "--predictions": predictions,
        "--resume": resume,
        "--batch-size": batch_size,
        "--pad-batches": pad_batches,
    }
    idle = {"--ann-file": ann_file, "--eval": metrics, "--score-thr": score_thr, "--worst": worst, "--task": task}
    reading = ReadScoring(data, img_prefix, output, outputs)
    if read is not None:
        idle |= {"--resume": resume, "--batch-size": batch_size, "--pad-batches": pad_batches}
        reading.refuse(idle | {"MODEL": models, "--from-predictions": from_predictions})
        rows = reading.run(read, prepared(opening, output), predictions)
    elif from_predictions is not None and holds_pages(from_predictions):
        _refuse_running(running)
        reading.refuse(idle | {"MODEL": models})
        rows = reading.stored(from_predictions)
    elif from_predictions is not None:
        _refuse_running(running)
        rows = StoredScoring(models or [], choice, options, task, opening, output, outputs).rows(from_predictions)
    else:
        runs, opening = planned(models or [], opening, output)
        check_drop_has_reference(gates, len(runs))
        evaluating = Evaluating(choice, options, task, opening, output, outputs)
        rows = evaluating.rows(runs, predictions, resume=resume)
    show_worst(rows, worst_folder, output)
    report(rows, gates, files, output, github=github)


def _check_resume(resume: bool, predictions: str | None) -> None:
    """Refuse --resume without a file to go on from."""
    from ocrdeploy.errors import UsageError

    if resume and predictions in (None, "-"):
        raise UsageError("--resume continues a run whose results --predictions writes to a file", "Name the file.")


def _refuse_running(options: Mapping[str, object]) -> None:
    """Refuse options that say how to run a model, beside --from-predictions."""
    from ocrdeploy.errors import UsageError

    given = [option for option, value in options.items() if value]
    if given:
        raise UsageError(f"--from-predictions runs no model: leave out {', '.join(given)}")
