from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.graphs.cleanup import (
    drop_unused,
    drop_zero_initial_states,
    fold_batchnorm,
    inline_shared_initializers,
    store_constants,
)
from tests.support.deform_conv import needs_deform_conv
from tests.support.networks import open_onnx, run_onnx

ZERO_STATE = np.zeros((1, 2, 4), np.float32)
NONZERO_STATE = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 2, 4)


def make_model(graph: GraphProto) -> ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def lstm_model(
    nodes: list[NodeProto], constants: dict[str, NDArray[np.float32] | NDArray[np.int64]], states: tuple[str, str]
) -> ModelProto:
    """Return a model of one LSTM of hidden size 4 on a sequence T×2×3."""
    rng = np.random.RandomState(0)
    weights = {
        "w": rng.normal(size=(1, 16, 3)).astype(np.float32),
        "r": rng.normal(size=(1, 16, 4)).astype(np.float32),
        "b": rng.normal(size=(1, 32)).astype(np.float32),
    }
    lstm = helper.make_node("LSTM", ["input", "w", "r", "b", "", *states], ["output"], hidden_size=4)
    graph = helper.make_graph(
        [*nodes, lstm],
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["T", 2, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["T", 1, 2, 4])],
        [numpy_helper.from_array(value, name) for name, value in {**weights, **constants}.items()],
    )
    return make_model(graph)


def constant_of_shape(value: float | None) -> list[NodeProto]:
    fill = {} if value is None else {"value": helper.make_tensor("value", TensorProto.FLOAT, [1], [value])}
    return [
        helper.make_node("Shape", ["input"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "place"], ["batch"]),
        helper.make_node("Concat", ["one", "batch", "four"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["state"], **fill),
    ]


SHAPE_PARTS = {"place": np.array([1]), "one": np.array([1]), "four": np.array([4])}
SEQUENCE = np.random.RandomState(1).normal(size=(5, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([], {"state": ZERO_STATE}),
        ([helper.make_node("Constant", [], ["state"], value=numpy_helper.from_array(ZERO_STATE))], {}),
        (constant_of_shape(None), SHAPE_PARTS),
        (constant_of_shape(0.0), SHAPE_PARTS),
        (
            [helper.make_node("Expand", ["zero", "shape"], ["state"])],
            {"zero": np.zeros(1, np.float32), "shape": np.array([1, 2, 4])},
        ),
    ],
)
def test_zero_states_are_dropped_with_what_computes_them(
    nodes: list[NodeProto], constants: dict[str, NDArray[np.float32] | NDArray[np.int64]]
) -> None:
    model = lstm_model(nodes, constants, ("state", "state"))
    before = run_onnx(open_onnx(model), SEQUENCE)
    drop_zero_initial_states(model)
    onnx.checker.check_model(model, full_check=True)
    assert [list(node.input) for node in model.graph.node] == [["input", "w", "r", "b"]]
    assert {tensor.name for tensor in model.graph.initializer} == {"w", "r", "b"}
    np.testing.assert_array_equal(run_onnx(open_onnx(model), SEQUENCE), before)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("full", "full"), ["input", "w", "r", "b", "", "full", "full"]),
        (("zero", "full"), ["input", "w", "r", "b", "", "", "full"]),
        (("full", "zero"), ["input", "w", "r", "b", "", "full"]),
    ],
)
def test_other_states_stay(states: tuple[str, str], expected: list[str]) -> None:
    model = lstm_model([], {"zero": ZERO_STATE, "full": NONZERO_STATE}, states)
    before = run_onnx(open_onnx(model), SEQUENCE)
    drop_zero_initial_states(model)
    assert list(model.graph.node[0].input) == expected
    np.testing.assert_array_equal(run_onnx(open_onnx(model), SEQUENCE), before)


def test_a_state_that_is_filled_with_ones_stays() -> None:
    model = lstm_model(constant_of_shape(1.0), SHAPE_PARTS, ("state", "state"))
    drop_zero_initial_states(model)
    assert len(model.graph.node) == 5


def test_a_state_that_is_computed_stays() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0, 2]),
        helper.make_node("Expand", ["mean", "shape"], ["state"]),
    ]
    model = lstm_model(nodes, {"shape": np.array([1, 2, 4])}, ("state", "state"))
    drop_zero_initial_states(model)
    assert len(model.graph.node) == 3


def test_models_without_lstm_stay() -> None:
    model = branch_model()
    before = model.SerializeToString()
    drop_zero_initial_states(model)
    assert model.SerializeToString() == before


