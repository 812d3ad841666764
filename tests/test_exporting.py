import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import load_onnx, read_onnx_spec, sha256_of
from ocrdeploy.backends import Batch
from ocrdeploy.batches import make_batch
from ocrdeploy.decoders.classes import best_classes
from ocrdeploy.errors import CheckpointError, ConfigError, DeviceError, OutputError, UsageError
from ocrdeploy.exporting import DEFAULT_OPSET, OPSETS, ExportRequest, export_model
from ocrdeploy.hardware import Device
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.running.models import open_torch
from ocrdeploy.verification.inputs import noise_inputs
from tests.support.models import ARCHITECTURES, STEP_BY_STEP, ModelFiles, write_model

SCORE_TOLERANCE = 1e-5
"""Of probabilities, which are at most 1, after networks that round differently."""

TENSOR_TOLERANCE = 1e-4
"""Relative to the output's largest magnitude: what folding BatchNorm and another runtime's kernels may change."""

SHAPE_ARITHMETIC = {"Shape", "Gather", "Slice", "Range", "ConstantOfShape", "Expand", "Unsqueeze", "BatchNormalization"}


def noise_batches(spec: ModelSpec) -> list[Batch]:
    items = [item for item in noise_inputs(spec, spec) if item.shape[2] * item.shape[3] < 512 * 512]
    return [make_batch(item.make(), spec, item.shape[0]) for item in items]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelFiles]:
    folder = tmp_path_factory.mktemp("models")
    made: dict[str, ModelFiles] = {}

    def get(architecture: str) -> ModelFiles:
        if architecture not in made:
            made[architecture] = write_model(folder, architecture)
        return made[architecture]

    return get


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_onnx_model_computes_what_pytorch_computes(
    architecture: str, dynamic: bool, files: Callable[[str], ModelFiles], tmp_path: Path
) -> None:
    config, checkpoint = files(architecture).config, files(architecture).checkpoint
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = export_model(ExportRequest(config, checkpoint, tmp_path / "m.onnx", dynamic=dynamic))
    with (
        open_torch(config, checkpoint, report.spec.export) as reference,
        open_predictor(report.path) as candidate,
    ):
        batches = noise_batches(candidate.spec)
        assert (len({len(batch["input"]) for batch in batches}) >= 3) == dynamic
        assert (len(batches) > 2) == dynamic
        for batch in batches:
            expected = reference.infer(batch)[report.spec.outputs[0].name]
            actual = candidate.infer(batch)[report.spec.outputs[0].name]
            np.testing.assert_allclose(actual, expected, atol=TENSOR_TOLERANCE * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_graph_is_lean(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    model = load_onnx(seeded_onnx(architecture))
    operators = {node.op_type for node in model.graph.node}
    assert ("Loop" in operators) == (architecture in STEP_BY_STEP)
    # STN brings words of any size to its own, so the graph makes that size of the batch's. Those that decode step by
    # step make room for all steps of a batch, and masks of its width.
    allowed = {"Shape", "Slice"} if architecture in ("svtr", "aster") else set()
    assert architecture in STEP_BY_STEP or operators & SHAPE_ARITHMETIC == allowed
    for node in model.graph.node:
        if node.op_type == "Resize":
            attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            linear = attributes["mode"] == b"linear"
            if allowed:
                assert (linear, attributes["coordinate_transformation_mode"]) == (True, b"align_corners")
                continue
            assert attributes["coordinate_transformation_mode"] == (b"half_pixel" if linear else b"asymmetric")
            assert linear or attributes["nearest_mode"] == b"floor"
            assert len(node.input) == 3  # scales, not sizes


def test_the_crnn_keeps_its_lstms_and_leaves_their_states_open(seeded_onnx: Callable[[str], Path]) -> None:
    model = load_onnx(seeded_onnx("crnn"))
    lstms = [node for node in model.graph.node if node.op_type == "LSTM"]
    assert len(lstms) == 2
    assert all(not any(node.input[4:]) for node in lstms)
    output = model.graph.output[0].type.tensor_type.shape.dim
    assert [item.dim_param or item.dim_value for item in output] == ["batch", "sequence", 37]


@pytest.mark.slow
@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_that_is_offered_is_written(opset: int, files: Callable[[str], ModelFiles], tmp_path: Path) -> None:
    for architecture in ("dbnet", "crnn"):
        path = tmp_path / f"{architecture}.onnx"
        export_model(
            ExportRequest(files(architecture).config, files(architecture).checkpoint, path, dynamic=True, opset=opset)
        )
        assert {item.domain: item.version for item in load_onnx(path).opset_import}[""] == opset
        shape = (2, 3, 64, 96) if architecture == "dbnet" else (2, 1, 32, 96)
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
            None, {"input": np.zeros(shape, np.float32)}
        )


def test_an_opset_without_an_operator_of_the_network_is_refused(
    files: Callable[[str], ModelFiles], tmp_path: Path
) -> None:
    request = ExportRequest(files("svtr").config, files("svtr").checkpoint, tmp_path / "m.onnx", opset=15)
    with pytest.raises(UsageError) as caught:
        export_model(request)
    assert str(caught.value) == (
        "--opset 15 has not the operator 'grid_sampler' of this network. Take --opset 16 or a newer one."
    )
    export_model(replace(request, opset=16))


@pytest.mark.parametrize("architecture", ["dbnet", "panet"])
def test_bilinear_upsampling_is_another_model_than_nearest(
    architecture: str, files: Callable[[str], ModelFiles], tmp_path: Path
) -> None:
    config, checkpoint = files(architecture).config, files(architecture).checkpoint
    path = tmp_path / "bilinear.onnx"
    report = export_model(ExportRequest(config, checkpoint, path, dynamic=True, upsample="bilinear"))
    modes = {
        onnx.helper.get_attribute_value(item)
        for node in load_onnx(path).graph.node
        if node.op_type == "Resize"
        for item in node.attribute
        if item.name in ("mode", "coordinate_transformation_mode")
    }
    assert modes == {b"linear", b"half_pixel"}
    batch = noise_batches(report.spec)[0]
    with (
        open_torch(config, checkpoint) as nearest,
        open_torch(config, checkpoint, report.spec.export) as bilinear,
        open_predictor(path) as candidate,
    ):
        name = report.spec.outputs[0].name
        outputs = [each.infer(batch)[name] for each in (nearest, bilinear, candidate)]
    np.testing.assert_allclose(outputs[2], outputs[1], atol=TENSOR_TOLERANCE * np.abs(outputs[1]).max(), rtol=0)
    assert np.abs(outputs[0] - outputs[1]).max() > 100 * TENSOR_TOLERANCE


def test_all_outputs_keeps_the_three_maps_of_dbnet(files: Callable[[str], ModelFiles], tmp_path: Path) -> None:
    config, checkpoint = files("dbnet").config, files("dbnet").checkpoint
    lean = export_model(ExportRequest(config, checkpoint, tmp_path / "lean.onnx", dynamic=True))
    full = export_model(ExportRequest(config, checkpoint, tmp_path / "full.onnx", dynamic=True, all_outputs=True))
    batch = noise_batches(lean.spec)[0]
    with open_predictor(lean.path) as one, open_predictor(full.path) as three:
        prob_map = one.infer(batch)["prob_map"]
        maps = three.infer(batch)["maps"]
    assert prob_map.shape[1] == 1
    assert maps.shape[1] == 3
    np.testing.assert_allclose(maps[:, :1], prob_map, atol=TENSOR_TOLERANCE)
    assert full.path.stat().st_size > lean.path.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("opset", [11, 13, 17, 18, 20])
def test_classes_and_scores_are_those_of_the_logits(
    opset: int, files: Callable[[str], ModelFiles], tmp_path: Path
) -> None:
    config, checkpoint = files("crnn").config, files("crnn").checkpoint
    plain = export_model(ExportRequest(config, checkpoint, tmp_path / "p.onnx", dynamic=True, opset=opset))
    decoded = export_model(
        ExportRequest(config, checkpoint, tmp_path / "d.onnx", dynamic=True, opset=opset, decode_in_graph=True)
    )
    graph = load_onnx(decoded.path).graph
    types = [(item.name, item.type.tensor_type.elem_type) for item in graph.output]
    assert types == [("indices", onnx.TensorProto.INT32), ("scores", onnx.TensorProto.FLOAT)]
    assert [[each.dim_param for each in item.type.tensor_type.shape.dim] for item in graph.output] == [
        ["batch", "sequence"]
    ] * 2
    with (
        open_predictor(plain.path) as first,
        open_predictor(decoded.path) as second,
        open_torch(config, checkpoint, decoded.spec.export) as third,
    ):
        for batch in noise_batches(plain.spec):
            expected = best_classes(first.infer(batch)["logits"])
            for predictor in (second, third):
                outputs = predictor.infer(batch)
                assert outputs["indices"].dtype == np.int32
                certain = outputs["indices"] == expected.indices
                # Where two classes are equally probable, the last bit decides.
                assert certain.mean() > 0.99
                np.testing.assert_allclose(outputs["scores"], expected.scores, atol=SCORE_TOLERANCE)


def test_a_graph_that_decodes_takes_the_first_of_equal_classes(
    files: Callable[[str], ModelFiles], tmp_path: Path
) -> None:
    config, checkpoint = files("crnn").config, files("crnn").checkpoint
    path = tmp_path / "d.onnx"
    export_model(ExportRequest(config, checkpoint, path, dynamic=True, decode_in_graph=True))
    model = onnx.load_model(path)
    last = next(node for node in reversed(model.graph.node) if node.op_type == "MatMul")
    for tensor in model.graph.initializer:
        # All logits are zero: every class is as probable as another.
        if tensor.name == last.input[1] or list(tensor.dims) == [37]:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tensor.dims, np.float32), tensor.name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    indices, scores = session.run(None, {"input": np.zeros((2, 1, 32, 64), np.float32)})
    assert not np.asarray(indices).any()
    np.testing.assert_allclose(scores, 1 / 37, rtol=SCORE_TOLERANCE)


