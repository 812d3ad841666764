from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ocrdeploy.backends.onnx import OnnxRuntimeBackend
from ocrdeploy.errors import ModelError
from ocrdeploy.graphs.values import GraphValues, last_nodes_of_scopes
from tests.support.batches import batch_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A scope `/a` of two nodes with a weight, a cast, an unnamed node, and one behind it."""
    nodes = [
        helper.make_node("Mul", ["input", "w"], ["x"], "/a/Mul"),
        helper.make_node("Add", ["x", "x"], ["y"], "/a/Add"),
        helper.make_node("Cast", ["y"], ["y_cast"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["y_cast"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["out"], "/Sigmoid"),
    ]
    shape: list[str | int | None] = ["n", 1, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
        [helper.make_tensor("w", TensorProto.FLOAT, [1], [3.0])],
    )
    path = tmp_path / "model.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_nodes_have_names_scopes_and_what_they_read(model: Path) -> None:
    nodes = {node.name: node for node in GraphValues(model).nodes}
    assert list(nodes) == ["/a/Mul", "/a/Add", "y_cast", "z", "/Sigmoid"]
    assert (nodes["/a/Mul"].scope, nodes["/a/Mul"].has_weights) == ("/a", True)
    assert (nodes["/a/Add"].scope, nodes["/a/Add"].has_weights) == ("/a", False)
    assert nodes["z"].inputs == ("y",)
    assert nodes["/Sigmoid"].inputs == ("z",)


def test_the_node_that_leaves_a_scope_is_its_last(model: Path) -> None:
    ends = last_nodes_of_scopes(GraphValues(model).nodes)
    assert ends["/a"].name == "/a/Add"


def test_values_become_outputs_of_a_copy(model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    values = GraphValues(model)
    folder = tmp_path / "copy"
    folder.mkdir()
    backend = OnnxRuntimeBackend(values.write_with_outputs(["x", "z"], folder))
    outputs = backend.run(batch_of(np.full((1, 1, 2, 3), 2, np.float32)))
    assert list(outputs) == ["x", "z"]
    assert outputs["x"].max() == 6
    assert outputs["z"].max() == 12
    assert model.read_bytes() == before
    assert values.sizes((2, 1, 4, 5))["z"] == 40


def test_initializers_among_the_inputs_are_no_inputs(model: Path, tmp_path: Path) -> None:
    content = onnx.load_model(model)
    own = list(content.graph.input)
    del content.graph.input[:]
    content.graph.input.extend([helper.make_tensor_value_info("w", TensorProto.FLOAT, [1]), *own])
    first = tmp_path / "first.onnx"
    onnx.save_model(content, first)
    values = GraphValues(first)
    assert values.sizes((2, 1, 4, 5))["z"] == 40
    backend = OnnxRuntimeBackend(values.write_with_outputs(["z"], tmp_path))
    assert backend.run(batch_of(np.full((1, 1, 2, 3), 2, np.float32)))["z"].max() == 12


def test_a_model_that_one_file_does_not_hold_is_written_with_its_weights_beside_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.graphs.serialization.LIMIT", 1)
    values = GraphValues(model)
    assert values.sizes((2, 1, 4, 5))["z"] == 40
    folder = tmp_path / "large"
    folder.mkdir()
    path = values.write_with_outputs(["x"], folder)
    assert OnnxRuntimeBackend(path).run(batch_of(np.full((1, 1, 2, 3), 2, np.float32)))["x"].max() == 6


def test_masks_are_told_from_weights(tmp_path: Path) -> None:
    inf = float("inf")
    tensors = {"mask": [0.0, -inf], "weight": [1.0, inf], "one": [-inf]}
    nodes = [
        helper.make_node("Identity", ["mask"], ["same"]),
        helper.make_node("Constant", [], ["constant"], value_float=-inf),
        *(helper.make_node("Add", ["input", name], [f"sum_{name}"]) for name in (*tensors, "same", "constant")),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("sum_mask", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor(name, TensorProto.FLOAT, [len(values)], values) for name, values in tensors.items()],
    )
    path = tmp_path / "masks.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    found = {node.output for node in GraphValues(path).nodes if node.has_mask}
    assert found == {"same", "sum_mask", "sum_one", "sum_same", "sum_constant"}


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError):
        GraphValues(tmp_path / "model.onnx")
