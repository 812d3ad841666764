import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.backends.trt import load_library
from ocrdeploy.backends.trt_runtime import TensorRTBackend
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.errors import DeviceError, ModelError, ShapeError, UsageError
from ocrdeploy.hardware import Device, cuda_device_count
from ocrdeploy.model_spec import ShapeProfile
from ocrdeploy.onnx_file import GraphTensor
from tests.support.batches import batch_of
from tests.support.cuda_driver import FakeDriver, noting
from tests.support.networks import open_onnx, run_onnx
from tests.support.tensorrt import RTX, EngineStandIn, QuietMonitor, needs_rtx

pytestmark = needs_rtx

WIDE = ShapeProfile((1, 3, 32, 64), (2, 3, 32, 96), (2, 3, 64, 128))
TALL = ShapeProfile((2, 3, 96, 32), (2, 3, 96, 32), (3, 3, 160, 64))
BATCHES = 1e-6
"""A part of a batch may take other kernels than the whole, which round differently in the last bits of float32."""


@pytest.fixture
def model(seeded_onnx: Callable[[str], Path]) -> onnx.ModelProto:
    return onnx.load_model(seeded_onnx("dbnet"))


@pytest.fixture
def stand_in(model: onnx.ModelProto) -> EngineStandIn:
    return EngineStandIn(model, (WIDE, TALL))


def open_backend(stand_in: EngineStandIn, driver: FakeDriver) -> TensorRTBackend:
    return TensorRTBackend(
        stand_in.library(),
        b"plan",
        (WIDE, TALL),
        precision="fp16",
        gpu=CudaDevice(0, driver),
        device=Device(0),
        rebuild="ocrdeploy build-engine model.onnx",
    )


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.RandomState(0).normal(0, 1, shape).astype(np.float32)


def test_outputs_are_those_of_the_network(stand_in: EngineStandIn, model: onnx.ModelProto) -> None:
    backend = open_backend(stand_in, FakeDriver())
    assert (backend.name, backend.precision, str(backend.device)) == ("tensorrt", "fp16", "cuda:0")
    assert backend.inputs == (GraphTensor("input", ("dim_0", 3, "dim_2", "dim_3")),)
    assert backend.outputs == (GraphTensor("prob_map", ("dim_0", 1, "dim_2", "dim_3")),)
    session = open_onnx(model)
    for shape in ((1, 3, 64, 128), (2, 3, 32, 64), (2, 3, 160, 32), (1, 3, 32, 96)):
        images = noise(*shape)
        outputs = backend.run(batch_of(images))
        assert list(outputs) == ["prob_map"]
        np.testing.assert_allclose(outputs["prob_map"], run_onnx(session, images), atol=BATCHES)
    assert stand_in.plans == [b"plan"]


def test_classes_are_int32_beside_their_scores(seeded_recognizer: Callable[..., Path]) -> None:
    model = onnx.load_model(seeded_recognizer(decode_in_graph=True))
    profile = ShapeProfile((1, 1, 32, 32), (2, 1, 32, 64), (4, 1, 32, 96))
    stand_in = EngineStandIn(model, (profile,))
    images = noise(3, 1, 32, 96)
    backend = TensorRTBackend(
        stand_in.library(),
        b"plan",
        (profile,),
        precision="fp32",
        gpu=CudaDevice(0, FakeDriver()),
        device=Device(0),
        rebuild="ocrdeploy build-engine model.onnx",
    )
    outputs = backend.run(batch_of(images))
    indices, scores = open_onnx(model).run(None, {"input": images})
    types = {name: str(value.dtype) for name, value in outputs.items()}
    assert types == {"indices": "int32", "scores": "float32"}
    np.testing.assert_array_equal(outputs["indices"], indices)
    np.testing.assert_allclose(outputs["scores"], scores, atol=BATCHES)


