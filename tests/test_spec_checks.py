from pathlib import Path

import msgspec
import pytest

from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.spec_checks import NamedShape, check_spec
from ocrdeploy.steps import Normalize

PATH = Path("m.onnx")
INPUT: NamedShape = ("input", ("batch", 3, "height", "width"))
OUTPUT: NamedShape = ("prob_map", ("batch", 1, "height", "width"))


@pytest.fixture
def spec(sample_onnx: Path) -> ModelSpec:
    from ocrdeploy.artifacts import read_onnx_spec

    return read_onnx_spec(sample_onnx)


@pytest.mark.parametrize(
    ("tensor", "outputs"),
    [
        (INPUT, [OUTPUT]),
        (INPUT, [("other", ("batch", 9)), OUTPUT]),
        # What is open on one side may be fixed on the other, or not known.
        (("input", (1, 3, 64, 64)), [("prob_map", (1, "a", "b", "c"))]),
        (("input", (-1, 3, "a", "b")), [("prob_map", ())]),
    ],
)
def test_what_can_be_one_model_passes(spec: ModelSpec, tensor: NamedShape, outputs: list[NamedShape]) -> None:
    dynamic = (tensor[0], tuple("any" if length == -1 else length for length in tensor[1]))
    check_spec(spec, PATH, dynamic, outputs, "")


@pytest.mark.parametrize(
    ("tensor", "output", "message"),
    [
        (("x", INPUT[1]), OUTPUT, r"speaks of 'input' and \['prob_map'\], the graph has 'x' and \['prob_map'\]"),
        (INPUT, ("y", OUTPUT[1]), r"speaks of 'input' and \['prob_map'\], the graph has 'input' and \['y'\]"),
        (("input", (1, 1, 64, 64)), OUTPUT, "says that 'input' is batch×3×height×width, in the graph it is 1×1×64×64"),
        (INPUT, ("prob_map", ("batch", 7, "h", "w")), "'prob_map' is batch×1×height×width, in the graph it is batch×7"),
        (INPUT, ("prob_map", ("batch", 1)), r"in the graph it is batch×1\."),
    ],
)
def test_what_cannot_is_refused(spec: ModelSpec, tensor: NamedShape, output: NamedShape, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        check_spec(spec, PATH, tensor, [output], "Do it again.")
    assert caught.value.fix == "Do it again."


def test_steps_that_make_other_channels_are_refused(spec: ModelSpec) -> None:
    grey = msgspec.structs.replace(spec.preprocessing[0], color_type="grayscale")
    others = tuple(step for step in spec.preprocessing[1:] if not isinstance(step, Normalize))
    edited = msgspec.structs.replace(spec, preprocessing=(grey, *others))
    with pytest.raises(ModelError, match="contradicts itself: its steps make images of 1 channels, and its input is"):
        check_spec(edited, PATH, INPUT, [OUTPUT], "")


def test_a_decoder_of_other_outputs_is_refused(spec: ModelSpec) -> None:
    shape = ("batch", "steps", 37)
    edited = msgspec.structs.replace(spec, outputs=(msgspec.structs.replace(spec.outputs[0], shape=shape),))
    with pytest.raises(ModelError, match="DBPostprocessor reads batch×channels×height×width, and 'prob_map' is batch"):
        check_spec(edited, PATH, INPUT, [("prob_map", shape)], "")
