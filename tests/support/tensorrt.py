"""TensorRT for tests: the real TensorRT for RTX for building, and stand-ins for what only a GPU can do.

The stand-ins are made from the classes of the installed library, so that a call which these do not have fails.
"""

import ctypes
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from ocrdeploy.backends.trt import Library, Severity, is_installed, load_library, make_logger
from ocrdeploy.model_spec import ShapeProfile, TensorRTFlavour

RTX: TensorRTFlavour = "tensorrt-rtx"
FLOAT_SIZE = 4

needs_rtx = pytest.mark.skipif(not is_installed(RTX), reason="tensorrt-rtx is not installed")
"""Of tests that build with TensorRT for RTX, or whose stand-ins are made from its classes."""


class QuietMonitor:
    """A build monitor that keeps what it is told.

    Args:
        on_step: Called at each step.
    """

    def __init__(self, on_step: Callable[[], None] = lambda: None) -> None:
        self.messages: list[tuple[Severity, str]] = []
        self.open: list[str] = []
        self.finished: list[str] = []
        self.steps: list[tuple[str, int]] = []
        self._on_step = on_step

    def log(self, severity: Severity, message: str) -> None:
        self.messages.append((severity, message))

    def phase_started(self, name: str, parent: str | None, steps: int) -> None:
        assert parent is None or parent in self.open
        assert steps >= 0
        self.open.append(name)

    def step_done(self, name: str, step: int) -> None:
        assert name in self.open
        self.steps.append((name, step))
        self._on_step()

    def phase_finished(self, name: str) -> None:
        self.open.remove(name)
        self.finished.append(name)


Shapes = tuple[tuple[int, ...], ...]


class EngineStandIn:
    """Stands for an engine on a GPU: it computes with ONNX Runtime, in memory that the CUDA stand-in has allocated.

    Args:
        model: The ONNX model.
        profiles: Its profiles.

    Attributes:
        engine: The stand-in of `ICudaEngine`.
        contexts: The stand-ins of `IExecutionContext` that were made.
        runs: The shapes that were run, each with the profile that was set.
        plans: The plans that were loaded.
    """

    def __init__(self, model: onnx.ModelProto, profiles: Sequence[ShapeProfile]) -> None:
        self._trt = load_library(RTX).trt
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        self._profiles = tuple(profiles)
        self.inputs = [each.name for each in self._session.get_inputs()]
        self.outputs = [each.name for each in self._session.get_outputs()]
        self._declared = {each.name: each.shape for each in (*self._session.get_inputs(), *self._session.get_outputs())}
        self.runs: list[tuple[int, tuple[int, ...]]] = []
        self.plans: list[bytes] = []
        self.contexts: list[Any] = []
        self._output_shapes: dict[Shapes, dict[str, tuple[int, ...]]] = {}
        self.engine = self._make_engine()

    def library(self, version: str | None = None) -> Library:
        """Return a library whose runtime loads this engine; what else it holds is the real library's."""
        trt = self._trt
        runtime = create_autospec(trt.Runtime, instance=True, spec_set=True)
        runtime.deserialize_cuda_engine.side_effect = self._load
        stand_in = SimpleNamespace(
            __version__=version or trt.__version__,
            Runtime=lambda logger: runtime if isinstance(logger, trt.ILogger) else None,
            TensorIOMode=trt.TensorIOMode,
            DataType=trt.DataType,
            ComputeCapability=trt.ComputeCapability,
            init_libnvinfer_plugins=create_autospec(trt.init_libnvinfer_plugins),
        )
        return Library(RTX, stand_in, make_logger(trt))

    def _load(self, plan: bytes) -> Any:
        self.plans.append(plan)
        return self.engine

    def _make_engine(self) -> Any:
        trt = self._trt
        names = [*self.inputs, *self.outputs]
        engine = create_autospec(trt.ICudaEngine, instance=True, spec_set=True)
        engine.num_io_tensors = len(names)
        engine.get_tensor_name.side_effect = names.__getitem__
        engine.get_tensor_mode.side_effect = lambda name: (
            trt.TensorIOMode.INPUT if name in self.inputs else trt.TensorIOMode.OUTPUT
        )
        integers = {each.name for each in self._session.get_outputs() if each.type == "tensor(int32)"}
        engine.get_tensor_dtype.side_effect = lambda name: (
            trt.DataType.INT32 if name in integers else trt.DataType.FLOAT
        )
        engine.get_tensor_shape.side_effect = lambda name: tuple(
            length if isinstance(length, int) else -1 for length in self._declared[name]
        )
        engine.create_execution_context.side_effect = self._make_context
        return engine

    def _make_context(self) -> Any:
        context = create_autospec(self._trt.IExecutionContext, instance=True, spec_set=True)
        state: dict[str, Any] = {"profile": None, "shapes": {}, "addresses": {}}

        def set_profile(index: int, stream: int) -> bool:
            assert stream
            state["profile"] = index
            return 0 <= index < len(self._profiles)

        def set_shape(name: str, shape: tuple[int, ...]) -> bool:
            assert name in self.inputs
            state["shapes"][name] = tuple(shape)
            least, _, most = self._profiles[int(state["profile"])].shapes_of(self._declared[name])
            return all(low <= length <= high for low, length, high in zip(least, shape, most, strict=True))

        def set_address(name: str, address: int) -> bool:
            state["addresses"][name] = address
            return True

        def output_shape(name: str) -> tuple[int, ...]:
            if name in self.inputs:
                return tuple(state["shapes"][name])
            shapes = tuple(state["shapes"][each] for each in self.inputs)
            if shapes not in self._output_shapes:
                outputs = self._compute([np.zeros(shape, np.float32) for shape in shapes])
                self._output_shapes[shapes] = {key: value.shape for key, value in outputs.items()}
            return self._output_shapes[shapes][name]

        def execute(stream: int) -> bool:
            assert stream
            shapes = {name: state["shapes"][name] for name in self.inputs}
            self.runs.append((state["profile"], next(shape for shape in shapes.values() if len(shape) == 4)))
            given = [_view(state["addresses"][name], shape) for name, shape in shapes.items()]
            for name, values in self._compute(given).items():
                _view(state["addresses"][name], values.shape)[:] = values.view(np.float32)
            return True

        context.set_optimization_profile_async.side_effect = set_profile
        context.set_input_shape.side_effect = set_shape
        context.set_tensor_address.side_effect = set_address
        context.get_tensor_shape.side_effect = output_shape
        context.execute_async_v3.side_effect = execute
        self.contexts.append(context)
        return context

    def _compute(self, given: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        batch = dict(zip(self.inputs, given, strict=True))
        return dict(zip(self.outputs, self._session.run(self.outputs, batch), strict=True))


def _view(address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return memory of the CUDA stand-in as an array."""
    size = int(np.prod(shape)) * FLOAT_SIZE
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address)).view(np.float32).reshape(shape)


def resize_layers(network: Any) -> dict[str, tuple[str, str, str, tuple[float, ...]]]:
    """Return, for each resize layer of a network, its mode, coordinates, rounding and constant scales.

    Linear layers do not round: theirs is empty. Scales that are computed at run time are none.
    """
    trt = load_library(RTX).trt
    found = {}
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type == trt.LayerType.RESIZE:
            # TensorRT gives every layer as the base class.
            layer.__class__ = trt.IResizeLayer
            rounding = layer.nearest_rounding.name if layer.resize_mode == trt.InterpolationMode.NEAREST else ""
            scales = tuple(layer.scales) if layer.num_inputs == 1 else ()
            found[layer.name] = (layer.resize_mode.name, layer.coordinate_transformation.name, rounding, scales)
    return found
