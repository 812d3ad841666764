"""A small DBNet++ with deformable convolutions through the commands, in both forms that its graph has."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ocrdeploy.cli.main import run
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.errors import ModelError
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from ocrdeploy.running.models import open_predictor, open_torch
from tests.support.deform_conv import needs_deform_conv
from tests.support.float16_rounding import round_like_float16, said_to_be_float16
from tests.support.models import ModelFiles, config_text
from tests.support.tensorrt import needs_rtx
from tests.support.weights import seeded_array

SEED = 7
N_DEFORMABLE = 13
"""3×3 convolutions of the last three stages of a ResNet-50."""
TOLERANCE = 1e-4
"""Of maps whose values are 0 to 1."""

HALF_TOLERANCE = 1e-2
"""Of maps whose values are 0 to 1: float16 has eleven bits, and the network some fifty layers."""

CHANGES = (
    ("depth=18", "depth=50"),
    ("[8, 16, 32, 64]", "[32, 64, 128, 256]"),
    ("out_channels=8)", "out_channels=8, asf_cfg=dict(attention_type='ScaleChannelSpatial'))"),
    ("style='caffe'", "dcn=dict(type='DCNv2', deform_groups=2), stage_with_dcn=(False, True, True, True)"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    folder = tmp_path_factory.mktemp("deformable")
    text = config_text("dbnet")
    for old, new in CHANGES:
        assert old in text
        text = text.replace(old, new)
    found = ModelFiles(folder / "dbnetpp.py", folder / "dbnetpp.pth")
    found.config.write_text(text)
    state = build_network(load_config(found.config)).state_dict()
    weights = {key: seeded_array(key, tuple(value.shape), SEED) for key, value in state.items()}
    tensors = {key: torch.from_numpy(np.asarray(value)) for key, value in weights.items()}
    torch.save({"meta": {"mmocr_version": "0.6.3"}, "state_dict": tensors}, found.checkpoint)
    return found


@pytest.fixture(scope="module")
def exported(files: ModelFiles) -> Callable[[int], Path]:
    """The model as a dynamic ONNX model of an opset."""

    def make(opset: int) -> Path:
        path = files.config.with_name(f"{opset}.onnx")
        if not path.exists():
            export_model(ExportRequest(files.config, files.checkpoint, path, dynamic=True, opset=opset))
        return path

    return make


@pytest.mark.parametrize(
    ("opset", "operator", "other", "times"),
    # GridSample samples each of two groups.
    [
        (16, "GridSample", "DeformConv", 2),
        (17, "GridSample", "DeformConv", 2),
        pytest.param(19, "DeformConv", "GridSample", 1, marks=needs_deform_conv),
    ],
)
def test_the_opset_says_which_form_a_graph_has_and_both_compute_the_same(
    opset: int, operator: str, other: str, times: int, files: ModelFiles, exported: Callable[[int], Path]
) -> None:
    counts = Counter(node.op_type for node in onnx.load_model(exported(opset)).graph.node)
    assert counts[operator] == N_DEFORMABLE * times
    assert counts[other] == counts["BatchNormalization"] == counts["Constant"] == 0
    rng = np.random.RandomState(0)
    with open_predictor(exported(opset)) as candidate, open_torch(files.config, files.checkpoint) as reference:
        for shape in ((2, 3, 64, 96), (1, 3, 32, 32), (3, 3, 32, 160)):
            batch = rng.normal(size=shape).astype(np.float32)
            expected, output = (each.infer({"input": batch})["prob_map"] for each in (reference, candidate))
            np.testing.assert_allclose(output, expected, rtol=0, atol=TOLERANCE)


@needs_deform_conv
def test_a_static_model_takes_its_one_size(files: ModelFiles, tmp_path: Path) -> None:
    for opset in (17, 19):
        path = tmp_path / f"{opset}.onnx"
        export_model(ExportRequest(files.config, files.checkpoint, path, shape=(2, 3, 64, 32), opset=opset))
        with open_predictor(path) as predictor:
            assert predictor.infer({"input": np.zeros((2, 3, 64, 32), np.float32)})["prob_map"].shape == (2, 1, 64, 32)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [17, pytest.param(19, marks=needs_deform_conv)])
def test_verify_takes_it(
    opset: int, exported: Callable[[int], Path], sample_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, image = str(exported(opset)), str(sample_dir / "imgs" / "syn_0022.jpg")
    assert run(["verify", model, "--images", image, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"]


@pytest.mark.parametrize("opset", [17, pytest.param(19, marks=needs_deform_conv)])
def test_predict_takes_it(
    opset: int, exported: Callable[[int], Path], sample_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(sample_dir / "imgs" / "syn_0022.jpg")
    assert run(["predict", str(exported(opset)), image, "--json", "-"]) == 0
    assert "polygons" in json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_layer_that_was_changed_is_found(
    files: ModelFiles, exported: Callable[[int], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load_model(exported(17))
    (changed,) = (node for node in model.graph.node if node.name == "/backbone/layer3/layer3.1/conv2/DeformConv")
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == changed.input[1])
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 2, weight.name))
    onnx.save_model(model, tmp_path / "changed.onnx")
    assert run(["verify", str(tmp_path / "changed.onnx"), "--bisect", "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    bisection = document["comparisons"][0]["bisection"]["first_difference"]
    assert (bisection["module"], bisection["node"]) == ("backbone.layer3.1.conv2", changed.name)


def test_an_opset_without_samples_is_refused(
    files: ModelFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m.onnx"
    assert run(["export", str(files.config), str(files.checkpoint), "--opset", "11", "-o", str(output)]) == 2
    assert "deformable convolutions need opset 16 or newer" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("opset", [17, 19])
def test_in_float16_what_is_sampled_keeps_its_place(opset: int, exported: Callable[[int], Path]) -> None:
    conversion = convert_to_float16(onnx.load_model(exported(opset)))
    operators = {node.name: node.op_type for node in conversion.model.graph.node}
    samples = [name for name, operator in operators.items() if operator in ("GridSample", "DeformConv")]
    assert samples
    assert set(samples) <= set(conversion.kept)
    graph = onnx.shape_inference.infer_shapes(conversion.model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    for node in graph.node:
        if node.op_type == "GridSample":
            assert types[node.input[1]] == onnx.TensorProto.FLOAT
        # The convolution that sums the samples up is one like any other.
        if node.op_type == "Conv" and node.name.endswith("/DeformConv"):
            assert types[node.output[0]] == onnx.TensorProto.FLOAT16


def test_rounding_to_float16_changes_maps_little(exported: Callable[[int], Path], tmp_path: Path) -> None:
    model = convert_to_float16(onnx.load_model(exported(17))).model
    round_like_float16(model)
    onnx.save_model(said_to_be_float16(model), tmp_path / "rounded.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "rounded.onnx", providers=["CPUExecutionProvider"])
    batch = np.random.RandomState(0).normal(size=(1, 3, 64, 160)).astype(np.float32)
    with open_predictor(exported(17)) as reference:
        expected = reference.infer({"input": batch})["prob_map"]
    (output,) = session.run(None, {"input": batch})
    assert np.abs(np.asarray(output) - expected).max() <= HALF_TOLERANCE


@needs_rtx
@pytest.mark.slow
@pytest.mark.parametrize("opset", [17, 19])
@pytest.mark.parametrize("fp16", [False, True], ids=["fp32", "fp16"])
def test_engines_are_built_from_either_form(
    opset: int, fp16: bool, exported: Callable[[int], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build-engine", str(exported(opset)), "-o", str(tmp_path / "m.engine"), *(["--fp16"] if fp16 else [])]
    command += ["--runtime", "tensorrt-rtx", "--compute-capability", "sm86"]
    shapes = ["--min-shape", "1x3x32x32", "--opt-shape", "1x3x64x96", "--max-shape", "2x3x96x96"]
    assert run([*command, *shapes]) == 0
    told = f"deformable convolutions: {N_DEFORMABLE} computed by GridSample, which TensorRT knows"
    assert (told in capsys.readouterr().out) == (opset == 19)
    assert json.loads((tmp_path / "m.engine.json").read_text())["spec"]["export"]["opset"] == opset


def test_an_older_onnx_runtime_is_told(exported: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("Could not find an implementation for DeformConv(19) node with name 'a'")

    monkeypatch.setattr("ocrdeploy.backends.onnx_sessions.Session", refuse)
    with pytest.raises(ModelError) as caught:
        open_predictor(exported(19))
    assert "implementation for DeformConv" in caught.value.message
    assert caught.value.fix is not None
    assert "--opset 17" in caught.value.fix
