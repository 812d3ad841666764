import json
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import embed_spec, load_onnx, read_onnx_spec, sha256_of
from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.backends.trt import load_library
from ocrdeploy.backends.trt_builder import Plan
from ocrdeploy.engines import building, targets
from ocrdeploy.engines.building import BuildReport, build_engine
from ocrdeploy.engines.files import read_engine, read_record, sidecar_path
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.engines.shape_requests import GivenProfile, ShapeRequest
from ocrdeploy.errors import DeviceError, ModelError, OutputError, ShapeError, UsageError
from ocrdeploy.graphs import serialization
from ocrdeploy.model_spec import ShapeProfile
from tests.support.cuda_driver import FakeDriver
from tests.support.models import ARCHITECTURES, STEP_BY_STEP, write_model
from tests.support.tensorrt import RTX, QuietMonitor, needs_rtx

pytestmark = needs_rtx

Seeded = Callable[[str], Path]

SMALL = ShapeRequest((GivenProfile((1, 3, 10, 10), (1, 3, 30, 30)),))


def build(model: Path, output: Path, **options: object) -> BuildReport:
    request = BuildRequest(model, output, RTX, ("sm86",), **options)  # type: ignore[arg-type]
    return build_engine(request, QuietMonitor())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_built_in_both_precisions_with_its_sidecar(
    architecture: str, seeded_onnx: Seeded, tmp_path: Path
) -> None:
    model = seeded_onnx(architecture)
    sizes = []
    for fp16 in (False, True):
        path = tmp_path / f"{architecture}.engine"
        report = build(model, path, fp16=fp16)
        record, plan = read_engine(path)
        assert record == report.record
        assert len(plan) == report.size == path.stat().st_size
        assert record.onnx.sha256 == sha256_of(model)
        assert (record.runtime, record.version) == (RTX, load_library(RTX).version)
        assert (record.gpu_architectures, record.precision) == (("sm86",), "fp16" if fp16 else "fp32")
        assert record.spec == msgspec.structs.replace(read_onnx_spec(model), precision=record.precision)
        (profile,) = record.profiles
        assert all(low <= high for low, high in zip(profile.min, profile.max, strict=True))
        assert profile.opt != profile.min
        sizes.append(report.size)
    # Plans of small networks hold mostly kernels, of which there are as many in either precision; the weights of a loop
    # stay as they are.
    most = {"crnn": 0.8, "abinet": 1.05}.get(architecture, 0.95)
    assert architecture in STEP_BY_STEP or sizes[1] < most * sizes[0]


@pytest.mark.parametrize("fp16", [False, True])
def test_a_recogniser_that_decodes_in_its_graph_is_built_with_its_softmax_in_float32(
    fp16: bool, seeded_recognizer: Callable[..., Path], tmp_path: Path
) -> None:
    model = seeded_recognizer(decode_in_graph=True)
    converted = tmp_path / "fp16.onnx"
    report = build(model, tmp_path / "m.engine", fp16=fp16, save_onnx=converted if fp16 else None)
    assert report.record.spec is not None
    assert [(output.name, output.dtype) for output in report.record.spec.outputs] == [
        ("indices", "int32"),
        ("scores", "float32"),
    ]
    if fp16:
        graph = onnx.shape_inference.infer_shapes(onnx.load_model(converted)).graph
        types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
        last = [node for node in graph.node if node.op_type in ("ArgMax", "Softmax", "ReduceMax")]
        assert {types[node.input[0]] for node in last} == {TensorProto.FLOAT}
        assert [types[output.name] for output in graph.output] == [TensorProto.INT32, TensorProto.FLOAT]
        assert report.conversion is not None
        assert "/Softmax" in report.conversion.kept


def test_a_plan_is_what_tensorrt_calls_one(seeded_onnx: Seeded, tmp_path: Path) -> None:
    build(seeded_onnx("dbnet"), tmp_path / "model.engine")
    # TensorRT marks its plans with a version's letter and these, so nothing of ours stands before it.
    assert (tmp_path / "model.engine").read_bytes()[1:4] == b"trt"


