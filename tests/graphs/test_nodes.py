from onnx import GraphProto, NodeProto, TensorProto, helper

from ocrdeploy.graphs.nodes import FreeNames, all_nodes
from tests.graphs.test_cleanup import branch_model


def test_names_are_free_in_the_graphs_inside_nodes_too() -> None:
    names = FreeNames(branch_model())
    assert names.take("new") == "new"
    assert names.take("new") == "new_2"
    assert names.take("negative") == "negative_2"
    assert names.take("positive") == "positive_2"


def test_nodes_in_branches_of_branches_are_found() -> None:
    def branch(node: NodeProto) -> GraphProto:
        output = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
        return helper.make_graph([node], "branch", [], [output])

    inner = helper.make_node("If", ["c"], ["x"], then_branch=branch(helper.make_node("Neg", ["a"], ["x"])))
    outer = helper.make_node("If", ["c"], ["x"], then_branch=branch(inner))
    graph = helper.make_graph([outer], "graph", [], [])
    assert [node.op_type for node in all_nodes(graph)] == ["If", "If", "Neg"]
