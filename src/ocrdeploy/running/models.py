"""Opening a model: from its files to a predictor."""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from ocrdeploy.artifacts import check_file, sha256_of
from ocrdeploy.backends import BackendName
from ocrdeploy.descriptions.model_files import spec_of_onnx
from ocrdeploy.errors import MissingPackageError, ModelError, UsageError
from ocrdeploy.model_spec import ExportOptions, FileRecord, ModelSpec
from ocrdeploy.predictor import Predictor

from .libraries import check_libraries
from .opening import USED_BY, Opening, opening_of
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
    other_libraries: bool = False,
    precision: str | None = None,
) -> Predictor:
    """Open a model for prediction.

    Args:
        model: An ONNX model, a TensorRT engine, or a checkpoint (then `config` is needed).
        config: The MMOCR config, for a checkpoint, for a model that holds no spec, and for PyTorch in place of
            the config that the model's spec records.
        checkpoint: The checkpoint for PyTorch, in place of the one that the model's spec records.
        backend: `torch`, `onnxruntime`, `openvino` or `tensorrt`; by default what the file is for. With `torch`, an
            ONNX model stands for the config and checkpoint that it was exported from.
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
        precision: What OpenVINO computes: `fp32`, `fp16`, `bf16`, or `auto` for what it chooses; by default `fp32`.
        other_libraries: Take `custom_ops` and `plugins` that are not those which the model was made with.

    Returns:
        A predictor, which is a context manager. Called with one image (a path, encoded bytes, an open file, an image
        of Pillow's, or an array: H×W×3 uint8 BGR, or grey) it returns the image's result; with a list, a list in order.

    Raises:
        InputError: A file is missing, broken, or does not fit the others.
        MachineError: A package or device is missing.
    """
    opening = opening_of(
        config=config,
        checkpoint=checkpoint,
        backend=backend,
        device=device,
        threads=threads,
        custom_ops=custom_ops,
        plugins=plugins,
        optimized_model_cache=optimized_model_cache,
        trust_checkpoint=trust_checkpoint,
        tf32=tf32,
        other_libraries=other_libraries,
        precision=precision,
    )
    path = Path(model)
    check_options(opening, [(path, opening.backend_of(path))])
    return open_model(path, opening)


def check_options(opening: Opening, models: Iterable[tuple[Path, BackendName]], *more: str) -> None:
    """Refuse options that none of a command's models looks at, and files that are named and not there.

    Args:
        opening: What was named.
        models: The models, each with its backend.
        more: Fields of the opening that something else in the command looks at.

    Raises:
        UsageError: An option cannot matter.
        InputError: A file is missing.
    """
    used = set(more)
    texts: dict[str, None] = {}
    for path, backend in models:
        is_checkpoint = backend == "torch" and opening.source(path).is_checkpoint
        used |= USED_BY[backend] - ({"checkpoint"} if is_checkpoint else set())
        texts[f"{path} on {backend}"] = None
    opening.check(used, " and ".join(texts))


def open_model(path: Path, opening: Opening, *, compare: bool = True) -> Predictor:
    """Open a model for prediction; see `open_predictor`.

    Args:
        path: The model.
        opening: How it is opened.
        compare: Refuse a config that says otherwise than the spec that the model holds.
    """
    source = opening.source(path)
    match opening.backend_of(path):
        case "torch" if source.is_checkpoint:
            if opening.config is None:
                raise UsageError(f"{path} is a checkpoint, which needs its MMOCR config", "Give it with --config.")
            return open_torch(opening.config, path, None, opening)
        case "torch":
            spec = describe(source, opening, compare=compare) if source.is_onnx else source.own_spec
            config, checkpoint = source.made_from(opening.config, opening.checkpoint_file)
            return open_torch(config, checkpoint, None if spec is None else spec.export, opening)
        case "onnxruntime":
            return _open_onnx(source, opening, compare=compare)
        case "openvino":
            return _open_openvino(source, opening, compare=compare)
        case "tensorrt":
            return _open_tensorrt(source, opening, compare=compare)


def describe(source: ModelSource, opening: Opening, *, compare: bool = True) -> ModelSpec:
    """Return the spec of an ONNX model, or that of the config in its place; see `spec_of_onnx`.

    Raises:
        ModelError: There is neither.
    """
    config = None if opening.config is None else opening.read_config(opening.config)
    return spec_of_onnx(source.facts, source.path, config, compare=compare) or source.spec


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
    from ocrdeploy.descriptions.specs import build_spec

    record = FileRecord(str(checkpoint), sha256_of(checkpoint))
    spec = build_spec(model_config, checkpoint=record, export=export)
    network = load_network(model_config, checkpoint, export, trust_checkpoint=opening.trust_checkpoint)
    names = [output.name for output in spec.outputs]
    backend = TorchBackend(network, spec.inputs, names, opening.place, opening.threads, tf32=opening.tf32)
    return Predictor(spec, backend, opening.threads, str(checkpoint))


def require_torch() -> None:
    """Raise MissingPackageError unless PyTorch is installed."""
    if importlib.util.find_spec("torch") is None:
        raise MissingPackageError("torch", "run or export a checkpoint", "pip install 'ocrdeploy[torch]'")


def _open_onnx(source: ModelSource, opening: Opening, *, compare: bool) -> Predictor:
    """Open an ONNX model in ONNX Runtime; a config stands in for a spec that it does not hold."""
    path = source.path
    if not source.is_onnx:
        raise UsageError(f"ONNX Runtime runs .onnx models, got {path}")
    spec = describe(source, opening, compare=compare)
    check_libraries("--custom-ops", opening.custom_ops, spec.custom_ops, source.path, opening)
    from ocrdeploy.backends.onnx import OnnxRuntimeBackend

    libraries, cache = opening.custom_ops, opening.optimized_model_cache
    backend = OnnxRuntimeBackend(
        path, opening.place, opening.threads, libraries, cache, tf32=opening.tf32, for_reading=opening.for_reading
    )
    backend.precision = source.facts.precision
    backend.choose_outputs([output.name for output in spec.outputs])
    return Predictor(spec, backend, opening.threads, str(path))


def _open_openvino(source: ModelSource, opening: Opening, *, compare: bool) -> Predictor:
    """Open an ONNX model in OpenVINO; a config stands in for a spec that it does not hold."""
    path = source.path
    if not source.is_onnx:
        raise UsageError(f"OpenVINO runs .onnx models, got {path}")
    spec = describe(source, opening, compare=compare)
    from ocrdeploy.backends.openvino import OpenVINOBackend, parse_precision

    precision = parse_precision(opening.precision or "fp32")
    backend = OpenVINOBackend(path, opening.place, opening.threads, precision, opening.optimized_model_cache)
    backend.choose_outputs([output.name for output in spec.outputs])
    return Predictor(spec, backend, opening.threads, str(path))


def _open_tensorrt(source: ModelSource, opening: Opening, *, compare: bool) -> Predictor:
    """Open an engine in TensorRT."""
    if not source.is_engine:
        fix = f"Build one with: ocrdeploy build-engine {source.path}" if source.is_onnx else ""
        raise UsageError(f"TensorRT runs engines ({', '.join(ENGINE_SUFFIXES)}), got {source.path}", fix)
    from .engines import open_engine

    return open_engine(source, opening, compare=compare)
