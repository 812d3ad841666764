from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ocrdeploy.backends.trt import Library, load_library
from ocrdeploy.backends.trt_parser import UnparsableGraphError, parse_network
from ocrdeploy.errors import MachineError
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from tests.support.models import ARCHITECTURES, STEP_BY_STEP
from tests.support.tensorrt import RTX, needs_rtx

pytestmark = needs_rtx


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("fp16", [False, True], ids=["fp32", "fp16"])
def test_networks_are_strongly_typed_with_float32_inputs_and_outputs(
    architecture: str, fp16: bool, seeded_onnx: Callable[[str], Path]
) -> None:
    library = load_library(RTX)
    trt = library.trt
    model = onnx.load_model(seeded_onnx(architecture))
    if fp16:
        model = convert_to_float16(model).model
    network = parse_network(library, model.SerializeToString()).network
    assert network.get_flag(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    assert (network.num_inputs, network.num_outputs) == (len(model.graph.input), len(model.graph.output))
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    assert {tensor.dtype for tensor in (network.get_input(0), *outputs)} == {trt.DataType.FLOAT}
    convolutions = [
        layer.get_output(0).dtype
        for layer in (network.get_layer(index) for index in range(network.num_layers))
        if layer.type in (trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION)
    ]
    if fp16 and architecture in STEP_BY_STEP:
        # What the size of the steps' states is told by counts as an output.
        assert convolutions.count(trt.DataType.HALF) >= len(convolutions) / 2
        return
    expected = [trt.DataType.HALF if fp16 else trt.DataType.FLOAT] * len(convolutions)
    if fp16 and architecture not in ("crnn", "svtr", "abinet"):
        # The layers that write the outputs; these have a matrix product there.
        expected[-len(outputs) :] = [trt.DataType.FLOAT] * len(outputs)
    assert convolutions == expected


def model_with(operator: str, domain: str = "", axis: int | None = None) -> ModelProto:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", ["input"], ["a"], name="first"),
        helper.make_node(operator, ["a"], ["b"], name="middle", domain=domain),
        helper.make_node("Add", ["b", "w"], ["output"], name="last"),
    ]
    if axis is not None:
        nodes[1].attribute.append(helper.make_attribute("axis", axis))
    shape: list[str | int | None] = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "graph",
        [info("input", TensorProto.FLOAT, shape)],
        [info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.ones(1, np.float32), "w")],
    )
    opsets = [helper.make_opsetid(name, 17 if not name else 1) for name in {"", domain}]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize(("operator", "domain"), [("Deformed", "mmcv"), ("Deformed", ""), ("Det", "")])
def test_an_operator_that_is_not_known_is_reported_with_its_node(operator: str, domain: str) -> None:
    with pytest.raises(UnparsableGraphError) as caught:
        parse_network(load_library(RTX), model_with(operator, domain).SerializeToString())
    (complaint,) = caught.value.complaints
    assert (complaint.node, complaint.is_unknown) == (1, True)


def test_an_operator_that_is_used_wrongly_is_reported_with_the_reason() -> None:
    with pytest.raises(UnparsableGraphError) as caught:
        parse_network(load_library(RTX), model_with("Softmax", axis=7).SerializeToString())
    (complaint,) = caught.value.complaints
    assert (complaint.node, complaint.is_unknown) == (1, False)
    assert "Axis must be in the range" in complaint.reason


def test_a_builder_that_does_not_start_is_a_fault_of_the_machine() -> None:
    def refuse(_logger: object) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    module = SimpleNamespace(__version__="10.3", Builder=refuse, init_libnvinfer_plugins=lambda _logger, _name: True)
    with pytest.raises(MachineError) as caught:
        parse_network(Library("tensorrt", module, None), b"")
    assert str(caught.value) == "TensorRT 10.3 cannot start its builder on this machine. --verbose shows its log."