def test_the_shapes_come_from_the_images_of_the_data_set(
    seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = seeded_onnx("dbnet")
    report = build(model, tmp_path / "model.engine")
    typical = ShapeProfile((1, 3, 32, 32), (1, 3, 192, 320), (1, 3, 320, 320))
    assert (report.images, report.record.profiles) == (0, (typical,))
    folder = tmp_path / "scenes" / "imgs"
    folder.mkdir(parents=True)
    images = []
    for index, (height, width) in enumerate([(300, 400), (400, 300), (300, 400)]):
        cv2.imwrite(str(folder / f"{index}.png"), np.zeros((height, width, 3), np.uint8))
        images.append({"id": index, "file_name": f"{index}.png", "height": height, "width": width})
    document = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "text"}]}
    (tmp_path / "scenes" / "instances.json").write_text(json.dumps(document))
    report = build(model, tmp_path / "model.engine", shapes=ShapeRequest(max_batch=2))
    best = ShapeProfile((1, 3, 32, 32), (2, 3, 192, 256), (2, 3, 320, 320))
    assert (report.images, report.record.profiles) == (3, (best,))


def test_a_static_model_is_built_for_its_one_shape(tmp_path: Path) -> None:
    from ocrdeploy.exporting import ExportRequest, export_model

    files = write_model(tmp_path, "dbnet")
    shape = (2, 3, 64, 96)
    export_model(ExportRequest(files.config, files.checkpoint, tmp_path / "static.onnx", shape=shape))
    report = build(tmp_path / "static.onnx", tmp_path / "static.engine", fp16=True)
    assert report.record.profiles == (ShapeProfile(shape, shape, shape),)
    with pytest.raises(UsageError, match="the model is static, 2×3×64×96, and takes no other shapes"):
        build(tmp_path / "static.onnx", tmp_path / "static.engine", shapes=ShapeRequest(max_batch=4))