def test_a_detectors_decoding_is_not_put_into_its_graph(files: Callable[[str], ModelFiles], tmp_path: Path) -> None:
    dbnet = files("dbnet")
    with pytest.raises(UsageError, match=r"--decode-in-graph .* and DBNet detects text"):
        export_model(ExportRequest(dbnet.config, dbnet.checkpoint, tmp_path / "m.onnx", decode_in_graph=True))
    assert not list(tmp_path.glob("*.onnx"))


def test_the_model_describes_itself(sample_dir: Path, sample_onnx: Path) -> None:
    spec = read_onnx_spec(sample_onnx)
    assert (spec.task, spec.architecture) == ("det", "DBNet")
    assert spec.source is not None
    assert spec.source.checkpoint.sha256 == sha256_of(sample_dir / "dbnet_sample.pth")
    assert spec.source.config.sha256 == sha256_of(sample_dir / "dbnet_sample.py")
    assert spec.export is not None
    assert (spec.export.opset, spec.export.dynamic) == (DEFAULT_OPSET, True)
    graph = load_onnx(sample_onnx).graph
    assert [item.name for item in graph.input] == [spec.input.name] == ["input"]
    assert [item.name for item in graph.output] == [item.name for item in spec.outputs] == ["prob_map"]


@pytest.mark.parametrize(
    ("architecture", "shape", "expected"),
    [
        ("dbnet", None, (1, 3, 192, 320)),
        ("dbnet", (2, 3, 64, 96), (2, 3, 64, 96)),
        ("crnn", None, (1, 1, 32, 96)),
        ("crnn", (4, 1, 32, 100), (4, 1, 32, 100)),
    ],
)
def test_a_static_model_has_the_pipelines_size_or_the_one_given(
    architecture: str,
    shape: tuple[int, int, int, int] | None,
    expected: tuple[int, ...],
    files: Callable[[str], ModelFiles],
    tmp_path: Path,
) -> None:
    report = export_model(
        ExportRequest(files(architecture).config, files(architecture).checkpoint, tmp_path / "m.onnx", shape=shape)
    )
    assert report.example_shape == report.spec.input.shape == expected
    with open_predictor(report.path) as predictor:
        output = predictor.infer(np.zeros(expected, np.float32))[report.spec.outputs[0].name]
    assert output.shape == report.spec.outputs[0].shape