def branch_model() -> ModelProto:
    """Return a model whose two branches read, and give, tensors of the graph around them."""

    def branch(name: str, nodes: list[NodeProto], output: str) -> GraphProto:
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, [2])])

    nodes = [
        helper.make_node("Identity", ["weight"], ["shared"]),
        helper.make_node("Relu", ["input"], ["positive"]),
        helper.make_node("ReduceMax", ["input"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["condition"], to=TensorProto.BOOL),
        helper.make_node(
            "If",
            ["condition"],
            ["output"],
            then_branch=branch("then", [helper.make_node("Add", ["positive", "shared"], ["sum"])], "sum"),
            else_branch=branch("else", [helper.make_node("Neg", ["shared"], ["negative"])], "negative"),
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array([1, 2], np.float32), "weight")],
    )
    return make_model(graph)


def test_identities_of_initializers_are_inlined_in_branches_too() -> None:
    model = branch_model()
    inline_shared_initializers(model)
    assert [node.op_type for node in model.graph.node] == ["Relu", "ReduceMax", "Cast", "If"]
    session = open_onnx(model)
    assert run_onnx(session, np.array([3, -1], np.float32)).tolist() == [4, 2]
    assert run_onnx(session, np.zeros(2, np.float32)).tolist() == [-1, -2]


def test_an_identity_that_is_the_output_stays() -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["weight"], ["output"])],
        "graph",
        [],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array([1, 2], np.float32), "weight")],
    )
    model = make_model(graph)
    inline_shared_initializers(model)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_chains_of_unused_nodes_go_with_their_constants() -> None:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["input", "unused_weight"], ["unused_sum"]),
            helper.make_node("Relu", ["unused_sum"], ["unused"]),
            helper.make_node("Relu", ["input"], ["output"]),
        ],
        "graph",
        [info("input", TensorProto.FLOAT, [2])],
        [info("output", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array([1, 2], np.float32), "unused_weight")],
        value_info=[info("unused_sum", TensorProto.FLOAT, [2])],
    )
    model = make_model(graph)
    drop_unused(model)
    assert [list(node.output) for node in model.graph.node] == [["output"]]
    assert len(model.graph.initializer) == 0
    assert len(model.graph.value_info) == 0


def test_constants_become_initializers_and_equal_ones_become_one() -> None:
    info = helper.make_tensor_value_info
    pair = numpy_helper.from_array(np.array([1, 2], np.float32))
    constants: dict[str, dict[str, Any]] = {
        "a": {"value": pair},
        "b": {"value_floats": [1.0, 2.0]},
        "c": {"value_float": 3.0},
    }
    nodes = [helper.make_node("Constant", [], [name], **value) for name, value in constants.items()]
    nodes.append(helper.make_node("Constant", [], ["axes"], value_ints=[0]))
    nodes += [
        helper.make_node("Add", ["input", "a"], ["one"]),
        helper.make_node("Add", ["one", "b"], ["two"]),
        helper.make_node("Mul", ["two", "c"], ["three"]),
        helper.make_node("Unsqueeze", ["three", "axes"], ["output"]),
    ]
    inputs, outputs = [info("input", TensorProto.FLOAT, [2])], [info("output", TensorProto.FLOAT, [1, 2])]
    model = make_model(helper.make_graph(nodes, "graph", inputs, outputs))
    store_constants(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Add", "Add", "Mul", "Unsqueeze"]
    assert [tensor.name for tensor in model.graph.initializer] == ["a", "c", "axes"]
    assert run_onnx(open_onnx(model), np.array([0, 1], np.float32)).tolist() == [[6, 15]]


def test_a_constant_that_is_the_output_stays() -> None:
    value = numpy_helper.from_array(np.array([1, 2], np.float32))
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [2])]
    model = make_model(
        helper.make_graph([helper.make_node("Constant", [], ["output"], value=value)], "graph", [], outputs)
    )
    store_constants(model)
    assert [node.op_type for node in model.graph.node] == ["Constant"]


def test_constants_are_stored_for_branches_too() -> None:
    model = branch_model()
    value = numpy_helper.from_array(np.array([1, 2], np.float32))
    model.graph.node[0].CopyFrom(helper.make_node("Constant", [], ["shared"], value=value))
    store_constants(model)
    assert [node.op_type for node in model.graph.node] == ["Relu", "ReduceMax", "Cast", "If"]
    assert run_onnx(open_onnx(model), np.array([3, -1], np.float32)).tolist() == [4, 2]


