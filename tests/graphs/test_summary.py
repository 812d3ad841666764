from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.graphs.cleanup import fold_batchnorm, inline_shared_initializers
from ocrdeploy.graphs.summary import LONGEST_VECTOR, GraphSummary, summarize_graph, tensor_shapes
from tests.support.networks import export_onnx, seeded_network


def model_of(nodes: list[Any], weights: dict[str, tuple[int, ...]], output: list[int | str]) -> onnx.ModelProto:
    """Return a model with one input N×C×H×W of any size, whose last node gives `output`."""
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", "c", "h", "w"])
    result = helper.make_tensor_value_info("output", TensorProto.FLOAT, output)
    stored = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()]
    return helper.make_model(helper.make_graph(nodes, "g", [given], [result], stored))


def node(kind: str, inputs: list[str], output: str = "output", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, [output], **attributes)


@pytest.mark.parametrize(
    ("attributes", "weight", "shape", "flops"),
    [
        ({}, (8, 3, 3, 3), (1, 3, 10, 10), 2 * 8 * 8 * 8 * 27),
        ({"pads": [1] * 4}, (8, 3, 3, 3), (2, 3, 10, 10), 2 * 2 * 8 * 100 * 27),
        ({"strides": [2, 2], "pads": [1] * 4}, (8, 3, 3, 3), (1, 3, 10, 12), 2 * 8 * 30 * 27),
        # Each output of a group sees the inputs of its group alone.
        ({"group": 4, "pads": [1] * 4}, (4, 1, 3, 3), (1, 4, 10, 10), 2 * 4 * 100 * 9),
    ],
)
def test_convolutions(attributes: Any, weight: Any, shape: Any, flops: int) -> None:
    model = model_of([node("Conv", ["input", "w"], **attributes)], {"w": weight}, ["a", "b", "c", "d"])
    assert summarize_graph(model, shape) == GraphSummary({"Conv": 1}, int(np.prod(weight)), flops, shape)


def test_transposed_convolutions() -> None:
    model = model_of([node("ConvTranspose", ["input", "w"], strides=[2, 2])], {"w": (8, 4, 2, 2)}, ["a", "b", "c", "d"])
    assert summarize_graph(model, (1, 8, 5, 6)).flops == 2 * 8 * 30 * 4 * 4


@pytest.mark.parametrize(
    ("attributes", "weight"), [({}, (12, 7)), ({"transB": 1}, (7, 12)), ({"alpha": 2.0, "beta": 0.5}, (12, 7))]
)
def test_matrix_products_with_a_bias(attributes: Any, weight: Any) -> None:
    nodes = [node("Flatten", ["input"], "flat"), node("Gemm", ["flat", "w", "b"], **attributes)]
    summary = summarize_graph(model_of(nodes, {"w": weight, "b": (7,)}, ["n", 7]), (5, 3, 2, 2))
    assert summary.flops == 2 * 5 * 12 * 7
    assert summary.parameters == 12 * 7 + 7


def test_matrix_products_with_the_first_transposed() -> None:
    nodes = [node("Flatten", ["input"], "flat"), node("Gemm", ["flat", "w"], transA=1)]
    assert summarize_graph(model_of(nodes, {"w": (5, 7)}, ["n", 7]), (5, 3, 2, 2)).flops == 2 * 12 * 5 * 7


def test_matrix_products_of_batches() -> None:
    summary = summarize_graph(model_of([node("MatMul", ["input", "w"])], {"w": (6, 9)}, [1, 2, 3, 9]), (1, 2, 3, 6))
    assert summary.flops == 2 * 2 * 3 * 9 * 6


def test_recurrent_layers() -> None:
    nodes = [
        node("Squeeze", ["input", "axes"], "steps"),
        node("LSTM", ["steps", "w", "r"], hidden_size=5, direction="bidirectional"),
    ]
    model = model_of(nodes, {"w": (2, 20, 7), "r": (2, 20, 5)}, ["t", 2, "n", 5])
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "axes"))
    summary = summarize_graph(model, (1, 11, 3, 7))
    # Eleven steps of three sequences, two directions, four gates of five: each sums over input and hidden state.
    assert summary.flops == 2 * 11 * 3 * 2 * 20 * (7 + 5)


