"""Deformable convolutions that are written out, against ONNX Runtime's own operator."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ocrdeploy.errors import ModelError
from ocrdeploy.graphs.deformable import write_out_deform_conv
from tests.support.deform_conv import needs_deform_conv

TOLERANCE = 1e-5
"""Of the largest magnitude: coordinates are scaled to -1 to 1 and back in float32."""


def deform_model(
    opset: int = 19,
    *,
    kernel: tuple[int, int] = (3, 3),
    bias: bool = True,
    mask: bool = True,
    weight_is_input: bool = False,
    **attributes: Any,
) -> ModelProto:
    """Return a model of one deformable convolution of four channels to six."""
    weight = np.random.RandomState(1).normal(size=(6, 4 // attributes.get("group", 1), *kernel)).astype(np.float32)
    tensors = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.arange(6, dtype=np.float32), "b")]
    inputs = ["input", "weight", "offsets", "b" if bias else "", "factors"]
    node = helper.make_node(
        "DeformConv", inputs if mask else inputs[:4], ["output"], name="/a/DeformConv", **attributes
    )
    names = ["input", "offsets", *(["factors"] if mask else []), *(["weight"] if weight_is_input else [])]
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list("NCHW")) for name in names],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, list("NOhw"))],
        [] if weight_is_input else tensors[: 2 if bias else 1],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def run(model: ModelProto, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, feeds)
    return np.asarray(output)


def values(
    features: tuple[int, int], output: tuple[int, int], taps: int, groups: int, *, mask: bool
) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of two images; offsets reach beyond the edges."""
    rng = np.random.RandomState(2)
    arrays = {
        "input": rng.normal(size=(2, 4, *features)),
        "offsets": rng.normal(scale=3, size=(2, groups * taps * 2, *output)),
        "factors": rng.uniform(size=(2, groups * taps, *output)),
    }
    return {name: array.astype(np.float32) for name, array in arrays.items() if mask or name != "factors"}


CASES: list[tuple[dict[str, Any], tuple[int, int], tuple[int, int]]] = [
    ({"pads": [1, 1, 1, 1]}, (9, 7), (9, 7)),
    ({"pads": [1, 1, 1, 1], "strides": [2, 2]}, (9, 8), (5, 4)),
    ({"pads": [1, 1, 1, 1], "strides": [2, 1], "offset_group": 2}, (9, 8), (5, 8)),
    ({"pads": [2, 2, 2, 2], "dilations": [2, 2], "offset_group": 4}, (6, 6), (6, 6)),
    ({"pads": [0, 1, 2, 1], "dilations": [2, 1], "group": 2, "offset_group": 2}, (8, 5), (6, 5)),
    ({"pads": [1, 0, 0, 1], "kernel": (2, 3), "bias": False}, (6, 5), (6, 4)),
    ({"kernel": (1, 1), "mask": False}, (4, 4), (4, 4)),
    ({"pads": [1, 1, 1, 1], "mask": False, "bias": False}, (1, 1), (1, 1)),
    ({"pads": [1, 1, 1, 1], "offset_group": 2}, (1, 1), (1, 1)),
]


@needs_deform_conv
@pytest.mark.parametrize(("options", "features", "output"), CASES)
@pytest.mark.parametrize("opset", [19, 20])
def test_it_computes_what_the_operator_does(
    opset: int, options: dict[str, Any], features: tuple[int, int], output: tuple[int, int]
) -> None:
    model = deform_model(opset, **options)
    kernel, mask = options.get("kernel", (3, 3)), options.get("mask", True)
    feeds = values(features, output, kernel[0] * kernel[1], options.get("offset_group", 1), mask=mask)
    expected = run(model, feeds)
    assert expected.shape == (2, 6, *output)
    assert write_out_deform_conv(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert not any(node.op_type == "DeformConv" for node in model.graph.node)
    written = run(model, feeds)
    assert np.abs(written - expected).max() <= TOLERANCE * np.abs(expected).max()


@needs_deform_conv
def test_opsets_without_the_operator_have_it_written_out() -> None:
    feeds = values((9, 7), (9, 7), 9, 1, mask=True)
    expected = run(deform_model(pads=[1, 1, 1, 1]), feeds)
    for opset in (16, 17, 18):
        model = deform_model(opset, pads=[1, 1, 1, 1])
        write_out_deform_conv(model)
        onnx.checker.check_model(model, full_check=True)
        assert np.abs(run(model, feeds) - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_nodes_lie_in_the_scope_of_the_operator_and_the_last_has_its_name() -> None:
    model = deform_model(pads=[1, 1, 1, 1])
    write_out_deform_conv(model)
    *others, last = model.graph.node
    assert (last.op_type, last.name, list(last.output)) == ("Conv", "/a/DeformConv", ["output"])
    assert {node.name.rpartition("/")[0] for node in others} == {"/a/DeformConv"}
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)


def test_a_graph_without_the_operator_stays_as_it_is() -> None:
    node = helper.make_node("Relu", ["input"], ["output"])
    shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("input", "output")]
    model = helper.make_model(helper.make_graph([node], "graph", shape[:1], shape[1:]))
    before = model.SerializeToString()
    assert write_out_deform_conv(model) == 0
    assert model.SerializeToString() == before
    nothing = helper.make_model(helper.make_graph([], "graph", shape[:1], shape[:1]))
    assert write_out_deform_conv(nothing) == 0


def test_an_opset_without_samples_is_refused() -> None:
    with pytest.raises(ModelError, match="need opset 16 or newer, and the model has opset 15"):
        write_out_deform_conv(deform_model(15))


def test_weights_that_are_computed_are_refused() -> None:
    with pytest.raises(ModelError, match="/a/DeformConv: a DeformConv with constant float32 weights"):
        write_out_deform_conv(deform_model(weight_is_input=True, bias=False))