def test_several_profiles_are_built(seeded_onnx: Seeded, tmp_path: Path) -> None:
    given = (
        GivenProfile((1, 1, 32, 32), (4, 1, 32, 160)),
        GivenProfile((1, 1, 32, 160), (2, 1, 32, 640), (1, 1, 32, 320)),
    )
    report = build(seeded_onnx("crnn"), tmp_path / "crnn.engine", shapes=ShapeRequest(given))
    assert [profile.max for profile in report.record.profiles] == [(4, 1, 32, 160), (2, 1, 32, 640)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_converted_model_is_kept_and_runs_with_its_precision(
    architecture: str, seeded_onnx: Seeded, tmp_path: Path
) -> None:
    saved = tmp_path / "fp16.onnx"
    report = build(seeded_onnx(architecture), tmp_path / "m.engine", fp16=True, save_onnx=saved)
    assert report.conversion is not None
    assert load_onnx(saved) == report.conversion.model
    assert read_onnx_spec(saved) == report.record.spec
    with open_predictor(saved) as predictor:
        assert (predictor.spec.precision, predictor.backend.precision) == ("fp16", "fp16")
    with open_predictor(seeded_onnx(architecture)) as predictor:
        assert (predictor.spec.precision, predictor.backend.precision) == ("fp32", "fp32")


@pytest.mark.slow
def test_layers_stay_float32_on_request(seeded_onnx: Seeded, tmp_path: Path) -> None:
    report = build(seeded_onnx("panet"), tmp_path / "m.engine", fp16=True, float32_layers=("/neck/*",))
    assert report.conversion is not None
    kept = [name for name, reason in report.conversion.kept.items() if reason == "asked for"]
    assert len(kept) > 20
    assert all(name.startswith("/neck/") for name in kept)
    assert "--fp16 --fp32-layers '/neck/*'" in report.record.rebuild


def test_the_record_tells_how_to_build_the_engine_again(seeded_onnx: Seeded, tmp_path: Path) -> None:
    model, output = seeded_onnx("dbnet"), tmp_path / "my engine.engine"
    shapes = ShapeRequest((GivenProfile((1, 3, 32, 32), (1, 3, 96, 96), (1, 3, 64, 64)),))
    report = build(model, output, shapes=shapes)
    assert report.record.rebuild == (
        f"ocrdeploy build-engine {model} --runtime tensorrt-rtx -o '{output}' --profile 1x3x32x32,1x3x64x64,1x3x96x96"
    )
    report = build(model, output, shapes=ShapeRequest(max_batch=3))
    assert report.record.rebuild.endswith(" --max-batch 3")


def foreign_model(nodes: list[onnx.NodeProto] | None = None) -> onnx.ModelProto:
    """Return a model of one layer without a spec."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes or [helper.make_node("Conv", ["pixels", "w"], ["heat"], name="conv")],
        "graph",
        [info("pixels", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [info("heat", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [numpy_helper.from_array(np.full((1, 3, 1, 1), 0.5, np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mmcv", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_somebody_elses_model_takes_a_config_or_shapes(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    onnx.save_model(foreign_model(), path)
    with pytest.raises(UsageError, match="the model does not say which sizes its images have"):
        build(path, tmp_path / "m.engine")
    shapes = ShapeRequest((GivenProfile((1, 3, 10, 10), (1, 3, 30, 30)),))
    assert build(path, tmp_path / "m.engine", shapes=shapes).record.spec is None
    config = write_model(tmp_path, "dbnet").config
    record = build(path, tmp_path / "m.engine", config=config).record
    assert record.spec is not None
    assert (record.spec.input.name, record.spec.outputs[0].name) == ("pixels", "heat")
    assert record.profiles == (ShapeProfile((1, 3, 32, 32), (1, 3, 192, 320), (1, 3, 320, 320)),)


def test_weights_in_other_files_are_found(tmp_path: Path) -> None:
    path = tmp_path / "external.onnx"
    onnx.save_model(foreign_model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    shapes = ShapeRequest((GivenProfile((1, 3, 10, 10), (1, 3, 30, 30)),))
    assert build(path, tmp_path / "m.engine", shapes=shapes).size > 0
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="its weights cannot be read"):
        build(path, tmp_path / "m.engine", shapes=shapes)


@pytest.mark.parametrize("inputs", [0, 2])
def test_models_with_other_inputs_are_refused(inputs: int, tmp_path: Path) -> None:
    model = foreign_model()
    if inputs:
        model.graph.input.append(helper.make_tensor_value_info("extra", TensorProto.INT64, [1]))
    else:
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save_model(model, tmp_path / "m.onnx")
    found = "pixels: float32 ['n', 3, 'h', 'w'], extra: int64 [1]" if inputs else "pixels: uint8 ['n', 3, 'h', 'w']"
    with pytest.raises(ModelError) as caught:
        build(tmp_path / "m.onnx", tmp_path / "m.engine")
    assert caught.value.message == (
        f"{tmp_path}/m.onnx: float32 inputs were expected, one of them of four dimensions (N, C, H, W), got {found}"
    )


def test_an_operator_that_is_not_known_is_named_with_its_place(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["pixels", "w"], ["a"], name="conv"),
        helper.make_node("MMCVModulatedDeformConv2d", ["a"], ["b"], name="dcn", domain="mmcv"),
        helper.make_node("Relu", ["b"], ["heat"], name="relu"),
    ]
    onnx.save_model(foreign_model(nodes), tmp_path / "m.onnx")
    shapes = ShapeRequest((GivenProfile((1, 3, 10, 10), (1, 3, 30, 30)),))
    with pytest.raises(ModelError) as caught:
        build(tmp_path / "m.onnx", tmp_path / "m.engine", shapes=shapes)
    assert str(caught.value) == (
        f"{load_library(RTX).name} has no operator mmcv::MMCVModulatedDeformConv2d: node 2 of 3, 'dcn', after Conv "
        "'conv' and before Relu 'relu'. Give the library of the plugin that has it with --plugin LIB.so."
    )
    assert not (tmp_path / "m.engine").exists()


def branch(name: str) -> onnx.GraphProto:
    """Return a graph inside of If that reads `a` and holds an operator that nobody has."""
    output = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, ["n", 1, "h", "w"])
    nodes = [
        helper.make_node("Relu", ["a"], [f"{name}_in"], name=f"{name}_relu"),
        helper.make_node("Strange", [f"{name}_in"], [f"{name}_out"], name=f"{name}_strange", domain="mmcv"),
    ]
    return helper.make_graph(nodes, name, [], [output])


def test_an_operator_inside_a_branch_is_named_itself(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["pixels", "w"], ["a"], name="conv"),
        helper.make_node("ReduceSum", ["a"], ["sum"], keepdims=0, name="sum"),
        helper.make_node("Greater", ["sum", "zero"], ["condition"], name="greater"),
        helper.make_node("If", ["condition"], ["heat"], then_branch=branch("t"), else_branch=branch("e"), name="theif"),
    ]
    model = foreign_model(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    onnx.save_model(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError) as caught:
        build(tmp_path / "m.onnx", tmp_path / "m.engine", shapes=SMALL)
    assert caught.value.message.startswith(
        f"{load_library(RTX).name} has no operator mmcv::Strange: node 't_strange' inside of If, node 4 of 4, 'theif', "
    )


def test_an_operator_inside_a_function_is_named_itself(tmp_path: Path) -> None:
    inner = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Strange", ["r"], ["y"], domain="mmcv"),
    ]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mmcv", 1)]
    nodes = [
        helper.make_node("Conv", ["pixels", "w"], ["a"], name="conv"),
        helper.make_node("Block", ["a"], ["heat"], name="theblock", domain="mine"),
    ]
    model = foreign_model(nodes)
    model.functions.append(helper.make_function("mine", "Block", ["x"], ["y"], inner, imports))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx.save_model(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError) as caught:
        build(tmp_path / "m.onnx", tmp_path / "m.engine", shapes=SMALL)
    assert " has no operator mmcv::Strange: node " in caught.value.message
    assert " inside of mine::Block, node 2 of 2, 'theblock', after Conv 'conv'" in caught.value.message


@pytest.mark.parametrize("fp16", [False, True])
def test_a_model_that_is_too_large_for_one_file_is_built(
    fp16: bool, seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serialization, "LIMIT", 10_000)
    shapes = ShapeRequest((GivenProfile((1, 3, 64, 64), (1, 3, 64, 64)),))
    assert build(seeded_onnx("dbnet"), tmp_path / "m.engine", shapes=shapes, fp16=fp16).size > 100_000
    with pytest.raises(ModelError, match="one ONNX file holds at most"):
        build(seeded_onnx("dbnet"), tmp_path / "m.engine", shapes=shapes, fp16=True, save_onnx=tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()


@pytest.mark.parametrize("length", [-1, 0, "n"])
def test_lengths_that_are_written_as_0_or_minus_1_are_open(length: int | str, tmp_path: Path) -> None:
    model = foreign_model()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].CopyFrom(onnx.TensorShapeProto.Dimension())
        for index in (0, 2, 3):
            dimension = value.type.tensor_type.shape.dim[index]
            if isinstance(length, int):
                dimension.dim_value = length
            elif index:
                dimension.dim_value = 24
    if length == "n":
        model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save_model(model, tmp_path / "m.onnx")
    shapes = ShapeRequest(max_batch=4) if length == "n" else SMALL
    (profile,) = build(tmp_path / "m.onnx", tmp_path / "m.engine", shapes=shapes).record.profiles
    assert profile.max == ((4, 3, 24, 24) if length == "n" else (1, 3, 30, 30))


def test_initializers_among_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    model = foreign_model(
        [helper.make_node("Conv", ["pixels", "w"], ["a"]), helper.make_node("Conv", ["a", "v"], ["heat"])]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.full((1, 1, 1, 1), 0.5, np.float32), "v"))
    for tensor in model.graph.initializer:
        model.graph.input.insert(0, helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    onnx.save_model(model, tmp_path / "m.onnx")
    kept = tmp_path / "half.onnx"
    build(tmp_path / "m.onnx", tmp_path / "m.engine", shapes=SMALL, fp16=True, save_onnx=kept)
    assert [value.name for value in onnx.load_model(kept).graph.input] == ["pixels"]
    build(kept, tmp_path / "again.engine", shapes=SMALL)
    assert read_record(tmp_path / "again.engine").precision == "fp16"


def test_a_file_that_is_no_sidecar_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeded_onnx: Seeded
) -> None:
    monkeypatch.setattr(building, "read_source", lambda *_arguments: pytest.fail("the model was read"))
    sidecar = tmp_path / "m.engine.json"
    for content in ('{"my": "labels"}', "[]", "", "\xff"):
        sidecar.write_text(content, encoding="latin-1")
        with pytest.raises(OutputError, match=r"m\.engine\.json would become the sidecar of m\.engine, and it is no"):
            build(seeded_onnx("dbnet"), tmp_path / "m.engine")
        assert sidecar.read_text(encoding="latin-1") == content
    sidecar.unlink()
    sidecar.mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        build(seeded_onnx("dbnet"), tmp_path / "m.engine")


def test_an_operator_that_is_used_wrongly_is_named_with_the_reason(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Softmax", ["pixels"], ["a"], axis=9, name="softmax"),
        helper.make_node("Conv", ["a", "w"], ["heat"], name="conv"),
    ]
    onnx.save_model(foreign_model(nodes), tmp_path / "m.onnx")
    shapes = ShapeRequest((GivenProfile((1, 3, 10, 10), (1, 3, 30, 30)),))
    with pytest.raises(ModelError, match=r"cannot take this Softmax: .*: node 1 of 2, 'softmax', after the input"):
        build(tmp_path / "m.onnx", tmp_path / "m.engine", shapes=shapes)


def test_shapes_that_contradict_the_model_are_refused_before_the_build(
    seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "load_library", lambda _flavour: pytest.fail("TensorRT was asked"))
    shapes = ShapeRequest((GivenProfile((1, 3, 320, 320), (1, 3, 640, 640)),))
    with pytest.raises(
        ShapeError, match="the model's input is batch×1×32×width, got 1×3×320×320 as the smallest shape"
    ):
        build(seeded_onnx("crnn"), tmp_path / "m.engine", shapes=shapes)


def test_ctrl_c_ends_the_build_and_leaves_the_old_engine(
    seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.engine"
    build(seeded_onnx("dbnet"), path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    started = threading.Event()
    release = threading.Event()

    def on_step() -> None:
        started.set()
        release.wait(10)

    monitor = QuietMonitor(on_step)

    def interrupted_wait(_futures: object, timeout: float) -> None:
        # What Python does to the main thread, while the build stands at its first step.
        assert timeout > 0
        assert started.wait(10)
        release.set()
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "wait", interrupted_wait)
    with pytest.raises(KeyboardInterrupt):
        build_engine(BuildRequest(seeded_onnx("psenet"), path, RTX, ("sm86",)), monitor)
    assert len(monitor.steps) < 20
    assert "Building engine" not in monitor.finished or monitor.steps[-1][0] != "Building engine"
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_without_a_gpu_nothing_is_built_that_is_to_be_run_at_once(
    seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.backends.cuda.cuda_device_count", lambda: 0)
    with pytest.raises(DeviceError) as caught:
        build(seeded_onnx("dbnet"), tmp_path / "m.engine", runs_engine=True)
    assert str(caught.value) == (
        "--verify and --show run the engine on an NVIDIA GPU, and this machine shows none. Leave them out."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["output", "save_onnx", "timing_cache"])
def test_outputs_are_checked_before_the_work(
    option: str, seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "read_source", lambda *_arguments: pytest.fail("the model was read"))
    (tmp_path / "a file").touch()
    missing = tmp_path / "a file" / "engine"
    request = BuildRequest(
        seeded_onnx("dbnet"),
        missing if option == "output" else tmp_path / "m.engine",
        "tensorrt",
        fp16=True,
        save_onnx=missing if option == "save_onnx" else None,
        timing_cache=missing if option == "timing_cache" else None,
    )
    with pytest.raises(OutputError, match="cannot be written"):
        build_engine(request, QuietMonitor())


def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    model, engine = tmp_path / "model.onnx", tmp_path / "model.engine"
    for options, message in (
        ({"float32_layers": ("x",)}, "--fp32-layers says what --fp16 leaves out: give both"),
        ({"save_onnx": engine}, "--save-onnx keeps the model that --fp16 converts: give both"),
        ({"save_onnx": model, "fp16": True}, "model, engine, converted model and timing cache are different files"),
        ({"timing_cache": engine}, "model, engine, converted model and timing cache are different files"),
    ):
        with pytest.raises(UsageError) as caught:
            BuildRequest(model, engine, **options)
        assert str(caught.value) == message


def test_a_model_that_was_edited_keeps_its_spec_in_the_engine(seeded_onnx: Seeded, tmp_path: Path) -> None:
    model = onnx.load_model(seeded_onnx("dbnet"))
    spec = read_onnx_spec(seeded_onnx("dbnet"))
    embed_spec(model, msgspec.structs.replace(spec, architecture="Edited"))
    onnx.save_model(model, tmp_path / "edited.onnx")
    record = build(tmp_path / "edited.onnx", tmp_path / "m.engine").record
    assert record.spec is not None
    assert record.spec.architecture == "Edited"
    assert json.loads(sidecar_path(tmp_path / "m.engine").read_text())["spec"]["architecture"] == "Edited"


def test_measurements_that_cannot_be_kept_do_not_cost_the_build(
    seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise UsageError("the timing cache holds what was measured on another GPU")

    real = load_library(RTX)
    monkeypatch.setattr(building, "requested_flavour", lambda *_arguments: RTX)
    monkeypatch.setattr(building, "build_plan", lambda *_arguments: Plan(b"plan", b"measured"))
    monkeypatch.setattr(building, "write_timing_cache", refuse)
    warnings: list[str] = []
    monkeypatch.setattr(building, "warn", warnings.append)
    cache = tmp_path / "cache"
    report = build(seeded_onnx("dbnet"), tmp_path / "m.engine", timing_cache=cache)
    assert (report.path.read_bytes(), report.record.version) == (b"plan", real.version)
    assert warnings == [
        f"what was measured is not in the timing cache {cache}: the timing cache holds what was measured on another GPU"
    ]


def test_a_gpu_that_was_built_on_is_given_back(
    seeded_onnx: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FakeDriver()
    monkeypatch.setattr(targets, "choose_gpu", lambda *_arguments: 0)
    monkeypatch.setattr(targets, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(targets, "CudaDevice", lambda index: CudaDevice(index, driver))
    monkeypatch.setattr(building, "build_plan", lambda *_arguments: Plan(b"plan", None))
    request = BuildRequest(seeded_onnx("dbnet"), tmp_path / "m.engine", RTX)
    assert build_engine(request, QuietMonitor()).record.gpu_architectures == ("sm86",)
    assert (driver.streams, driver.contexts, driver.current) == (set(), 0, None)