def test_a_static_model_has_the_size_of_an_image_that_is_given(
    files: Callable[[str], ModelFiles], sample_dir: Path, tmp_path: Path
) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    report = export_model(
        ExportRequest(files("dbnet").config, files("dbnet").checkpoint, tmp_path / "m.onnx", image=image)
    )
    assert report.example_shape == (1, 3, 192, 192)


def test_what_cannot_be_exported_is_refused_and_the_old_file_stays(
    files: Callable[[str], ModelFiles], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    dbnet, panet = files("dbnet"), files("panet")
    with pytest.raises(CheckpointError, match="missing"):
        export_model(ExportRequest(dbnet.config, panet.checkpoint, path))
    with pytest.raises(CheckpointError, match="does not exist"):
        export_model(ExportRequest(dbnet.config, tmp_path / "none.pth", path))
    with pytest.raises(ConfigError, match="is a model for task 'det', not 'recog'"):
        export_model(ExportRequest(dbnet.config, dbnet.checkpoint, path, task="recog"))
    with pytest.raises(ConfigError, match="the network takes batch×3×height×width, got 1×1×64×64"):
        export_model(ExportRequest(dbnet.config, dbnet.checkpoint, path, shape=(1, 1, 64, 64)))
    with pytest.raises(UsageError, match="multiples of 32, got 100 and 64"):
        export_model(ExportRequest(dbnet.config, dbnet.checkpoint, path, shape=(1, 3, 100, 64)))
    with pytest.raises(OutputError, match=r"model\.onnx is no folder"):
        export_model(ExportRequest(dbnet.config, dbnet.checkpoint, path / "m.onnx"))
    assert path.read_bytes() == b"old"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model.onnx"]


def test_a_device_that_is_not_there_is_refused(files: Callable[[str], ModelFiles], tmp_path: Path) -> None:
    dbnet = files("dbnet")
    with pytest.raises(DeviceError, match="cuda:97 does not exist"):
        export_model(ExportRequest(dbnet.config, dbnet.checkpoint, tmp_path / "m.onnx", device=Device(97)))


@pytest.mark.parametrize("opset", [10, 21, 0, -1])
def test_other_opsets_are_refused(opset: int) -> None:
    with pytest.raises(UsageError, match=f"the opset is a number from 11 to 20, got {opset}"):
        ExportRequest(Path("a.py"), Path("a.pth"), Path("a.onnx"), opset=opset)


def test_shape_and_dynamic_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        ExportRequest(Path("a.py"), Path("a.pth"), Path("a.onnx"), dynamic=True, shape=(1, 3, 64, 64))
