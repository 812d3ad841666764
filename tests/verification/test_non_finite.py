from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends.onnx import OnnxRuntimeBackend
from ocrdeploy.backends.torch import TorchBackend
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import Predictor
from ocrdeploy.verification import network_values
from ocrdeploy.verification.non_finite import first_non_finite
from tests.support.faults import changed_weight, plant

NODE = "/backbone/layer2/layer2.0/conv1/Conv"
BATCH = {"input": np.ones((1, 3, 64, 64), np.float32)}


def test_the_first_node_of_a_graph_is_found(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = plant(seeded_onnx("dbnet"), tmp_path, changed_weight(NODE, factor=np.nan))
    with open_predictor(model) as predictor:
        found = first_non_finite(predictor, BATCH)
    assert found is not None
    assert (found.node, found.operator) == (NODE, "Conv")


def test_groups_of_values_make_no_difference(
    seeded_onnx: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_values, "MAX_GROUP_VALUES", 200_000)
    test_the_first_node_of_a_graph_is_found(seeded_onnx, tmp_path)


def test_the_first_layer_of_a_network_is_found(seeded_onnx: Callable[[str], Path]) -> None:
    model = seeded_onnx("dbnet")
    with open_predictor(model.with_suffix(".pth"), config=model.with_suffix(".py")) as predictor:
        assert isinstance(predictor.backend, TorchBackend)
        # A checkpoint with such a weight is refused.
        predictor.backend.network.state_dict()["backbone.layer2.0.conv1.weight"][0] = torch.inf
        found = first_non_finite(predictor, BATCH)
    assert found is not None
    assert found.module == "backbone.layer2.0.conv1"


def test_a_network_of_finite_values_has_none(seeded_onnx: Callable[[str], Path]) -> None:
    with open_predictor(seeded_onnx("dbnet")) as predictor:
        assert first_non_finite(predictor, BATCH) is None


MASKED = [
    helper.make_node("Conv", ["input", "kernel"], ["a"], "conv"),
    helper.make_node("Greater", ["a", "limit"], ["is_kept"], "greater"),
    helper.make_node("Where", ["is_kept", "a", "low"], ["masked"], "mask"),
    helper.make_node("Softmax", ["masked"], ["b"], "softmax"),
]


def predictor_of(nodes: list[NodeProto], output: str, spec: ModelSpec, path: Path) -> Predictor:
    """Make a model of one input channel whose last node gives an output."""
    constants = {"kernel": np.ones((1, 1, 1, 1)), "limit": np.array(0.5), "low": np.array(-np.inf)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return Predictor(spec, OnnxRuntimeBackend(path, threads=1))


@pytest.mark.parametrize(
    ("nodes", "values", "blamed"),
    [
        # The mask is meant, and what it hides is gone behind the softmax.
        ([], [1.0, 0.0], ""),
        # The logarithm of a negative number.
        ([("Sub", ["b", "limit"], "c"), ("Log", ["c"], "d")], [1.0, 0.0], "d"),
        # A row of nothing but the mask: the softmax makes the NaN.
        ([], [0.0, 0.0], "softmax"),
        # An overflow that only later becomes NaN.
        ([("Exp", ["a"], "c"), ("Sub", ["c", "c"], "d"), ("Add", ["d", "b"], "e")], [1000.0, 0.0], "c"),
        # Infinity alone.
        ([("Exp", ["a"], "c"), ("Add", ["c", "b"], "d")], [1000.0, 0.0], "c"),
    ],
)
def test_an_infinity_that_is_meant_is_not_blamed(
    nodes: list[tuple[str, list[str], str]],
    values: list[float],
    blamed: str,
    seeded_onnx: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    behind = [helper.make_node(operator, inputs, [output], output) for operator, inputs, output in nodes]
    output = nodes[-1][2] if nodes else "b"
    spec = read_onnx_spec(seeded_onnx("dbnet"))
    with predictor_of([*MASKED, *behind], output, spec, tmp_path / "m.onnx") as predictor:
        found = first_non_finite(predictor, {"input": np.array([[[values]]], np.float32)})
    assert (found.node if found else "") == blamed
