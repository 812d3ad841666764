"""Opening a model: from its files to a predictor."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.artifacts import METADATA_KEY, check_file, load_onnx, sha256_of, spec_from_metadata
from ocrdeploy.backends import parse_backend
from ocrdeploy.descriptions.specs import build_spec, spec_of_foreign_model
from ocrdeploy.errors import DeviceError, MissingPackageError, ModelError, UsageError
from ocrdeploy.model_spec import ExportOptions, FileRecord
from ocrdeploy.predictor import Predictor
from ocrdeploy.spec_checks import check_spec

from .opening import Opening
from .sources import ENGINE_SUFFIXES, ModelSource


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
    tf32: bool = False,
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
        tf32: Let a GPU compute float32 in TensorFloat-32: faster, and outputs differ by some thousandths.

    Returns:
        A predictor, which is a context manager. Called with one image (a path, encoded bytes, an open file, an image
        of Pillow's, or an array: H×W×3 uint8 BGR, or grey) it returns the image's result; with a list, a list in order.

    Raises:
        InputError: A file is missing, broken, or does not fit the others.
        MachineError: A package or device is missing.
    """
    opening = Opening(
        config=None if config is None else Path(config),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        backend=backend,
        device=device,
        threads=threads,
        custom_ops=tuple(Path(library) for library in custom_ops),
        plugins=tuple(Path(library) for library in plugins),
        optimized_model_cache=None if optimized_model_cache is None else Path(optimized_model_cache),
        trust_checkpoint=trust_checkpoint,
        tf32=tf32,
    )
    return open_model(Path(model), opening)


def open_model(path: Path, opening: Opening) -> Predictor:
    """Open a model for prediction; see `open_predictor`."""
    source = opening.source(path)
    match source.backend if opening.backend is None else parse_backend(opening.backend):
        case "torch" if source.is_checkpoint:
            if opening.config is None:
                raise UsageError(f"{path} is a checkpoint, which needs its MMOCR config", "Give it with --config.")
            return open_torch(opening.config, path, None, opening)
        case "torch":
            config, checkpoint = source.made_from(opening.config, opening.checkpoint_file)
            both_named = opening.config is not None and opening.checkpoint is not None
            return open_torch(config, checkpoint, None if both_named else source.spec.export, opening)
        case "onnxruntime":
            return _open_onnx(source, opening)
        case "tensorrt":
            return _open_tensorrt(source, opening)


def open_torch(
    config: Path, checkpoint: Path, export: ExportOptions | None = None, opening: Opening | None = None
) -> Predictor:
    """Open a config's network with a checkpoint's weights in PyTorch.

    Args:
        config: The MMOCR config.
        checkpoint: The checkpoint.
        export: The options of the export that the network is compared with, which decide its upsampling and outputs.
        opening: Device, threads, and whether to trust the checkpoint.

    Raises:
        ConfigError: See `load_config`.
        CheckpointError: See `read_state_dict` and `load_weights`.
        MissingPackageError: PyTorch is not installed.
    """
    opening = opening or Opening()
    model_config = opening.read_config(config)
    check_file(checkpoint, "checkpoint", ModelError)
    require_torch()
    from ocrdeploy.backends.torch import TorchBackend
    from ocrdeploy.descriptions.networks import load_network

    record = FileRecord(str(checkpoint), sha256_of(checkpoint))
    spec = build_spec(model_config, checkpoint=record, export=export)
    network = load_network(model_config, checkpoint, export, trust_checkpoint=opening.trust_checkpoint)
    names = [output.name for output in spec.outputs]
    backend = TorchBackend(network, names, opening.place, opening.threads, tf32=opening.tf32)
    return Predictor(spec, backend, opening.threads, str(checkpoint))


def require_torch() -> None:
    """Raise MissingPackageError unless PyTorch is installed."""
    if importlib.util.find_spec("torch") is None:
        raise MissingPackageError("torch", "run or export a checkpoint", "pip install 'ocrdeploy[torch]'")


def _open_onnx(source: ModelSource, opening: Opening) -> Predictor:
    """Open an ONNX model in ONNX Runtime; a config stands in for a spec that it does not hold."""
    path = source.path
    if not source.is_onnx:
        raise UsageError(f"ONNX Runtime runs .onnx models, got {path}")
    from ocrdeploy.backends.onnx import OnnxRuntimeBackend

    libraries, cache = opening.custom_ops, opening.optimized_model_cache
    try:
        backend = OnnxRuntimeBackend(path, opening.place, opening.threads, libraries, cache, tf32=opening.tf32)
    except DeviceError:
        # What is wrong with the file matters more: it is so on every machine.
        load_onnx(path)
        raise
    except ModelError:
        if not libraries:
            _ask_for_custom_ops(source)
        raise
    tensor = backend.input_name, backend.input_shape
    outputs = list(zip(backend.output_names, backend.output_shapes, strict=True))
    if METADATA_KEY not in backend.metadata and opening.config is not None:
        foreign = spec_of_foreign_model(opening.read_config(opening.config), tensor, outputs)
        backend.choose_outputs([output.name for output in foreign.outputs])
        return Predictor(foreign, backend, opening.threads, str(path))
    spec = spec_from_metadata(backend.metadata, path)
    check_spec(spec, path, tensor, outputs, "Export the model again.")
    backend.precision = spec.precision
    backend.choose_outputs([output.name for output in spec.outputs])
    return Predictor(spec, backend, opening.threads, str(path))


def _ask_for_custom_ops(source: ModelSource) -> None:
    """Raise ModelError if a model's spec names libraries of operators that it needs."""
    spec = source.own_spec
    names = [] if spec is None else [Path(library.path).name for library in spec.custom_ops]
    if names:
        raise ModelError(
            f"{source.path} needs the operators of {', '.join(names)}", "Give the library with --custom-ops LIB.so."
        )


def _open_tensorrt(source: ModelSource, opening: Opening) -> Predictor:
    """Open an engine in TensorRT."""
    if not source.is_engine:
        fix = f"Build one with: ocrdeploy build-engine {source.path}" if source.is_onnx else ""
        raise UsageError(f"TensorRT runs engines ({', '.join(ENGINE_SUFFIXES)}), got {source.path}", fix)
    from .engines import open_engine

    return open_engine(source, opening)
