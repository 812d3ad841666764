"""Opening a model: from its files to a predictor."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.artifacts import METADATA_KEY, check_file, load_onnx, read_onnx_spec, sha256_of, spec_from_metadata
from ocrdeploy.backends import BackendName, parse_backend
from ocrdeploy.errors import DeviceError, MissingPackageError, ModelError, UsageError
from ocrdeploy.hardware import Device, parse_device
from ocrdeploy.mmocr_config.loading import load_config
from ocrdeploy.mmocr_config.spec_building import build_spec, spec_of_foreign_model
from ocrdeploy.model_spec import ExportOptions, FileRecord, ModelSpec
from ocrdeploy.predictor import Predictor
from ocrdeploy.spec_checks import check_spec

ONNX_SUFFIXES = (".onnx",)
ENGINE_SUFFIXES = (".engine", ".plan", ".trt")
CHECKPOINT_SUFFIXES = (".pth", ".pt", ".safetensors")


def open_predictor(
    model: str | Path,
    *,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    backend: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    custom_ops: Sequence[str | Path] = (),
    plugins: Sequence[str | Path] = (),
    trust_checkpoint: bool = False,
    optimized_model_cache: str | Path | None = None,
) -> Predictor:
    """Open a model for prediction.

    Args:
        model: An ONNX model, a TensorRT engine, or a checkpoint (then `config` is needed).
        config: The MMOCR config, for a checkpoint, for a model that holds no spec, and for PyTorch in place of
            the config that the model's spec records.
        checkpoint: The checkpoint for PyTorch, in place of the one that the model's spec records.
        backend: `torch`, `onnxruntime` or `tensorrt`; by default what the model's file is for. With `torch`, an ONNX
            model stands for the config and checkpoint that it was exported from.
        device: `cpu`, `cuda` or `cuda:N`; by default CUDA where the backend has it, else the CPU. A device that is
            named is obeyed or refused.
        threads: Number of CPU cores for all stages together; by default those that this process may use.
        custom_ops: Shared libraries with operators that an ONNX model needs. Loading one runs its code, so it is never
            done because a model names it.
        plugins: Shared libraries with plugins that an engine needs; likewise.
        trust_checkpoint: Read a checkpoint by running the code that it holds, in place of reading it as data.
        optimized_model_cache: Folder in which ONNX Runtime's optimised models are kept, so that it need not optimise a
            model again. Whoever can write to it decides what is run.

    Returns:
        A predictor, which is a context manager. Called with one image (a path, or an H×W×3 uint8 BGR array) it returns
        the image's result; called with a list, a list in order.

    Raises:
        InputError: A file is missing, broken, or does not fit the others.
        MachineError: A package or device is missing.
    """
    path = Path(model)
    chosen = default_backend(path) if backend is None else parse_backend(backend)
    place = None if device is None else parse_device(device)
    config_path = None if config is None else Path(config)
    checkpoint_path = None if checkpoint is None else Path(checkpoint)
    is_checkpoint = path.suffix.lower() in CHECKPOINT_SUFFIXES
    match chosen:
        case "torch" if is_checkpoint:
            if config_path is None:
                raise UsageError(f"{path} is a checkpoint, which needs its MMOCR config", "Give it with --config.")
            return open_torch(config_path, path, None, place, threads, trust_checkpoint=trust_checkpoint)
        case "torch":
            files = path, config_path, checkpoint_path
            return open_torch_of_onnx(*files, place, threads, trust_checkpoint=trust_checkpoint)
        case "onnxruntime":
            cache = None if optimized_model_cache is None else Path(optimized_model_cache)
            return _open_onnx(path, config_path, place, threads, [Path(library) for library in custom_ops], cache)
        case "tensorrt":
            return _open_tensorrt(path, config_path, place, threads, [Path(library) for library in plugins])


def default_backend(path: Path) -> BackendName:
    """Return the backend that a model's file is for, by its suffix.

    Raises:
        ModelError: The suffix is none of a model.
    """
    suffix = path.suffix.lower()
    if suffix in ONNX_SUFFIXES:
        return "onnxruntime"
    if suffix in CHECKPOINT_SUFFIXES:
        return "torch"
    if suffix in ENGINE_SUFFIXES:
        return "tensorrt"
    known = ", ".join(ONNX_SUFFIXES + ENGINE_SUFFIXES + CHECKPOINT_SUFFIXES)
    raise ModelError(f"{path} is not a model: its name should end with one of {known}")


def open_torch(
    config: Path,
    checkpoint: Path,
    export: ExportOptions | None,
    device: Device | None,
    threads: int | None = None,
    *,
    trust_checkpoint: bool = False,
) -> Predictor:
    """Open a config's network with a checkpoint's weights in PyTorch.

    Args:
        config: The MMOCR config.
        checkpoint: The checkpoint.
        export: The options of the export that the network is compared with, which decide its upsampling and outputs.
        device: Where to run.
        threads: Number of CPU cores; None takes those that this process may use.
        trust_checkpoint: Read the checkpoint by running the code that it holds.

    Raises:
        ConfigError: See `load_config`.
        CheckpointError: See `read_state_dict` and `load_weights`.
        MissingPackageError: PyTorch is not installed.
    """
    model_config = load_config(config)
    check_file(checkpoint, "checkpoint", ModelError)
    require_torch()
    from ocrdeploy.backends.torch import TorchBackend
    from ocrdeploy.mmocr_config.network_loading import load_network

    record = FileRecord(str(checkpoint), sha256_of(checkpoint))
    spec = build_spec(model_config, checkpoint=record, export=export)
    network = load_network(model_config, checkpoint, export, trust_checkpoint=trust_checkpoint)
    backend = TorchBackend(network, [output.name for output in spec.outputs], device, threads)
    return Predictor(spec, backend, threads, str(checkpoint))


def open_torch_of_onnx(
    model: Path,
    config: Path | None,
    checkpoint: Path | None,
    device: Device | None,
    threads: int | None = None,
    *,
    trust_checkpoint: bool = False,
) -> Predictor:
    """Open, in PyTorch, what an ONNX model was exported from; of its spec only places and export options are used."""
    if config is not None and checkpoint is not None:
        return open_torch(config, checkpoint, None, device, threads, trust_checkpoint=trust_checkpoint)
    spec = read_onnx_spec(model)
    config, checkpoint = find_source(spec, model, config, checkpoint)
    return open_torch(config, checkpoint, spec.export, device, threads, trust_checkpoint=trust_checkpoint)


def find_source(
    spec: ModelSpec, model: Path, config: Path | None = None, checkpoint: Path | None = None
) -> tuple[Path, Path]:
    """Return the config and the checkpoint that a model was made from.

    Args:
        spec: The model's spec, which records them.
        model: The model's file; where the recorded places hold them no more, they are looked for beside it.
        config: The config, if the user named it.
        checkpoint: The checkpoint, if the user named it.

    Raises:
        ModelError: One is neither named nor recorded, or not there.
    """
    if config is not None and checkpoint is not None:
        return config, checkpoint
    if spec.source is None:
        raise ModelError(f"the spec of {model} names no config and checkpoint", "Give --config and --checkpoint.")
    return (
        config or _find_recorded(spec.source.config, model, "config"),
        checkpoint or _find_recorded(spec.source.checkpoint, model, "checkpoint"),
    )


def require_torch() -> None:
    """Raise MissingPackageError unless PyTorch is installed."""
    if importlib.util.find_spec("torch") is None:
        raise MissingPackageError("torch", "run or export a checkpoint", "pip install 'ocrdeploy[torch]'")


def _find_recorded(record: FileRecord, model: Path, kind: str) -> Path:
    """Return the file that a spec records, from its old place or from beside the model if it is the same file."""
    recorded = Path(record.path)
    if recorded.is_file():
        return recorded
    beside = model.parent / recorded.name
    if beside.is_file() and sha256_of(beside) == record.sha256:
        return beside
    raise ModelError(f"the {kind} that {model} was exported from, {recorded}, is not there", f"Give it with --{kind}.")


def _open_onnx(
    path: Path,
    config: Path | None,
    device: Device | None,
    threads: int | None,
    custom_ops: Sequence[Path],
    cache: Path | None,
) -> Predictor:
    """Open an ONNX model in ONNX Runtime; a config stands in for a spec that it does not hold."""
    if path.suffix.lower() not in ONNX_SUFFIXES:
        raise UsageError(f"ONNX Runtime runs .onnx models, got {path}")
    from ocrdeploy.backends.onnx import OnnxRuntimeBackend

    try:
        backend = OnnxRuntimeBackend(path, device, threads, custom_ops, cache)
    except DeviceError:
        # What is wrong with the file matters more: it is so on every machine.
        load_onnx(path)
        raise
    except ModelError:
        if not custom_ops:
            _ask_for_custom_ops(path)
        raise
    tensor = backend.input_name, backend.input_shape
    outputs = list(zip(backend.output_names, backend.output_shapes, strict=True))
    if METADATA_KEY not in backend.metadata and config is not None:
        foreign = spec_of_foreign_model(load_config(config), tensor, outputs)
        return Predictor(foreign, backend, threads, str(path))
    spec = spec_from_metadata(backend.metadata, path)
    check_spec(spec, path, tensor, outputs, "Export the model again.")
    backend.precision = spec.precision
    return Predictor(spec, backend, threads, str(path))


def _ask_for_custom_ops(path: Path) -> None:
    """Raise ModelError if a model's spec names libraries of operators that it needs."""
    metadata = {prop.key: prop.value for prop in load_onnx(path).metadata_props}
    if METADATA_KEY not in metadata:
        return
    names = [Path(library.path).name for library in spec_from_metadata(metadata, path).custom_ops]
    if names:
        raise ModelError(
            f"{path} needs the operators of {', '.join(names)}", "Give the library with --custom-ops LIB.so."
        )


def _open_tensorrt(
    path: Path, config: Path | None, device: Device | None, threads: int | None, plugins: Sequence[Path]
) -> Predictor:
    """Open an engine in TensorRT."""
    suffix = path.suffix.lower()
    if suffix not in ENGINE_SUFFIXES:
        fix = f"Build one with: ocrdeploy build-engine {path}" if suffix in ONNX_SUFFIXES else ""
        raise UsageError(f"TensorRT runs engines ({', '.join(ENGINE_SUFFIXES)}), got {path}", fix)
    from ocrdeploy.engines.opening import open_engine

    return open_engine(path, config, device, threads, plugins)
