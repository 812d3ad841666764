"""Options that several commands share, and the group of those that say how a model is opened."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ocrdeploy.running.opening import Opening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocrdeploy.evaluation.runs import Run
    from ocrdeploy.output_files import OutputFiles

    from .output import Output


def complete_backend(typed: str) -> list[str]:
    """Return the backends that a shell offers, behind those that are typed with commas."""
    before, comma, last = typed.rpartition(",")
    names = [name for name in ("torch", "onnxruntime", "openvino", "tensorrt") if name not in before.split(",")]
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


def complete_device(typed: str) -> list[str]:
    """Return the devices that a shell offers."""
    return [name for name in ("cpu", "cuda", "cuda:0") if name.startswith(typed)]


JsonFile = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON to FILE; - is standard output.")
]
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE",
        help="Image files, folders of them, or patterns in quotation marks, such as 'scans/*.jpg'.",
        show_default=False,
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Look for images in the folders below a folder as well.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print details; an internal error shows its traceback.")]
DeviceName = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="cpu, cuda or cuda:N. [default: CUDA where the backend has it, else the CPU]",
        autocompletion=complete_device,
    ),
]
DeviceId = Annotated[
    int | None, typer.Option("--device-id", metavar="N", min=0, help="The same as --device cuda:N.", show_default=False)
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="CONFIG",
        help="MMOCR config, for a checkpoint, for an ONNX model that holds no spec, and in place of the config that a "
        "model's spec records. Configs are Python programs: reading one runs it.",
    ),
]
BackendName = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="BACKEND",
        help="torch, onnxruntime, openvino or tensorrt, in any case. [default: what the model's file is for]",
        show_default=False,
        autocompletion=complete_backend,
    ),
]
BackendNames = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="BACKEND[,BACKEND]",
        help="torch, onnxruntime, openvino, tensorrt, or several, in any case; each runs the models that it can. For "
        "an ONNX model, tensorrt is the engine beside it. [default: what each model is for]",
        show_default=False,
        autocompletion=complete_backend,
    ),
]
CheckpointFile = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="CHECKPOINT",
        help="Checkpoint (file or https URL), in place of the one that a model's spec records.",
    ),
]
TrustCheckpoint = Annotated[
    bool,
    typer.Option(
        "--trust-checkpoint",
        help="Read the checkpoint with torch.load, which runs whatever code the file holds: for one that is refused "
        "otherwise, and whose maker you know.",
    ),
]
Tf32 = Annotated[
    bool,
    typer.Option(
        "--tf32",
        help="Let a GPU compute float32 in TensorFloat-32, which rounds products to 11 bits and is faster on some.",
    ),
]
PrecisionName = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="FORMAT",
        help="What OpenVINO computes: fp32, bf16, fp16, or auto for what it chooses. A format that this CPU does not "
        "compute is refused. [default: fp32]",
        show_default=False,
        autocompletion=lambda: ["auto", "fp32", "fp16", "bf16"],
    ),
]
CustomOps = Annotated[
    list[Path] | None,
    typer.Option(
        "--custom-ops",
        metavar="LIB.so",
        help="Library with operators that ONNX Runtime does not have; may be given several times.",
    ),
]
OptimizedModelCache = Annotated[
    Path | None,
    typer.Option(
        "--optimized-model-cache",
        metavar="FOLDER",
        help="Keep the optimised models of ONNX Runtime and OpenVINO in this folder, so that the next start need not "
        "make them. The folder must exist; whoever can write to it decides what is run.",
        show_default=False,
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="LIB.so", help="Library with plugins that TensorRT needs; may be given several times."
    ),
]
OtherLibraries = Annotated[
    bool,
    typer.Option(
        "--other-libraries",
        help="Take libraries of operators and plugins that are not those which the model was made with.",
    ),
]
MmocrPython = Annotated[
    Path | None,
    typer.Option(
        "--mmocr-python",
        metavar="PYTHON",
        help="Interpreter that holds the real MMOCR. [default: $OCRDEPLOY_MMOCR_PYTHON, else the one that ocrdeploy "
        "setup-mmocr has built]",
    ),
]
TaskName = Literal["det", "recog"]
TaskOption = Annotated[
    TaskName | None,
    typer.Option("--task", help="What the model is expected to do. [default: as its config or spec says]"),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        help="CPU cores for reading, network and decoding together. [default: those that this process may use]",
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        metavar="N",
        help="Images of one size run together. [default: detection 1, recognition as a short measurement on the first "
        "words says, 1 with evaluate --predictions]",
        show_default=False,
    ),
]
AnnFile = Annotated[
    str | None,
    typer.Option(
        "--ann-file", metavar="FILE", help="Annotation file, in place of the config's; only its first test set counts."
    ),
]
ImgPrefix = Annotated[
    str | None,
    typer.Option("--img-prefix", metavar="FOLDER", help="Image folder, in place of the config's, or for --data."),
]

Markdown = Annotated[
    str | None, typer.Option("--markdown", metavar="FILE", help="Write the table in Markdown; - is standard output.")
]
Csv = Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write the rows as CSV; - is standard output.")]
Junit = Annotated[
    str | None,
    typer.Option("--junit", metavar="FILE", help="Write what was asked for, and what failed, as JUnit's XML for CI."),
]
Github = Annotated[
    bool,
    typer.Option(
        "--github",
        help="Print each failure as an annotation of GitHub Actions too. [default: where GITHUB_ACTIONS is true]",
    ),
]

OPENING_OPTIONS: dict[str, Any] = {
    "backend": BackendName,
    "backends": BackendNames,
    "config": ConfigFile,
    "checkpoint": CheckpointFile,
    "custom_ops": CustomOps,
    "plugins": Plugins,
    "optimized_model_cache": OptimizedModelCache,
    "other_libraries": OtherLibraries,
    "trust_checkpoint": TrustCheckpoint,
    "tf32": Tf32,
    "precision": PrecisionName,
    "mmocr_python": MmocrPython,
    "device": DeviceName,
    "device_id": DeviceId,
    "threads": Threads,
}
"""The options that fill an `Opening`; `backends` and `device_id` are other ways to name `backend` and `device`."""
RUNNING = (
    "config",
    "checkpoint",
    "custom_ops",
    "plugins",
    "other_libraries",
    "optimized_model_cache",
    "trust_checkpoint",
    "tf32",
    "precision",
    "device",
    "device_id",
    "threads",
)
"""The options of a command that runs models of every kind."""

Command = Callable[..., None]


def takes(*names: str) -> Callable[[Command], Command]:
    """Give a command the options of `OPENING_OPTIONS` that are named; it is called with them as one `opening`."""

    def wrap(command: Command) -> Command:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            command(**values, opening=_fill(given))

        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if name in {"trust_checkpoint", "other_libraries", "tf32"} else None,
                annotation=OPENING_OPTIONS[name],
            )
            for name in names
        ]
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            own = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            parameters += options if parameter.name == "opening" else [own]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return wrap


def _fill(given: dict[str, Any]) -> Opening:
    """Return how models are opened as the command line says it."""
    device = device_name(given.pop("device"), given.pop("device_id"))
    if "backends" in given:
        given["backend"] = given.pop("backends")
    for name in ("custom_ops", "plugins"):
        if name in given:
            given[name] = tuple(given[name] or ())
    return Opening(**given, device=device)


def prepared(opening: Opening, output: "Output") -> Opening:
    """Download a checkpoint that is a URL, and say what --trust-checkpoint means where it is given.

    Raises:
        UsageError: The URL is not https.
        CheckpointError: The download failed, or its hash is wrong.
    """
    if opening.trust_checkpoint:
        output.warn("--trust-checkpoint: the code that the checkpoint holds is run with your permissions")
    if opening.checkpoint is None:
        return opening
    return replace(opening, checkpoint=local_checkpoint(str(opening.checkpoint), output))


def planned(models: "Sequence[Path]", opening: Opening, output: "Output") -> "tuple[list[Run], Opening]":
    """Return each model with each backend that runs it, and the opening as `prepared` makes it.

    Without models a checkpoint that was named is the model.

    Raises:
        InputError: See `plan_runs`; or an option cannot matter for any of the models.
    """
    from ocrdeploy.evaluation.runs import plan_runs
    from ocrdeploy.running.models import check_options

    if not models and opening.checkpoint is not None:
        opening = prepared(opening, output)
    runs = plan_runs(models, opening.backend, opening.checkpoint_file, Path.cwd())
    is_model = {"checkpoint"} if not models else set()
    check_options(opening, [(run.model, run.backend) for run in runs], *is_model)
    return runs, opening if is_model and opening.checkpoint is not None else prepared(opening, output)


def guard(files: "OutputFiles", opening: Opening) -> None:
    """Tell the files that a command writes of what an opening reads and keeps.

    Raises:
        UsageError: An output is an input.
    """
    from ocrdeploy.artifacts import is_optimized_model

    if opening.optimized_model_cache is not None:
        files.add_series("--optimized-model-cache", opening.optimized_model_cache, is_optimized_model)
    files.protect(opening.checkpoint, *opening.custom_ops, *opening.plugins, opening.mmocr_python)
    files.protect_config(opening.config)


def local_checkpoint(checkpoint: str, output: "Output") -> Path:
    """Return the file of a checkpoint that is named by a path or a URL.

    Raises:
        UsageError: The URL is not https.
        CheckpointError: The download failed, or its hash is wrong.
    """
    from ocrdeploy.checkpoints.download import fetch_checkpoint, is_url

    if not is_url(checkpoint):
        return Path(checkpoint)
    with output.progress("downloading", total=None, bytes_=True) as bar:
        return fetch_checkpoint(checkpoint, bar.update)


def device_name(device: str | None, device_id: int | None) -> str | None:
    """Return the device that --device or --device-id names.

    Raises:
        UsageError: Both were given.
    """
    from ocrdeploy.errors import UsageError

    if device is not None and device_id is not None:
        raise UsageError("--device and --device-id name the same thing: give one of them")
    return device if device_id is None else f"cuda:{device_id}"
