"""Opening a TensorRT engine: the checks that come before TensorRT gets to see it."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ocrdeploy.backends.cuda import CudaDevice, choose_gpu
from ocrdeploy.backends.trt import load_library, load_plugins, title
from ocrdeploy.backends.trt_runtime import TensorRTBackend
from ocrdeploy.errors import ModelError
from ocrdeploy.hardware import Device
from ocrdeploy.mmocr_config.loading import load_config
from ocrdeploy.mmocr_config.spec_building import spec_of_foreign_model
from ocrdeploy.model_spec import EngineRecord, ModelSpec
from ocrdeploy.predictor import Predictor
from ocrdeploy.spec_checks import check_spec

from .files import check_architecture, check_version, read_engine, rebuild_command


def open_engine(
    path: Path, config: Path | None, device: Device | None, threads: int | None, plugins: Sequence[Path]
) -> Predictor:
    """Open an engine.

    What is wrong with the file is told before what is wrong with the machine.

    Args:
        path: The plan; its sidecar lies beside it.
        config: The MMOCR config of an engine whose model held no spec.
        device: The GPU to run on; None takes the first.
        threads: Number of CPU cores for all stages together.
        plugins: Libraries with plugins that the engine needs.

    Raises:
        ModelError: Plan or sidecar are missing or broken, do not belong together, or are for another TensorRT or GPU.
        MachineError: TensorRT or a GPU is missing.
    """
    record, plan = read_engine(path)
    if record.plugins and not plugins:
        names = ", ".join(Path(plugin.path).name for plugin in record.plugins)
        raise ModelError(f"{path} needs the plugins of {names}", "Give the library with --plugin LIB.so.")
    library = load_library(record.runtime)
    check_version(path, record, title(record.runtime), library.version)
    index = choose_gpu(
        device,
        f"{title(record.runtime)} runs engines on NVIDIA GPUs",
        f"Run the model that the engine was built from: --backend onnxruntime {record.onnx.path}",
    )
    with ExitStack() as stack:
        gpu = CudaDevice(index)
        stack.callback(gpu.close)
        check_architecture(path, record, gpu.architecture)
        load_plugins(plugins)
        backend = TensorRTBackend(
            library,
            plan,
            record.profiles,
            precision=record.precision,
            gpu=gpu,
            device=Device(index),
            rebuild=rebuild_command(record),
        )
        spec = _spec(path, record, backend, config)
        # From here on the backend gives the GPU's memory back.
        stack.pop_all()
    return Predictor(spec, backend, threads, str(path))


def _spec(path: Path, record: EngineRecord, backend: TensorRTBackend, config: Path | None) -> ModelSpec:
    """Return the engine's spec.

    Raises:
        ModelError: There is none, or it is not that of this engine.
    """
    outputs = list(zip(backend.output_names, backend.output_shapes, strict=True))
    if record.spec is None:
        if config is None:
            raise ModelError(
                f"{path} was built from a model without a spec",
                "Give the MMOCR config that it was made from with --config.",
            )
        return spec_of_foreign_model(load_config(config), (backend.input_name, backend.input_shape), outputs)
    fix = f"Build it again with: {rebuild_command(record)}"
    check_spec(record.spec, path, (backend.input_name, backend.input_shape), outputs, fix)
    return record.spec
