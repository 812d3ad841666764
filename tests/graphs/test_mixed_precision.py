from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.graphs import serialization
from ocrdeploy.graphs.mixed_precision import (
    ASKED_FOR,
    COORDINATES,
    OUT_OF_RANGE,
    SENSITIVE_OPERATORS,
    WRITES_OUTPUT,
    convert_to_float16,
)
from tests.support.float16_rounding import round_like_float16
from tests.support.models import ARCHITECTURES, STEP_BY_STEP
from tests.support.networks import open_onnx, run_onnx

ALLOWED = 5e-3
"""Of 1 and of the output's largest magnitude: what verify allows float16. Rounding to 11 bits at some thirty layers was
seen to add up to at most half of it."""


def load(path: Path) -> ModelProto:
    return onnx.load_model(path)


def noise(model: ModelProto) -> NDArray[np.float32]:
    channels = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    height, width = (each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim[2:])
    shape = (2, channels, height or (32 if channels == 1 else 64), width or 96)
    return np.random.RandomState(3).normal(0, 1, shape).astype(np.float32)


def types_of(model: ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_inputs_outputs_and_metadata_stay_and_the_rest_is_halved(
    architecture: str, seeded_onnx: Callable[[str], Path]
) -> None:
    model = load(seeded_onnx(architecture))
    before = model.SerializeToString()
    conversion = convert_to_float16(model)
    assert model.SerializeToString() == before
    result = conversion.model
    onnx.checker.check_model(result, full_check=True)
    assert list(result.graph.input) == list(model.graph.input)
    assert list(result.graph.output) == list(model.graph.output)
    assert list(result.metadata_props) == list(model.metadata_props)
    if architecture not in STEP_BY_STEP:
        # The weights of a loop stay as they are.
        assert result.ByteSize() < 0.8 * model.ByteSize()
    names = Counter(node.name for node in result.graph.node)
    assert set(names.values()) == {1}
    # Precisions meet at the input, before the last layer and, in CRNN, around both LSTMs; with attention around each
    # softmax and each normalisation. FCENet has a last layer for each level.
    casts = {"crnn": 4, "svtr": 44, "abinet": 35, "fcenet": 4}
    if architecture in STEP_BY_STEP:
        return
    assert Counter(node.op_type for node in result.graph.node)["Cast"] == casts.get(architecture, 2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sensitive_layers_compute_in_float32_and_all_others_in_float16(
    architecture: str, seeded_onnx: Callable[[str], Path]
) -> None:
    conversion = convert_to_float16(load(seeded_onnx(architecture)))
    types = types_of(conversion.model)
    lstm = SENSITIVE_OPERATORS["LSTM"]
    expected = {
        "dbnet": {
            "/bbox_head/binarize/binarize.6/ConvTranspose": WRITES_OUTPUT,
            "/bbox_head/binarize/binarize.7/Sigmoid": SENSITIVE_OPERATORS["Sigmoid"],
        },
        "psenet": {"/bbox_head/out_conv/Conv": WRITES_OUTPUT},
        "panet": {"/bbox_head/out_conv/Conv": WRITES_OUTPUT},
        "crnn": {
            "/decoder/decoder/decoder.0/rnn/LSTM": lstm,
            "/decoder/decoder/decoder.1/rnn/LSTM": lstm,
            "/decoder/decoder/decoder.1/embedding/MatMul": WRITES_OUTPUT,
        },
    }
    if architecture in expected:
        assert conversion.kept == expected[architecture]
    assert set(conversion.kept.values()) <= {*SENSITIVE_OPERATORS.values(), WRITES_OUTPUT, COORDINATES}
    for node in conversion.model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "MatMul", "LSTM", "Sigmoid"):
            wanted = TensorProto.FLOAT if node.name in conversion.kept else TensorProto.FLOAT16
            assert types[node.output[0]] == wanted, node.name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rounded", [False, True], ids=["onnxruntime", "rounded"])
def test_outputs_are_within_what_verify_allows(
    architecture: str, rounded: bool, seeded_onnx: Callable[[str], Path]
) -> None:
    # Without float16 hardware ONNX Runtime rounds the weights alone; the second run rounds what GPUs round.
    model = load(seeded_onnx(architecture))
    converted = convert_to_float16(model).model
    if rounded:
        round_like_float16(converted)
    feeds = {"input": noise(model)}
    feeds |= {each.name: np.ones(2, np.float32) for each in model.graph.input[1:]}
    for found, expected in zip(open_onnx(converted).run(None, feeds), open_onnx(model).run(None, feeds), strict=True):
        difference = np.abs(found - expected).max()
        assert 0 < difference <= ALLOWED + ALLOWED * np.abs(expected).max()


def test_rounding_shows_what_leaves_float16s_range() -> None:
    weights = np.full((1, 1, 1, 1), 256, np.float32)
    inverse = np.full((1, 1, 1, 1), 1 / 256, np.float32)
    model = chain(
        [helper.make_node("Conv", ["input", "w"], ["large"]), helper.make_node("Conv", ["large", "v"], ["output"])],
        {"w": weights, "v": inverse},
    )
    images = np.full((1, 1, 2, 2), 512, np.float32)
    # The last layer computes in float32, and by then it is too late.
    converted = convert_to_float16(model).model
    assert np.isfinite(run_onnx(open_onnx(converted), images)).all()
    round_like_float16(converted)
    assert np.isinf(run_onnx(open_onnx(converted), images)).all()


def chain(nodes: list[NodeProto], constants: dict[str, NDArray[np.float32]], opset: int = 17) -> ModelProto:
    """Return a model of one channel whose tensors `input` and `output` are its input and output."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 1, "y", "x"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"
    domains = sorted({node.domain for node in nodes} | {""})
    opsets = [helper.make_opsetid(domain, 1 if domain else opset) for domain in domains]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


KERNEL = np.full((1, 1, 1, 1), 0.5, np.float32)


def test_layers_that_are_asked_for_stay_float32() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "k"], ["c"]),
        helper.make_node("Conv", ["c", "k"], ["output"]),
    ]
    by_name = convert_to_float16(chain(nodes, {"k": KERNEL}), ["Conv_0"])
    assert by_name.kept == {"Conv_0": ASKED_FOR, "Conv_3": WRITES_OUTPUT}
    assert by_name.converted == 1
    # What only hands on float32 stays float32.
    assert [node.op_type for node in by_name.model.graph.node] == ["Conv", "Relu", "Cast", "Conv", "Cast", "Conv"]
    # The kernel is there once in each precision.
    assert {tensor.name for tensor in by_name.model.graph.initializer} == {"k", "k_float16"}
    by_pattern = convert_to_float16(chain(nodes, {"k": KERNEL}), ["*_0", "Relu"])
    assert by_pattern.kept == by_name.kept


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    model = chain([helper.make_node("Conv", ["input", "k"], ["output"])], {"k": KERNEL})
    with pytest.raises(UsageError) as caught:
        convert_to_float16(model, ["neck/*"])
    assert str(caught.value) == "--fp32-layers 'neck/*' matches no node. Nodes have names such as Conv_0."


@pytest.mark.parametrize("value", [7e4, 1e-6])
def test_layers_with_weights_outside_float16s_range_stay_float32(value: float) -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Conv", ["a", "extreme"], ["b"]),
        helper.make_node("Conv", ["b", "k"], ["output"]),
    ]
    conversion = convert_to_float16(chain(nodes, {"k": KERNEL, "extreme": np.full_like(KERNEL, value)}))
    assert conversion.kept == {"Conv_1": OUT_OF_RANGE, "Conv_2": WRITES_OUTPUT}


def test_zeros_and_a_few_tiny_weights_are_in_range() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "zeros"], ["a"]),
        helper.make_node("Conv", ["a", "mixed"], ["b"]),
        helper.make_node("Conv", ["b", "k"], ["output"]),
    ]
    mixed = np.array([1e-9, 0.5], np.float32).reshape(1, 1, 1, 2)
    constants = {"zeros": np.zeros_like(KERNEL), "mixed": mixed, "k": KERNEL}
    assert convert_to_float16(chain(nodes, constants)).converted == 2


@pytest.mark.parametrize("operator", ["Softmax", "Exp", "ReduceMean", "GlobalAveragePool", "InstanceNormalization"])
def test_sensitive_operators_of_other_models_stay_float32(operator: str) -> None:
    inputs = {"InstanceNormalization": ["a", "one", "one"]}.get(operator, ["a"])
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node(operator, inputs, ["b"]),
        helper.make_node("Conv", ["b", "k"], ["c"]),
        helper.make_node("Conv", ["c", "k"], ["output"]),
    ]
    conversion = convert_to_float16(chain(nodes, {"k": KERNEL, "one": np.ones(1, np.float32)}))
    assert conversion.kept[f"{operator}_1"] == SENSITIVE_OPERATORS[operator]
    assert conversion.converted == 2
    assert types_of(conversion.model)["b"] == TensorProto.FLOAT


def test_coordinates_are_computed_in_float32_from_the_last_layer_on() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["features"]),
        helper.make_node("Gemm", ["points", "w"], ["moved"]),
        helper.make_node("MatMul", ["moved", "w"], ["places"]),
        helper.make_node("MatMul", ["table", "places"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["grid"]),
        helper.make_node("GridSample", ["features", "grid"], ["sampled"]),
        helper.make_node("Conv", ["sampled", "k"], ["output"]),
    ]
    table = np.ones((4, 2), np.float32)
    constants = {"k": KERNEL, "w": table[:2], "table": table, "points": table[:2]}
    model = chain(nodes, constants)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2, 2, 2]), "shape"))
    assert convert_to_float16(model).kept == {
        "MatMul_2": COORDINATES,
        "MatMul_3": COORDINATES,
        "GridSample_5": SENSITIVE_OPERATORS["GridSample"],
        "Conv_6": WRITES_OUTPUT,
    }


def test_operators_of_other_domains_and_branches_keep_their_float32_inputs() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Somebodys", ["a"], ["b"], domain="somebody"),
        helper.make_node("ReduceMax", ["a"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["condition"], to=TensorProto.BOOL),
        helper.make_node("If", ["condition"], ["c"], then_branch=branch("Neg", "a"), else_branch=branch("Abs", "a")),
        helper.make_node("Conv", ["c", "k"], ["d"]),
        helper.make_node("Conv", ["d", "k"], ["output"]),
    ]
    model = chain(nodes, {"k": KERNEL})
    result = convert_to_float16(model).model
    casts = [(node.input[0], node.output[0]) for node in result.graph.node if node.op_type == "Cast"]
    # The branches and the unknown operator read `a` in float32, under its own name, cast once.
    assert casts.count(("a_float16", "a")) == 1
    custom = next(node for node in result.graph.node if node.op_type == "Somebodys")
    assert list(custom.input) == ["a"]
    # Without the unknown operator both models run and agree.
    for each in (model, result):
        kept = [node for node in each.graph.node if node.op_type != "Somebodys"]
        del each.graph.node[:]
        each.graph.node.extend(kept)
    images = np.linspace(-2, 2, 8, dtype=np.float32).reshape(1, 1, 2, 4)
    np.testing.assert_array_equal(run_onnx(open_onnx(result), images), run_onnx(open_onnx(model), images))


def branch(operator: str, name: str) -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node(operator, [name], ["inner"])],
        operator,
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )


def test_resizing_keeps_its_scales_in_float32() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Resize", ["a", "", "scales"], ["b"], mode="nearest"),
        helper.make_node("Conv", ["b", "k"], ["output"]),
    ]
    result = convert_to_float16(chain(nodes, {"k": KERNEL, "scales": np.array([1, 1, 2, 2], np.float32)})).model
    resize = next(node for node in result.graph.node if node.op_type == "Resize")
    assert list(resize.input) == ["a_float16", "", "scales"]


def test_constants_in_nodes_are_converted_too() -> None:
    nodes = [
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(KERNEL)),
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Mul", ["a", "half"], ["b"]),
        helper.make_node("Conv", ["b", "k"], ["output"]),
    ]
    result = convert_to_float16(chain(nodes, {"k": KERNEL})).model
    assert {tensor.name: tensor.data_type for tensor in result.graph.initializer}["half_float16"] == TensorProto.FLOAT16
    images = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    np.testing.assert_array_equal(run_onnx(open_onnx(result), images), images / 8)


def test_a_tensor_that_is_an_output_and_read_inside_is_there_in_both_precisions() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["middle"]),
        helper.make_node("Conv", ["middle", "k"], ["a"]),
        helper.make_node("Conv", ["a", "k"], ["output"]),
    ]
    model = chain(nodes, {"k": KERNEL})
    model.graph.output.append(helper.make_tensor_value_info("middle", TensorProto.FLOAT, None))
    conversion = convert_to_float16(model)
    # The first layer writes an output itself.
    assert conversion.kept == {"Conv_0": WRITES_OUTPUT, "Conv_2": WRITES_OUTPUT}
    assert [output.name for output in conversion.model.graph.output] == ["output", "middle"]


def test_what_cannot_be_converted_is_refused() -> None:
    model = chain([helper.make_node("Conv", ["input", "k"], ["a"]), helper.make_node("Conv", ["a", "k"], ["output"])],
                  {"k": KERNEL})  # fmt: skip
    with pytest.raises(ModelError, match="computes in float16 already"):
        convert_to_float16(convert_to_float16(model).model)
    with pytest.raises(ModelError, match="has no operator that can compute in float16"):
        convert_to_float16(chain([helper.make_node("Relu", ["input"], ["output"])], {}))
    del model.opset_import[:]
    with pytest.raises(ModelError, match="the graph contradicts itself"):
        convert_to_float16(model)


def test_the_table_names_operators_that_exist_and_says_why() -> None:
    for operator, reason in SENSITIVE_OPERATORS.items():
        assert onnx.defs.has(operator), operator
        assert len(reason.split()) >= 3


def twice(operator: str, constants: dict[str, NDArray[np.float32]], **attributes: Any) -> ModelProto:
    """Return a model one of whose float16 nodes reads one float32 tensor twice."""
    second = "k2" if constants else "s"
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["s"]),
        helper.make_node(operator, ["a", second, second], ["b"], **attributes),
        helper.make_node("Conv", ["b", "k" if operator == "Sum" else "wide"], ["output"]),
    ]
    wide = {} if operator == "Sum" else {"wide": np.full((1, 3, 1, 1), 0.25, np.float32)}
    return chain(nodes, {"k": KERNEL, **wide, **constants})


@pytest.mark.parametrize(
    "model",
    [
        twice("Sum", {}),
        twice("Concat", {}, axis=1),
        twice("Sum", {"k2": np.full((1, 1, 2, 4), 3, np.float32)}),
        twice("Concat", {"k2": np.full((1, 1, 2, 4), 3, np.float32)}, axis=1),
    ],
)
def test_a_node_may_read_one_tensor_twice(model: ModelProto) -> None:
    assert_equal_on_small_numbers(model, convert_to_float16(model).model)


def assert_equal_on_small_numbers(model: ModelProto, converted: ModelProto) -> None:
    onnx.checker.check_model(converted, full_check=True)
    images = np.linspace(-2, 2, 8, dtype=np.float32).reshape(1, 1, 2, 4)
    expected = run_onnx(open_onnx(model), images)
    np.testing.assert_allclose(run_onnx(open_onnx(converted), images), expected, rtol=ALLOWED, atol=ALLOWED)


@pytest.mark.parametrize("taken", ["a_float16", "k_float16"])
def test_names_that_other_tensors_have_are_left_to_them(taken: str) -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Sigmoid", ["a"], [taken]),
        helper.make_node("Add", ["a", taken], ["b"]),
        helper.make_node("Conv", ["b", "k"], ["output"]),
    ]
    model = chain(nodes, {"k": KERNEL})
    assert_equal_on_small_numbers(model, convert_to_float16(model).model)


def plain() -> ModelProto:
    nodes = [helper.make_node("Conv", ["input", "k"], ["a"]), helper.make_node("Conv", ["a", "k"], ["output"])]
    return chain(nodes, {"k": KERNEL})


@pytest.mark.parametrize("version", [3, 8])
@pytest.mark.parametrize("first", [False, True])
def test_initializers_among_the_inputs_are_none_afterwards(first: bool, version: int) -> None:
    model = plain()
    listed = helper.make_tensor_value_info("k", TensorProto.FLOAT, KERNEL.shape)
    inputs = [listed, *model.graph.input] if first else [*model.graph.input, listed]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = version
    converted = convert_to_float16(model).model
    assert [value.name for value in converted.graph.input] == ["input"]
    assert_equal_on_small_numbers(plain(), converted)


@pytest.mark.parametrize("imported", ["", "ai.onnx"])
@pytest.mark.parametrize("written", ["", "ai.onnx"])
def test_both_names_of_onnxs_own_operators_are_known(written: str, imported: str) -> None:
    model = plain()
    model.opset_import[0].domain = imported
    for node in model.graph.node:
        node.domain = written
    assert_equal_on_small_numbers(plain(), convert_to_float16(model).model)


BIG = np.array(1e6, np.float32)
BEHIND: dict[str, list[NodeProto]] = {
    "value": [helper.make_node("Constant", [], ["big"], value=numpy_helper.from_array(BIG))],
    "value_float": [helper.make_node("Constant", [], ["big"], value_float=1e6)],
    "value_floats": [helper.make_node("Constant", [], ["big"], value_floats=[1e6])],
    "value_int": [
        helper.make_node("Constant", [], ["whole"], value_int=10**6),
        helper.make_node("Cast", ["whole"], ["big"], to=TensorProto.FLOAT),
    ],
    "value_ints": [
        helper.make_node("Constant", [], ["whole"], value_ints=[10**6]),
        helper.make_node("Cast", ["whole"], ["big"], to=TensorProto.FLOAT),
    ],
    "Identity": [helper.make_node("Identity", ["stored"], ["big"])],
    "Unsqueeze": [
        helper.make_node("Constant", [], ["axes"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["stored", "axes"], ["big"]),
    ],
    "ConstantOfShape": [
        helper.make_node("Constant", [], ["shape"], value_ints=[1]),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["big"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1e6])
        ),
    ],
    "computed": [
        helper.make_node("Constant", [], ["thousand"], value_float=1e3),
        helper.make_node("Identity", ["thousand"], ["same"]),
        helper.make_node("Mul", ["thousand", "same"], ["big"]),
    ],
}


@pytest.mark.parametrize("form", BEHIND)
def test_a_constant_outside_float16s_range_is_seen_in_every_form(form: str) -> None:
    nodes = [
        *BEHIND[form],
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Mul", ["a", "big"], ["b"]),
        helper.make_node("Mul", ["b", "small"], ["c"]),
        helper.make_node("Conv", ["c", "k"], ["output"]),
    ]
    small = {"small": np.array(1e-6, np.float32), "stored": BIG}
    if form not in ("Identity", "Unsqueeze"):
        del small["stored"]
    model = chain(nodes, {"k": KERNEL, **small})
    converted = convert_to_float16(model).model
    round_like_float16(converted)
    images = np.linspace(-2, 2, 8, dtype=np.float32).reshape(1, 1, 2, 4)
    expected = run_onnx(open_onnx(model), images)
    np.testing.assert_allclose(run_onnx(open_onnx(converted), images), expected, rtol=ALLOWED, atol=ALLOWED)


def test_an_attribute_outside_float16s_range_keeps_its_node_float32() -> None:
    nodes = [
        helper.make_node("Conv", ["input", "k"], ["a"]),
        helper.make_node("Clip", ["a"], ["b"], max=1e6),
        helper.make_node("Conv", ["b", "k"], ["output"]),
    ]
    converted = convert_to_float16(chain(nodes, {"k": KERNEL}, opset=10)).model
    assert types_of(converted)["b"] == TensorProto.FLOAT


def test_a_model_beyond_the_limit_of_one_file_is_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = plain()
    monkeypatch.setattr(serialization, "LIMIT", 2)
    monkeypatch.setattr(serialization, "SMALL_TENSOR", 2)
    assert convert_to_float16(model).converted == 1
