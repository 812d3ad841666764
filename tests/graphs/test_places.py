import onnx
from onnx import TensorProto, helper

from ocrdeploy.graphs.places import describe_operator, describe_place


def model() -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", ["input"], ["a"], name="first"),
        helper.make_node("Deformed", ["a", "a", "weight"], ["b"], domain="mmcv"),
        helper.make_node("Add", ["b", "a"], ["output"], name="sum"),
        helper.make_node("Neg", ["b"], ["unused"]),
        helper.make_node("Constant", [], ["lonely"], name="lonely"),
    ]
    shape = [1]
    graph = helper.make_graph(
        nodes, "g", [info("input", TensorProto.FLOAT, shape)], [info("output", TensorProto.FLOAT, shape)]
    )
    return helper.make_model(graph)


def test_a_place_has_a_number_a_name_and_neighbours() -> None:
    assert describe_place(model(), 0) == (
        "node 1 of 5, 'first', after the input 'input' and before mmcv::Deformed and Add 'sum'"
    )
    assert describe_place(model(), 1) == "node 2 of 5, 'b', after Relu 'first' and before Add 'sum' and Neg"
    assert describe_place(model(), 2) == (
        "node 3 of 5, 'sum', after mmcv::Deformed and Relu 'first' and before the output 'output'"
    )
    assert describe_place(model(), 4) == "node 5 of 5, 'lonely', with nothing before it and with nothing after it"


def test_operators_of_onnx_have_no_domain() -> None:
    assert [describe_operator(node) for node in model().graph.node[:2]] == ["Relu", "mmcv::Deformed"]