def convolutions_with_norms(*, groups: int, bias: bool) -> ModelProto:
    """Return a convolution and a transposed one, each with a batch normalisation behind it."""
    rng = np.random.default_rng(groups)
    constants = {"w1": (8, 4 // groups, 3, 3), "w2": (8, 12 // groups, 2, 2), "b1": (8,), "b2": (12,)}
    for index, channels in ((1, 8), (2, 12)):
        constants |= {f"{name}{index}": (channels,) for name in ("scale", "offset", "mean", "variance")}
    biases = (["b1"], ["b2"]) if bias else ([], [])
    norms = [[f"{name}{index}" for name in ("scale", "offset", "mean", "variance")] for index in (1, 2)]
    nodes = [
        helper.make_node("Conv", ["input", "w1", *biases[0]], ["c1"], group=groups),
        helper.make_node("BatchNormalization", ["c1", *norms[0]], ["n1"], epsilon=1e-3),
        helper.make_node("ConvTranspose", ["n1", "w2", *biases[1]], ["c2"], group=groups, strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c2", *norms[1]], ["output"]),
    ]
    tensors = [
        numpy_helper.from_array((rng.random(shape) + 0.5).astype(np.float32), name)
        for name, shape in constants.items()
        if bias or name not in ("b1", "b2")
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 4, "H", "W"])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 12, "h", "w"])]
    return make_model(helper.make_graph(nodes, "graph", inputs, outputs, tensors))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_batch_normalisation_goes_into_convolutions(groups: int, bias: bool) -> None:
    model = convolutions_with_norms(groups=groups, bias=bias)
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype(np.float32)
    expected = run_onnx(open_onnx(model), images)
    fold_batchnorm(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "ConvTranspose"]
    assert len(model.graph.initializer) == 4
    assert np.abs(run_onnx(open_onnx(model), images) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("attributes", "folded"), [({"transB": 1}, True), ({}, False), ({"transB": 1, "beta": 2.0}, False)]
)
def test_batch_normalisation_goes_into_linear_layers_as_pytorch_writes_them(
    attributes: dict[str, Any], folded: bool
) -> None:
    rng = np.random.default_rng(1)
    constants = {"weight": (4, 4), **dict.fromkeys(("bias", "scale", "offset", "mean", "variance"), (4,))}
    nodes = [
        helper.make_node("Gemm", ["input", "weight", "bias"], ["linear"], **attributes),
        helper.make_node("BatchNormalization", ["linear", "scale", "offset", "mean", "variance"], ["output"]),
    ]
    tensors = [
        numpy_helper.from_array((rng.random(shape) + 0.5).astype(np.float32), name) for name, shape in constants.items()
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in ("input", "output")]
    model = make_model(helper.make_graph(nodes, "graph", values[:1], values[1:], tensors))
    rows = rng.normal(size=(3, 4)).astype(np.float32)
    expected = run_onnx(open_onnx(model), rows)
    fold_batchnorm(model)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.node) == (1 if folded else 2)
    assert np.abs(run_onnx(open_onnx(model), rows) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_batch_normalisation_stays_where_something_else_reads_the_convolution() -> None:
    model = convolutions_with_norms(groups=1, bias=False)
    model.graph.output.append(helper.make_tensor_value_info("c1", TensorProto.FLOAT, None))
    fold_batchnorm(model)
    assert [node.op_type for node in model.graph.node] == ["Conv", "BatchNormalization", "ConvTranspose"]


def test_a_batch_normalisation_whose_numbers_are_computed_stays() -> None:
    model = convolutions_with_norms(groups=1, bias=False)
    model.graph.node.insert(0, helper.make_node("Abs", ["scale1"], ["scale1_positive"]))
    model.graph.node[2].input[1] = "scale1_positive"
    fold_batchnorm(model)
    assert [node.op_type for node in model.graph.node] == ["Abs", "Conv", "BatchNormalization", "ConvTranspose"]


def test_unused_initializers_are_no_inputs_either() -> None:
    model = convolutions_with_norms(groups=1, bias=False)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "unused"))
    model.graph.input.append(helper.make_tensor_value_info("unused", TensorProto.FLOAT, [1]))
    drop_unused(model)
    assert "unused" not in {value.name for value in model.graph.input}
    onnx.checker.check_model(model, full_check=True)


@needs_deform_conv
def test_batch_normalisation_goes_into_deformable_convolutions() -> None:
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(size=(3, 2, 3, 3)),
        "scale": rng.uniform(0.5, 2, 3),
        "offset": rng.normal(size=3),
        "mean": rng.normal(size=3),
        "variance": rng.uniform(0.5, 2, 3),
        "moves": rng.normal(size=(1, 18, 5, 5)),
    }
    nodes = [
        helper.make_node("DeformConv", ["input", "w", "moves"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "scale", "offset", "mean", "variance"], ["output"]),
    ]
    tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 2, 5, 5])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, 5, 5])]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    images = rng.normal(size=(1, 2, 5, 5)).astype(np.float32)
    expected = run_onnx(open_onnx(model), images)
    fold_batchnorm(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["DeformConv"]
    assert np.abs(run_onnx(open_onnx(model), images) - expected).max() <= 1e-5 * np.abs(expected).max()
