from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ocrdeploy.errors import ModelError
from ocrdeploy.graphs import serialization
from ocrdeploy.graphs.serialization import is_large, serialize, without_weights, write_model
from tests.support.networks import open_onnx, run_onnx

IMAGES = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ModelProto:
    """Return a model that is too large for one file, which may hold 100 bytes here."""
    monkeypatch.setattr(serialization, "LIMIT", 100)
    monkeypatch.setattr(serialization, "SMALL_TENSOR", 40)
    kernel = numpy_helper.from_array(np.full((2, 1, 4, 4), 0.5, np.float32), "kernel")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "kernel"], ["features"]),
            helper.make_node("Reshape", ["features", "shape"], ["output"]),
        ],
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 2])],
        [kernel, numpy_helper.from_array(np.array([-1, 2]), "shape")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_model_that_is_too_large_for_one_file_is_refused_with_its_size(model: ModelProto) -> None:
    assert is_large(model)
    with pytest.raises(
        ModelError, match=r"^the model's weights are 0\.00 GiB, and one ONNX file holds at most 0\.00 GiB"
    ):
        serialize(model)


def test_others_are_one_file(model: ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "LIMIT", 1000)
    assert not is_large(model)
    assert serialize(model) == model.SerializeToString()


def test_with_files_of_their_own_weights_may_be_of_any_size(model: ModelProto, tmp_path: Path) -> None:
    expected = run_onnx(open_onnx(model), IMAGES)
    before = model.SerializeToString()
    path = write_model(model, tmp_path)
    assert model.SerializeToString() == before
    assert path.stat().st_size < len(before)
    assert {each.name for each in tmp_path.iterdir()} == {"model.onnx", "weights.bin"}
    np.testing.assert_array_equal(run_onnx(open_onnx(onnx.load_model(path)), IMAGES), expected)


def test_types_and_shapes_are_told_without_the_weights(model: ModelProto) -> None:
    small = without_weights(model)
    assert [tensor.name for tensor in small.graph.initializer] == ["shape"]
    graph = onnx.shape_inference.infer_shapes(small, strict_mode=True).graph
    features = next(value for value in graph.value_info if value.name == "features").type.tensor_type
    assert features.elem_type == TensorProto.FLOAT
    assert [each.dim_value for each in features.shape.dim][1:] == [2, 1, 1]