def masking_model() -> onnx.ModelProto:
    """Return a model that takes a number an image before its images, and gives their product."""
    nodes = [
        helper.make_node("Unsqueeze", ["valid_ratio", "axes"], ["factor"]),
        helper.make_node("Mul", ["input", "factor"], ["product"]),
    ]
    image: list[str | int | None] = ["n", 1, 32, "w"]
    ratio = helper.make_tensor_value_info("valid_ratio", TensorProto.FLOAT, ["n"])
    images, product = (helper.make_tensor_value_info(name, TensorProto.FLOAT, image) for name in ("input", "product"))
    axes = numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes")
    graph = helper.make_graph(nodes, "g", [ratio, images], [product], [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_second_input_has_an_entry_an_image_also_in_parts_and_where_it_is_filled_up() -> None:
    profile = ShapeProfile((2, 1, 32, 32), (2, 1, 32, 64), (3, 1, 32, 96))
    stand_in = EngineStandIn(masking_model(), (profile,))
    driver = FakeDriver()
    backend = TensorRTBackend(
        stand_in.library(),
        b"plan",
        (profile,),
        precision="fp32",
        gpu=CudaDevice(0, driver),
        device=Device(0),
        rebuild="again",
    )
    assert [tensor.name for tensor in backend.inputs] == ["input", "valid_ratio"]
    assert sorted(len(block) for block in driver.blocks.values()) == [3 * 4, *[3 * 32 * 96 * 4] * 2]
    images, ratios = noise(4, 1, 32, 48), np.array([1, 0.5, 0.25, 2], np.float32)
    outputs = backend.run({"input": images, "valid_ratio": ratios})
    np.testing.assert_array_equal(outputs["product"], images * ratios[:, None, None, None])
    assert [shape[0] for _, shape in stand_in.runs] == [2, 3, 2]
    with pytest.raises(ShapeError, match="no profile for 1×1×32×128"):
        backend.run({"input": noise(1, 1, 32, 128), "valid_ratio": ratios[:1]})


def test_a_result_stays_when_the_next_one_is_computed(stand_in: EngineStandIn) -> None:
    backend = open_backend(stand_in, FakeDriver())
    first = backend.run(batch_of(noise(1, 3, 32, 64)))["prob_map"]
    before = first.copy()
    backend.run(batch_of(-noise(1, 3, 32, 64)))
    np.testing.assert_array_equal(first, before)


def test_memory_is_allocated_once_for_the_largest_shape_and_given_back(stand_in: EngineStandIn) -> None:
    driver = FakeDriver()
    backend = open_backend(stand_in, driver)
    sizes = sorted(len(block) for block in driver.blocks.values())
    # The tall profile's is the larger one.
    assert sizes == [3 * 160 * 64 * 4, 3 * 3 * 160 * 64 * 4]
    assert sorted(len(block) for block in driver.pinned.values()) == sizes
    blocks = set(driver.blocks)
    for shape in ((1, 3, 32, 64), (3, 3, 160, 64), (2, 3, 64, 128)):
        backend.run(batch_of(noise(*shape)))
    assert set(driver.blocks) == blocks
    backend.close()
    assert (driver.blocks, driver.pinned, driver.contexts) == ({}, {}, 0)


def test_the_profile_is_changed_when_the_shape_needs_it(stand_in: EngineStandIn) -> None:
    backend = open_backend(stand_in, FakeDriver())
    context = stand_in.contexts[0]
    assert stand_in.runs == [(0, WIDE.opt)]
    before = context.set_optimization_profile_async.call_count
    for shape in ((1, 3, 32, 64), (2, 3, 64, 64), (2, 3, 96, 32), (2, 3, 128, 32), (1, 3, 64, 64)):
        backend.run(batch_of(noise(*shape)))
    assert [profile for profile, _ in stand_in.runs[1:]] == [0, 0, 1, 1, 0]
    assert context.set_optimization_profile_async.call_count == before + 2


def test_a_batch_that_is_too_large_runs_in_parts(stand_in: EngineStandIn, model: onnx.ModelProto) -> None:
    backend = open_backend(stand_in, FakeDriver())
    images = noise(5, 3, 32, 64)
    outputs = backend.run(batch_of(images))["prob_map"]
    assert [shape[0] for _, shape in stand_in.runs[1:]] == [2, 2, 1]
    np.testing.assert_allclose(outputs, run_onnx(open_onnx(model), images), atol=BATCHES)


def test_a_batch_that_is_too_small_is_filled_up(stand_in: EngineStandIn, model: onnx.ModelProto) -> None:
    backend = open_backend(stand_in, FakeDriver())
    images = noise(4, 3, 96, 32)
    outputs = backend.run(batch_of(images))["prob_map"]
    assert [shape[0] for _, shape in stand_in.runs[1:]] == [3, 2]
    assert outputs.shape[0] == 4
    np.testing.assert_allclose(outputs, run_onnx(open_onnx(model), images), atol=BATCHES)


def test_a_shape_outside_every_profile_is_refused_by_name(stand_in: EngineStandIn) -> None:
    backend = open_backend(stand_in, FakeDriver())
    with pytest.raises(ShapeError) as caught:
        backend.run(batch_of(noise(1, 3, 64, 256)))
    assert str(caught.value) == (
        "the engine's input has no profile for 1×3×64×256 (profile 1: 1×3×32×64 to 2×3×64×128, fastest at 2×3×32×96; "
        "profile 2: 2×3×96×32 to 3×3×160×64, fastest at 2×3×96×32). Build it again for a larger --max-shape or a "
        "further --profile: ocrdeploy build-engine model.onnx"
    )
    assert len(stand_in.runs) == 1


def test_an_arrays_layout_does_not_matter(stand_in: EngineStandIn) -> None:
    backend = open_backend(stand_in, FakeDriver())
    images = noise(1, 3, 32, 64)
    mirrored = images[:, :, :, ::-1]
    assert not mirrored.flags.c_contiguous
    expected = backend.run(batch_of(np.ascontiguousarray(mirrored)))["prob_map"]
    np.testing.assert_array_equal(backend.run(batch_of(mirrored))["prob_map"], expected)


def test_the_device_is_made_current_for_each_run(stand_in: EngineStandIn) -> None:
    driver = FakeDriver()
    backend = open_backend(stand_in, driver)
    seen: list[int | None] = []
    execute = stand_in.contexts[0].execute_async_v3.side_effect

    def look(stream: int) -> bool:
        seen.append(driver.current)
        return bool(execute(stream))

    stand_in.contexts[0].execute_async_v3.side_effect = look
    backend.run(batch_of(noise(1, 3, 32, 64)))
    assert seen == [0xC0]
    assert driver.current is None


def test_threads_that_share_a_predictor_each_get_their_own_result(stand_in: EngineStandIn) -> None:
    backend = open_backend(stand_in, FakeDriver())
    images = [noise(1, 3, 32, 64) * factor for factor in (1, -1, 2, -2)]
    expected = [backend.run(batch_of(each))["prob_map"] for each in images]
    with ThreadPoolExecutor(4) as pool:
        results = [(index, pool.submit(backend.run, batch_of(images[index]))) for index in list(range(4)) * 8]
    for index, result in results:
        np.testing.assert_allclose(result.result()["prob_map"], expected[index], atol=BATCHES)


def test_of_profiles_that_hold_an_image_that_of_the_fewest_parts_is_taken(model: onnx.ModelProto) -> None:
    single = ShapeProfile((1, 3, 32, 64), (1, 3, 32, 64), (1, 3, 32, 64))
    many = ShapeProfile((4, 3, 32, 64), (8, 3, 32, 64), (16, 3, 32, 64))
    stand_in = EngineStandIn(model, (single, many))
    backend = TensorRTBackend(
        stand_in.library(),
        b"plan",
        (single, many),
        precision="fp32",
        gpu=CudaDevice(0, FakeDriver()),
        device=Device(0),
        rebuild="again",
    )
    for batch in (16, 1, 5):
        backend.run(batch_of(noise(batch, 3, 32, 64)))
    assert stand_in.runs[1:] == [(1, (16, 3, 32, 64)), (0, (1, 3, 32, 64)), (1, (5, 3, 32, 64))]


def test_an_empty_batch_is_refused(stand_in: EngineStandIn) -> None:
    with pytest.raises(ShapeError, match="0×3×32×64"):
        open_backend(stand_in, FakeDriver()).run(batch_of(noise(0, 3, 32, 64)))


def test_closing_twice_is_closing_once_and_a_closed_engine_says_so(stand_in: EngineStandIn) -> None:
    driver = FakeDriver()
    backend = open_backend(stand_in, driver)
    backend.close()
    backend.close()
    assert (driver.contexts, driver.current) == (0, None)
    with pytest.raises(UsageError, match="the engine is closed"):
        backend.run(batch_of(noise(1, 3, 32, 64)))


def test_an_engine_that_cannot_be_opened_goes_before_its_gpu(
    stand_in: EngineStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FakeDriver(memory=1000)
    order: list[str] = []
    library = stand_in.library()
    plain = library.trt.Runtime
    release = driver.cuDevicePrimaryCtxRelease_v2

    class Loading:
        """A runtime that tells when it goes."""

        def __init__(self, logger: object) -> None:
            self.deserialize_cuda_engine = plain(logger).deserialize_cuda_engine
            weakref.finalize(self, order.append, "runtime")

    library.trt.Runtime = Loading
    monkeypatch.setattr(driver, "cuDevicePrimaryCtxRelease_v2", noting(order, "GPU", release))
    with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        TensorRTBackend(
            library, b"", (WIDE,), precision="fp32", gpu=CudaDevice(0, driver), device=Device(0), rebuild="again"
        )
    assert order == ["runtime", "GPU"]
    assert (driver.blocks, driver.pinned, driver.contexts) == ({}, {}, 0)


def test_a_gpu_that_is_too_small_is_an_error_with_its_name(stand_in: EngineStandIn) -> None:
    with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        open_backend(stand_in, FakeDriver(memory=1000))


def test_what_tensorrt_refuses_is_told_with_its_reason(stand_in: EngineStandIn) -> None:
    library = stand_in.library()
    runtime = library.trt.Runtime(library.logger)

    def refuse(_plan: bytes) -> None:
        library.logger.log(SimpleNamespace(name="ERROR"), "Serialization assertion\n  failed")

    runtime.deserialize_cuda_engine.side_effect = refuse
    with pytest.raises(ModelError) as caught:
        TensorRTBackend(
            library, b"", (WIDE,), precision="fp32", gpu=CudaDevice(0, FakeDriver()), device=Device(0), rebuild="again"
        )
    assert str(caught.value) == (
        f"{library.name} cannot load the plan: Serialization assertion failed. Build it again with: again"
    )


@pytest.mark.skipif(cuda_device_count() > 0, reason="this machine has a GPU")
def test_the_real_runtime_says_why_it_cannot_load_a_plan(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    build_engine(BuildRequest(seeded_onnx("dbnet"), path, RTX, ("sm86",)), QuietMonitor())
    library = load_library(RTX)
    with pytest.raises(ModelError) as caught:
        TensorRTBackend(
            library,
            path.read_bytes(),
            (WIDE,),
            precision="fp32",
            gpu=CudaDevice(0, FakeDriver()),
            device=Device(0),
            rebuild="again",
        )
    assert caught.value.message.startswith(f"{library.name} cannot load the plan: ")
    assert "CUDA driver version is insufficient" in caught.value.message


def test_a_runtime_that_does_not_start_is_an_error(stand_in: EngineStandIn) -> None:
    library = stand_in.library()

    def refuse(_logger: object) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    library.trt.Runtime = refuse
    with pytest.raises(DeviceError, match=r"cannot start on cuda:0: no reason was given$"):
        TensorRTBackend(
            library, b"", (WIDE,), precision="fp32", gpu=CudaDevice(0, FakeDriver()), device=Device(0), rebuild="again"
        )


def test_failures_of_a_run_are_errors(stand_in: EngineStandIn) -> None:
    backend = open_backend(stand_in, FakeDriver())
    context = stand_in.contexts[0]
    context.execute_async_v3.side_effect = lambda _stream: False
    with pytest.raises(DeviceError, match="cannot run the engine: no reason was given"):
        backend.run(batch_of(noise(1, 3, 32, 64)))
    context.set_input_shape.side_effect = lambda _name, _shape: False
    with pytest.raises(ShapeError, match="the engine refuses 1×3×32×64"):
        backend.run(batch_of(noise(1, 3, 32, 64)))
    context.set_optimization_profile_async.side_effect = lambda _index, _stream: False
    with pytest.raises(DeviceError, match="cannot change the profile"):
        backend.run(batch_of(noise(2, 3, 96, 32)))
    stand_in.engine.create_execution_context.side_effect = lambda: None
    with pytest.raises(DeviceError, match="cannot prepare the engine"):
        open_backend(stand_in, FakeDriver())


def test_engines_with_other_inputs_or_types_are_refused(stand_in: EngineStandIn) -> None:
    trt = stand_in._trt
    stand_in.engine.get_tensor_dtype.side_effect = lambda name: (
        trt.DataType.HALF if name == "input" else trt.DataType.FLOAT
    )
    with pytest.raises(ModelError, match=r"float32 inputs, one of them of four .* outputs was expected, got input: "):
        open_backend(stand_in, FakeDriver())


def test_a_stand_in_has_only_what_tensorrt_has(stand_in: EngineStandIn) -> None:
    open_backend(stand_in, FakeDriver())
    for stand in (stand_in.engine, stand_in.contexts[0]):
        with pytest.raises(AttributeError):
            stand.execute_everything()
