"""Which models an evaluation runs on which backends."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.artifacts import is_optimized_model, sha256_of
from ocrdeploy.backends import BackendName, parse_backend
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.descriptions.specs import build_spec
from ocrdeploy.engines.files import check_built_from, read_record
from ocrdeploy.errors import InputError, UsageError
from ocrdeploy.hardware import cuda_device_count
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.running.models import describe
from ocrdeploy.running.opening import Opening
from ocrdeploy.running.sources import ENGINE_SUFFIXES, ONNX_SUFFIXES, ModelSource

OTHER_BACKENDS = (("onnxruntime", "torch"), ("onnxruntime", "openvino"))
"""What a model is for, and what else runs it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One model on one backend.

    Attributes:
        model: The model.
        backend: The backend.
        source: The ONNX model that `model`, an engine which is not there, would be built from.
    """

    model: Path
    backend: BackendName
    source: Path | None = None


def plan_runs(models: Sequence[Path], backends: str | None, checkpoint: Path | None, folder: Path) -> list[Run]:
    """Return each model with each backend that runs it, in the order in which they are named.

    TensorRT's part of an ONNX model is the engine that `build-engine` writes beside it. Where there is none, and no
    GPU either, the run is planned all the same if others are: it says what this machine lacks.

    Args:
        models: The models that the user names; where there are none, a checkpoint, or what lies in `folder`.
        backends: Names with commas between them; None takes what each model is for.
        checkpoint: A checkpoint that was named beside the models.
        folder: Where to look for a model when none is named.

    Raises:
        UsageError: A backend does not exist, a model or backend has no counterpart, or `folder` holds no model or
            several for a backend.
        ModelError: A file's name is not that of a model.
    """
    names = [parse_backend(name) for name in backends.split(",")] if backends is not None else None
    _refuse_twice("--backend", names or ())
    if not models and checkpoint is not None:
        models = [checkpoint]
    if not models:
        return [
            _run_in_folder(folder, name, alone=names is None or len(names) == 1) for name in names or ["onnxruntime"]
        ]
    if names is None:
        runs = [Run(model, ModelSource(model).backend) for model in models]
    elif len(names) == 1:
        runs = [_run_alone(model, names[0]) for model in models]
    else:
        runs = _pair(models, names)
    _refuse_twice("the command line", [f"{os.path.normpath(run.model)} for {run.backend}" for run in runs])
    return runs


def _refuse_twice(where: str, names: Sequence[str]) -> None:
    """Refuse a name that is given twice.

    Raises:
        UsageError: Names it.
    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{where} names {name} twice", "Name it once.")


def _pair(models: Sequence[Path], names: Sequence[BackendName]) -> list[Run]:
    """Return each model with those of several backends that run it."""
    has_engine = any(ModelSource(model).backend == "tensorrt" for model in models)
    runs: list[Run] = []
    for model in models:
        own = ModelSource(model).backend
        fitting = [name for name in names if name == own or (own, name) in OTHER_BACKENDS]
        runs += [Run(model, name) for name in fitting]
        if own == "onnxruntime" and "tensorrt" in names and not has_engine:
            runs.append(_engine_beside(model))
        elif not fitting:
            raise UsageError(f"{model} runs on {own}, and --backend names {', '.join(names)}")
    for name in names:
        if name not in {run.backend for run in runs}:
            raise UsageError(f"none of the models runs on {name}", "Name one that does, or leave out the backend.")
    return runs


def _run_alone(model: Path, name: BackendName) -> Run:
    """Return a model with the one backend that is asked for; what does not fit is refused when it is opened."""
    engine = model.with_suffix(ENGINE_SUFFIXES[0])
    if name == "tensorrt" and model.suffix.lower() in ONNX_SUFFIXES and engine.is_file():
        return _run_of_engine(engine, model)
    return Run(model, name)


def _run_of_engine(engine: Path, model: Path) -> Run:
    """Return the run of an engine that stands for an ONNX model.

    Raises:
        ModelError: It was built from another one, or has no sidecar.
    """
    if model.is_file():
        check_built_from(engine, read_record(engine), model)
    return Run(engine, "tensorrt")


