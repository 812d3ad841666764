from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from ocrdeploy.errors import ModelError
from ocrdeploy.onnx_file import GraphTensor, network_inputs, read_onnx_facts

FLOAT = onnx.TensorProto.FLOAT


def write(path: Path, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], **options: object) -> Path:
    """Write a model whose input is x and whose output is y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 3, None, 32])],
        [helper.make_tensor_value_info("y", FLOAT, ["n", 3, None, 32])],
        weights,
    )
    model = helper.make_model(graph)
    helper.set_model_props(model, {"key": "wört", "ocrdeploy": "{}"})
    onnx.save_model(model, path, **options)  # type: ignore[arg-type]
    return path


def test_what_a_file_says_is_what_onnx_reads_of_it(tmp_path: Path) -> None:
    weights = [numpy_helper.from_array(np.ones((3, 1, 1), np.float32), "w")]
    path = write(tmp_path / "m.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], weights)
    facts = read_onnx_facts(path)
    assert facts.metadata == {"key": "wört", "ocrdeploy": "{}"}
    assert facts.inputs == (GraphTensor("x", ("n", 3, "dim_2", 32), "float32"),)
    assert facts.outputs == (GraphTensor("y", ("n", 3, "dim_2", 32), "float32"),)
    assert (facts.precision, facts.external) == ("fp32", ())
    assert network_inputs(facts.inputs, path) == facts.inputs


def test_an_exported_model_is_read_as_onnx_reads_it(sample_onnx: Path) -> None:
    facts = read_onnx_facts(sample_onnx)
    model = onnx.load_model(sample_onnx)
    assert facts.metadata == {prop.key: prop.value for prop in model.metadata_props}
    assert [tensor.name for tensor in facts.inputs] == ["input"]
    assert [tensor.name for tensor in facts.outputs] == [output.name for output in model.graph.output]


def test_constants_among_the_inputs_and_open_lengths_of_older_exporters(tmp_path: Path) -> None:
    weights = [numpy_helper.from_array(np.ones((3, 1, 1), np.float32), "w")]
    path = write(tmp_path / "m.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], weights)
    model = onnx.load_model(path)
    model.graph.input.insert(0, helper.make_tensor_value_info("w", FLOAT, [3, 1, 1]))
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = -1
    model.graph.input[1].type.tensor_type.shape.dim[2].dim_value = 0
    onnx.save_model(model, path)
    assert read_onnx_facts(path).inputs == (GraphTensor("x", ("dim_0", 3, "dim_2", 32), "float32"),)


@pytest.mark.parametrize(
    ("dtype", "precision"), [(onnx.TensorProto.FLOAT16, "fp16"), (onnx.TensorProto.BFLOAT16, "bf16")]
)
def test_without_computing_precision_is_that_of_weights_constants_and_casts_also_inside_branches(
    tmp_path: Path, dtype: int, precision: str
) -> None:
    cast = [helper.make_node("Cast", ["x"], ["h"], to=dtype), helper.make_node("Cast", ["h"], ["y"], to=FLOAT)]
    assert read_onnx_facts(write(tmp_path / "cast.onnx", cast, [])).precision == precision
    constant = helper.make_tensor("w", dtype, [1], [1.0])
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=constant)],
        "b",
        [],
        [helper.make_tensor_value_info("c", dtype, [1])],
    )
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    assert read_onnx_facts(write(tmp_path / "if.onnx", [node], [])).precision == precision
    product = [helper.make_node("Mul", ["x", "w"], ["y"])]
    assert read_onnx_facts(write(tmp_path / "weight.onnx", product, [constant])).precision == precision


def test_what_no_output_depends_on_says_nothing_of_the_precision(tmp_path: Path) -> None:
    half = onnx.TensorProto.FLOAT16
    nodes = [
        helper.make_node("Identity", ["x"], ["y"]),
        helper.make_node("Cast", ["x"], ["h"], to=half),
        helper.make_node("Cast", ["h"], ["unread"], to=FLOAT),
    ]
    path = write(tmp_path / "dead.onnx", nodes, [helper.make_tensor("w", half, [1], [1.0])])
    assert read_onnx_facts(path).precision == "fp32"


def test_a_float16_round_trip_in_a_float32_network_says_nothing_of_the_precision(tmp_path: Path) -> None:
    half = onnx.TensorProto.FLOAT16
    weight = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w")
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=half),
        helper.make_node("Cast", ["h"], ["f"], to=FLOAT),
        helper.make_node("Conv", ["f", "w"], ["c"]),
        helper.make_node("Cast", ["c"], ["d"], to=half),
        helper.make_node("Cast", ["d"], ["y"], to=FLOAT),
    ]
    assert read_onnx_facts(write(tmp_path / "trip.onnx", nodes, [weight])).precision == "fp32"
    nodes[2] = helper.make_node("Conv", ["h", "hw"], ["c"])
    nodes.insert(2, helper.make_node("Cast", ["w"], ["hw"], to=half))
    assert read_onnx_facts(write(tmp_path / "half.onnx", nodes, [weight])).precision == "fp16"


def test_files_with_weights_are_named(tmp_path: Path) -> None:
    weights = [numpy_helper.from_array(np.ones((3, 100, 100), np.float32), name) for name in ("w", "v")]
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    path = write(tmp_path / "m.onnx", [helper.make_node("Mul", ["w", "v"], ["y"])], weights, **options)
    assert read_onnx_facts(path).external == ("w.bin",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds no graph"),
        (b"\xff" * 40, "it is cut off, or another kind of file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer: run git lfs pull"),
        (b"<!DOCTYPE html><html>", "an HTML page: download the file again"),
        (b"PK\x03\x04" + b"\0" * 40, "a zip archive: unpack it"),
    ],
)
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"m.onnx is not an ONNX model: {message}"):
        read_onnx_facts(path)


def test_a_file_that_is_cut_off_anywhere_is_refused_or_read(sample_onnx: Path, tmp_path: Path) -> None:
    content = sample_onnx.read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(1, len(content), len(content) // 60):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError, match="is not an ONNX model"):
            read_onnx_facts(path)


def test_other_inputs_than_a_batch_of_images_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])], [])
    facts = read_onnx_facts(path)
    for changed in (facts.inputs[0]._replace(dtype="float16"), facts.inputs[0]._replace(shape=("n", 3))):
        with pytest.raises(
            ModelError, match=r"float32 inputs were expected, one of them of four dimensions \(N, C, H, W\), got x"
        ):
            network_inputs([changed], path)
