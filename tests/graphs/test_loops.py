import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.graphs.loops import END, MARKERS, START, close_loops
from tests.support.networks import open_onnx, run_onnx

STEPS = 5
LIMIT = 40.0


def info(name: str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [] if kind != TensorProto.FLOAT else [2])


def traced(nodes: list[NodeProto], start: list[str], end: list[str], output: str) -> ModelProto:
    """Return a model of one input, a step between markers, and one output."""
    values = [f"step_{name}" for name in start]
    results = [f"last_{index}" for index in range(len(start))]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["input", "one"], ["more"]),
            helper.make_node(START, start, ["number", *values], domain=MARKERS, steps=STEPS),
            *nodes,
            helper.make_node(END, end, results, domain=MARKERS),
            helper.make_node("Mul", [output, "one"], ["output"]),
        ],
        "graph",
        [info("input")],
        [info("output")],
        [
            numpy_helper.from_array(np.ones(2, np.float32), "one"),
            numpy_helper.from_array(np.array(LIMIT, np.float32), "limit"),
            numpy_helper.from_array(np.array(True), "yes"),
        ],
        value_info=[info("number", TensorProto.INT64), *(info(name) for name in values)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MARKERS, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def closed(model: ModelProto) -> ModelProto:
    close_loops(model)
    onnx.checker.check_model(model, full_check=True)
    return model


DOUBLE = helper.make_node("Add", ["step_input", "step_input"], ["double"])
OUTSIDE = helper.make_node("Mul", ["more", "more"], ["square"])
ADD = helper.make_node("Add", ["double", "square"], ["sum"])
SMALL = [
    helper.make_node("ReduceMax", ["sum"], ["largest"], keepdims=0),
    helper.make_node("Less", ["largest", "limit"], ["small"]),
]


@pytest.mark.parametrize("start", [0.0, 3.0])
def test_a_step_runs_until_it_says_that_it_is_the_last(start: float) -> None:
    model = closed(traced([DOUBLE, OUTSIDE, ADD, *SMALL], ["input"], ["small", "sum"], "last_0"))
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    assert [node.op_type for node in loop.attribute[0].g.node] == ["Add", "Add", "ReduceMax", "Less"]
    assert [node.op_type for node in model.graph.node if node.op_type != "Constant"] == ["Add", "Mul", "Loop", "Mul"]
    value = start
    for _ in range(STEPS):
        value = 2 * value + (start + 1) ** 2
        if value >= LIMIT:
            break
    np.testing.assert_allclose(run_onnx(open_onnx(model), np.full(2, start, np.float32)), value)


def test_a_step_runs_no_more_than_it_may() -> None:
    model = closed(traced([DOUBLE], ["input"], ["yes", "double"], "last_0"))
    np.testing.assert_allclose(run_onnx(open_onnx(model), np.ones(2, np.float32)), 2.0**STEPS)


@pytest.mark.parametrize(
    ("end", "output", "expected"),
    [
        (["yes", "double", "step_more"], "last_1", 2.0),
        (["yes", "double", "double"], "last_1", 2.0**STEPS),
        (["yes", "double", "more"], "last_1", 2.0),
        (["yes", "step_more", "step_input"], "last_0", 2.0),
    ],
    ids=["handed on", "twice", "from outside", "exchanged"],
)
def test_what_a_step_leaves_may_be_made_elsewhere(end: list[str], output: str, expected: float) -> None:
    model = closed(traced([DOUBLE], ["input", "more"], end, output))
    # Exchanged five times, the second is first.
    np.testing.assert_allclose(run_onnx(open_onnx(model), np.ones(2, np.float32)), expected)


def test_a_graph_without_markers_stays_as_it_is() -> None:
    node = helper.make_node("Relu", ["input"], ["output"])
    opset = [helper.make_opsetid("", 17)]
    graph = helper.make_graph([node], "graph", [info("input")], [info("output")])
    model = helper.make_model(graph, opset_imports=opset)
    before = model.SerializeToString()
    close_loops(model)
    assert model.SerializeToString() == before