def _engine_beside(model: Path) -> Run:
    """Return the run of the engine beside an ONNX model.

    Raises:
        UsageError: There is none, though this machine has a GPU.
    """
    engine = model.with_suffix(ENGINE_SUFFIXES[0])
    if engine.is_file():
        return _run_of_engine(engine, model)
    if cuda_device_count():
        raise UsageError(
            f"there is no engine {engine} beside {model} for backend tensorrt",
            f"Build it with: ocrdeploy build-engine {model}",
        )
    return Run(engine, "tensorrt", source=model)


def _run_in_folder(folder: Path, backend: BackendName, *, alone: bool) -> Run:
    """Return the one model in a folder that a backend runs."""
    has_engine = any(path.suffix.lower() in ENGINE_SUFFIXES for path in folder.iterdir())
    if backend == "tensorrt" and not alone and not has_engine:
        return _engine_beside(_only_model(folder, "onnxruntime"))
    return Run(_only_model(folder, backend), backend)


def _only_model(folder: Path, backend: BackendName) -> Path:
    """Return the one model in a folder that a backend runs; PyTorch runs what an ONNX model was exported from."""
    suffixes = ENGINE_SUFFIXES if backend == "tensorrt" else ONNX_SUFFIXES
    named = (path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    # What --optimized-model-cache keeps is made of a model, and none of its own.
    found = sorted(path for path in named if not is_optimized_model(path.name))
    if len(found) == 1:
        return found[0].relative_to(folder)
    kinds = " or ".join(suffixes)
    if not found:
        raise UsageError(f"the current folder holds no {kinds} file for backend {backend}", "Name the model.")
    names = ", ".join(path.name for path in found)
    raise UsageError(
        f"the current folder holds several models for backend {backend}: {names}", "Name the one you mean."
    )


def read_spec(run: Run, opening: Opening) -> ModelSpec | None:
    """Return what a model takes, gives and means, without opening it for inference.

    Args:
        run: The model.
        opening: How it is opened; a config stands in for a spec that it does not hold.

    Returns:
        The spec; None where it is known only when the model is open.

    Raises:
        ModelError: A file is missing or broken, or holds no spec while there is no config.
        ConfigError: The config is broken.
    """
    source = opening.source(run.source or run.model)
    runs_as_it_is = run.backend != "tensorrt" or run.source is not None or source.is_engine
    if source.is_onnx and runs_as_it_is:
        return describe(source, opening)
    if source.is_engine and source.own_spec is not None:
        return source.own_spec
    if opening.config is None or not (runs_as_it_is and (source.is_engine or run.backend == "torch")):
        return None
    return build_spec(opening.read_config(opening.config))


def planned_precision(run: Run, spec: ModelSpec, opening: Opening) -> str:
    """Return the number format of a network that is not open."""
    if run.backend == "tensorrt" and run.source is None:
        return opening.source(run.model).record.precision
    return "fp32" if run.backend == "torch" else spec.precision


def identity_of(run: Run, opening: Opening) -> list[str]:
    """Return the SHA-256 of what decides what a run gives: of files, weights beside them and what a config says.

    Args:
        run: The model; a file that is not there is told by whoever opens it.
        opening: How it is opened.
    """
    source = opening.source(run.model)
    paths, said = [run.model, *opening.custom_ops, *opening.plugins], []
    with contextlib.suppress(InputError):
        if run.backend == "torch":
            config, checkpoint = (
                source.made_from(opening.config, opening.checkpoint_file)
                if source.is_onnx
                else (opening.config, run.model)
            )
            paths.append(checkpoint)
            said = [] if config is None else [_said_by(opening.read_config(config))]
        elif source.is_onnx:
            paths += source.files
    if opening.config is not None:
        said.append(_said_by(opening.read_config(opening.config)))
    found = [sha256_of(path) for path in dict.fromkeys(paths) if path.is_file()]
    return found + [hashlib.sha256(text.encode()).hexdigest() for text in dict.fromkeys(said)]


def _said_by(config: ModelConfig) -> str:
    """Return what of a config decides what a model gives on which data, wherever its files lie."""
    parts = config.architecture, config.preprocessing, config.postprocessing, config.datasets, config.network
    return repr(parts)
