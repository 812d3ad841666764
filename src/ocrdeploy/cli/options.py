"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

JsonFile = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON to FILE; - is standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print details; an internal error shows its traceback.")]
DeviceName = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="cpu, cuda or cuda:N. [default: CUDA where the backend has it, else the CPU]"
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
        help="Keep ONNX Runtime's optimised models in this folder, so that the next start need not make them. The "
        "folder must exist; whoever can write to it decides what is run.",
        show_default=False,
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="LIB.so", help="Library with plugins that TensorRT needs; may be given several times."
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


def device_name(device: str | None, device_id: int | None) -> str | None:
    """Return the device that --device or --device-id names.

    Raises:
        UsageError: Both were given.
    """
    from ocrdeploy.errors import UsageError

    if device is not None and device_id is not None:
        raise UsageError("--device and --device-id name the same thing: give one of them")
    return device if device_id is None else f"cuda:{device_id}"
