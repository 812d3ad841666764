"""Opening a TensorRT engine: the checks that come before TensorRT gets to see it."""

from contextlib import ExitStack
from pathlib import Path

from ocrdeploy.backends.cuda import CudaDevice, choose_gpu
from ocrdeploy.backends.trt import load_library, load_plugins, title
from ocrdeploy.backends.trt_runtime import TensorRTBackend
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.descriptions.model_files import check_config, spec_of_foreign_model
from ocrdeploy.engines.files import (
    check_architecture,
    check_known_architectures,
    check_version,
    read_engine,
    rebuild_advice,
    rebuild_command,
)
from ocrdeploy.errors import DeviceError, ModelError
from ocrdeploy.hardware import Device
from ocrdeploy.model_spec import EngineRecord, ModelSpec
from ocrdeploy.predictor import Predictor
from ocrdeploy.spec_checks import check_spec

from .libraries import check_libraries
from .opening import Opening
from .sources import ModelSource


def open_engine(source: ModelSource, opening: Opening, *, compare: bool = True) -> Predictor:
    """Open an engine.

    What is wrong with the file is told before what is wrong with the machine.

    Args:
        source: The plan; its sidecar lies beside it.
        opening: The GPU to run on, the libraries of plugins, and the config of an engine whose model held no spec.
        compare: Refuse a config that says otherwise than the spec that the engine holds.

    Raises:
        ModelError: Plan or sidecar are missing or broken, do not belong together, or are for another TensorRT or GPU.
        MachineError: TensorRT or a GPU is missing.
    """
    path = source.path
    record, plan = read_engine(path)
    config = None if opening.config is None else opening.read_config(opening.config)
    if record.spec is not None and config is not None and compare:
        check_config(config, record.spec, path)
    check_libraries("--plugin", opening.plugins, record.plugins, path, opening)
    library = load_library(record.runtime)
    check_version(path, record, title(record.runtime), library.version)
    check_known_architectures(path, record, library)
    index = choose_gpu(
        opening.place,
        f"{title(record.runtime)} runs engines on NVIDIA GPUs",
        f"Run the model that the engine was built from: --backend onnxruntime {record.onnx.path}",
    )
    with ExitStack() as stack:
        gpu = CudaDevice(index)
        stack.callback(gpu.close)
        if not library.runs_on(gpu.architecture):
            known = ", ".join(library.architectures or ())
            raise DeviceError(
                f"{library.name} does not run on this GPU: it knows {known}, and this GPU is {gpu.architecture}",
                "Build an engine with TensorRT, which does: ocrdeploy build-engine MODEL.onnx --runtime tensorrt",
            )
        check_architecture(path, record, gpu.architecture)
        load_plugins(opening.plugins)
        backend = TensorRTBackend(
            library,
            plan,
            record.profiles,
            precision=record.precision,
            gpu=gpu,
            device=Device(index),
            rebuild=rebuild_command(record),
        )
        backend.tf32 = record.tf32
        stack.callback(backend.close)
        spec = _spec(path, record, config, backend)
        # From here on the backend gives the GPU's memory back.
        stack.pop_all()
    return Predictor(spec, backend, opening.threads, str(path))


def _spec(path: Path, record: EngineRecord, config: ModelConfig | None, backend: TensorRTBackend) -> ModelSpec:
    """Return the engine's spec.

    Raises:
        ModelError: There is none, or it is not that of this engine.
    """
    inputs, outputs = backend.inputs, backend.outputs
    if record.spec is not None:
        check_spec(record.spec, path, inputs, outputs, rebuild_advice(record))
        return record.spec
    if config is not None:
        return spec_of_foreign_model(config, path, inputs, outputs)
    raise ModelError(
        f"{path} was built from a model without a spec", "Give the MMOCR config that it was made from with --config."
    )