def test_what_is_not_counted_costs_nothing() -> None:
    model = model_of([node("Relu", ["input"], "x"), node("Sigmoid", ["x"])], {}, ["a", "b", "c", "d"])
    assert summarize_graph(model, (1, 3, 4, 4)) == GraphSummary({"Relu": 1, "Sigmoid": 1}, 0, 0, (1, 3, 4, 4))


def test_unknown_shapes_cost_nothing() -> None:
    nodes = [node("NonZero", ["input"], "places"), helper.make_node("Own", ["input"], ["x"], domain="own.domain")]
    nodes += [node("MatMul", ["x", "w"], "y"), node("Gemm", ["x", "w"], "z"), node("Conv", ["x", "w"])]
    model = model_of(nodes, {"w": (6, 9)}, ["a", "b"])
    model.opset_import.add(domain="own.domain", version=1)
    assert summarize_graph(model, (1, 3, 4, 4)).flops == 0


def test_factors_of_resizing_are_no_weights() -> None:
    nodes = [node("Resize", ["input", "", "factors"], "x"), node("Mul", ["x", "w"])]
    model = model_of(nodes, {"factors": (4,), "w": (5,)}, ["a", "b", "c", "d"])
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(6, np.int64), "places"))
    assert summarize_graph(model, (1, 3, 4, 4)).parameters == 5


def test_the_most_frequent_operator_comes_first() -> None:
    nodes = [node("Sigmoid", ["input"], "x"), node("Relu", ["x"], "y"), node("Relu", ["y"])]
    summary = summarize_graph(model_of(nodes, {}, ["a", "b", "c", "d"]), (1, 1, 1, 1))
    assert list(summary.operators.items()) == [("Relu", 2), ("Sigmoid", 1)]


def test_the_model_is_not_changed() -> None:
    model = model_of([node("Relu", ["input"])], {}, ["a", "b", "c", "d"])
    before = model.SerializeToString()
    summarize_graph(model, (1, 3, 4, 4))
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("name", "shape"), [("dbnet", (2, 3, 64, 96)), ("psenet", (1, 3, 64, 64)), ("crnn", (3, 1, 32, 80))]
)
def test_whole_networks(data_dir: Any, name: str, shape: tuple[int, ...]) -> None:
    network = seeded_network(load_config(data_dir / "configs" / f"{name}.py").network)
    model = export_onnx(network, np.zeros(shape, np.float32))
    inline_shared_initializers(model)
    fold_batchnorm(model)
    summary = summarize_graph(model, shape)
    assert (summary.flops, summary.parameters) == counted_by_torch(network, shape)
    assert summary.input_shape == shape
    assert sum(summary.operators.values()) == len(model.graph.node)


def counted_by_torch(network: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the operations of convolutions, linear layers and LSTMs, and the parameters of what is run at all.

    A batch normalisation counts as the bias that the convolution before it gets, unless it has one.
    """
    flops = parameters = 0
    has_bias = False

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal flops, parameters, has_bias
        if isinstance(module, nn.BatchNorm2d):
            parameters += 0 if has_bias else module.num_features
        else:
            parameters += sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            has_bias = module.bias is not None
        match module:
            case nn.Conv2d():
                flops += 2 * output.numel() * module.weight[0].numel()
            case nn.ConvTranspose2d():
                flops += 2 * inputs[0].numel() * module.weight[0].numel()
            case nn.Linear():
                flops += 2 * output.numel() * module.in_features
            case nn.LSTM():
                steps, batch, _ = inputs[0].shape
                weights = sum(value.numel() for key, value in module.named_parameters() if key.startswith("weight"))
                flops += 2 * steps * batch * weights

    handles = [module.register_forward_hook(count) for module in network.modules()]
    with torch.inference_mode():
        network(torch.zeros(shape))
    for handle in handles:
        handle.remove()
    return flops, parameters


def test_values_of_a_vector_too_long_for_a_shape_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = []
    real = onnx.shape_inference.infer_shapes

    def infer(model: onnx.ModelProto, *, data_prop: bool) -> onnx.ModelProto:
        followed.append(data_prop)
        return real(model, data_prop=data_prop)

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", infer)
    for length in (3, LONGEST_VECTOR + 1):
        nodes = [node("Gather", ["w", "i"], "g"), node("Add", ["input", "g"])]
        model = model_of(nodes, {"w": (length,)}, ["n", "c", "h", "w"])
        model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "i"))
        assert tensor_shapes(model, (1, 3, 8, 8))["output"] == (1, 3, 8, 8)
    assert followed == [True, False]
