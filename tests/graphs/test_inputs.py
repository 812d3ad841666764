import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from ocrdeploy.graphs.inputs import normalize, opsets


def make_model(length: int | str, domain: str = "") -> ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["output"], domain=domain)],
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [length, 3, length, length])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [length, 3, length, length])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 17)], ir_version=8)


@pytest.mark.parametrize("length", [0, -1])
def test_lengths_below_one_are_open(length: int) -> None:
    model = make_model(length)
    normalize(model)
    for value in (model.graph.input[0], model.graph.output[0]):
        lengths = value.type.tensor_type.shape.dim
        assert [each.dim_value for each in lengths] == [0, 3, 0, 0]
        assert [bool(each.dim_param) for each in lengths] == [True, False, True, True]
        assert len({each.dim_param for each in lengths}) == 4
    onnx.checker.check_model(model, full_check=True)


def test_onnxs_own_domain_is_the_empty_one() -> None:
    model = make_model("n", "ai.onnx")
    assert opsets(model) == {"": 17}
    normalize(model)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    assert [node.domain for node in model.graph.node] == [""]
    onnx.checker.check_model(model, full_check=True)


def test_a_model_that_is_written_so_stays() -> None:
    model = make_model("n")
    before = model.SerializeToString(deterministic=True)
    normalize(model)
    assert model.SerializeToString(deterministic=True) == before
