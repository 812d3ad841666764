from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.onnx_file import GraphTensor
from ocrdeploy.spec_checks import check_batch_sizes, check_precision, check_spec
from ocrdeploy.steps import Normalize

PATH = Path("m.onnx")
INPUT = GraphTensor("input", ("batch", 3, "height", "width"))
OUTPUT = GraphTensor("prob_map", ("batch", 1, "height", "width"))


@pytest.fixture
def spec(sample_onnx: Path) -> ModelSpec:
    from ocrdeploy.artifacts import read_onnx_spec

    return read_onnx_spec(sample_onnx)


@pytest.mark.parametrize(
    ("tensor", "outputs"),
    [
        (INPUT, [OUTPUT]),
        (INPUT, [GraphTensor("other", ("batch", 9)), OUTPUT]),
        # What is open on one side may be fixed on the other, or not known.
        (GraphTensor("input", (1, 3, 64, 64)), [GraphTensor("prob_map", (1, "a", "b", "c"))]),
        (GraphTensor("input", ("n", 3, "a", "b")), [GraphTensor("prob_map", ())]),
    ],
)
def test_what_can_be_one_model_passes(spec: ModelSpec, tensor: GraphTensor, outputs: list[GraphTensor]) -> None:
    check_spec(spec, PATH, [tensor], outputs, "")


@pytest.mark.parametrize(
    ("tensor", "output", "message"),
    [
        (
            GraphTensor("x", INPUT.shape),
            OUTPUT,
            r"speaks of 'input' and \['prob_map'\], the graph has 'x' and \['prob_map'\]",
        ),
        (
            INPUT,
            GraphTensor("y", OUTPUT.shape),
            r"speaks of 'input' and \['prob_map'\], the graph has 'input' and \['y'\]",
        ),
        (
            GraphTensor("input", (1, 1, 64, 64)),
            OUTPUT,
            "says that 'input' is batch×3×height×width float32, in the graph it is 1×1×64×64",
        ),
        (
            INPUT,
            GraphTensor("prob_map", ("batch", 7, "h", "w")),
            "'prob_map' is batch×1×height×width float32, in the graph it is batch×7",
        ),
        (INPUT, GraphTensor("prob_map", ("batch", 1)), r"in the graph it is batch×1\."),
    ],
)
def test_what_cannot_is_refused(spec: ModelSpec, tensor: GraphTensor, output: GraphTensor, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        check_spec(spec, PATH, [tensor], [output], "Do it again.")
    assert caught.value.fix == "Do it again."


def test_steps_that_make_other_channels_are_refused(spec: ModelSpec) -> None:
    grey = msgspec.structs.replace(spec.preprocessing[0], color_type="grayscale")
    others = tuple(step for step in spec.preprocessing[1:] if not isinstance(step, Normalize))
    edited = msgspec.structs.replace(spec, preprocessing=(grey, *others))
    with pytest.raises(ModelError, match="contradicts itself: its steps make images of 1 channels, and its input is"):
        check_spec(edited, PATH, [INPUT], [OUTPUT], "")


def test_a_decoder_of_other_outputs_is_refused(spec: ModelSpec) -> None:
    shape = ("batch", "steps", 37)
    edited = msgspec.structs.replace(spec, outputs=(msgspec.structs.replace(spec.outputs[0], shape=shape),))
    with pytest.raises(ModelError, match="DBPostprocessor reads batch×channels×height×width, and 'prob_map' is batch"):
        check_spec(edited, PATH, [INPUT], [GraphTensor("prob_map", shape)], "")


def test_another_element_type_or_precision_is_refused(spec: ModelSpec) -> None:
    for dtype in ("int32", "uint8", "float16"):
        with pytest.raises(ModelError, match=rf"float32, in the graph it is batch×1×height×width {dtype}"):
            check_spec(spec, PATH, [INPUT], [OUTPUT._replace(dtype=dtype)], "")
    check_precision(spec, PATH, "fp32")
    with pytest.raises(ModelError, match=r"m\.onnx says that it computes in fp32, and its graph holds fp16"):
        check_precision(spec, PATH, "fp16")


def test_a_static_model_takes_its_own_batch_size_alone() -> None:
    static: Any = SimpleNamespace(input=SimpleNamespace(shape=(1, 3, 64, 64)))
    dynamic: Any = SimpleNamespace(input=SimpleNamespace(shape=("batch", 3, 64, 64)))
    check_batch_sizes([("m.onnx", static)], [1, 1])
    check_batch_sizes([("m.onnx", static)], [])
    check_batch_sizes([("m.onnx", dynamic)], [1, 4])
    with pytest.raises(UsageError, match=r"m\.onnx is static and runs 1 at a time, and --batch-size asks for 1, 4"):
        check_batch_sizes([("d.onnx", dynamic), ("m.onnx", static)], [1, 4])
