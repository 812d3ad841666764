from pathlib import Path

import msgspec
import pytest

from ocrdeploy.descriptions.loading import load_config, load_outline
from ocrdeploy.descriptions.specs import build_spec, dynamic_image_shape, spec_of_outline
from ocrdeploy.model_spec import ExportOptions, FileRecord
from ocrdeploy.tensors import agree
from tests.support.models import OF_MMOCR0, config_text

CHECKPOINT = FileRecord("x.pth", "00")
DYNAMIC = ExportOptions(opset=17, dynamic=True)


def write(folder: Path, architecture: str) -> Path:
    path = folder / "config.py"
    path.write_text(config_text(architecture))
    return path


@pytest.mark.parametrize("architecture", OF_MMOCR0)
def test_of_known_networks_the_spec_says_what_the_whole_config_says(architecture: str, tmp_path: Path) -> None:
    path = write(tmp_path, architecture)
    outline = load_outline(path)
    known = build_spec(load_config(path), checkpoint=CHECKPOINT, export=DYNAMIC)
    shape = [1, *(length if isinstance(length, int) else 8 for length in known.outputs[0].shape[1:])]
    spec = spec_of_outline(outline, checkpoint=CHECKPOINT, export=DYNAMIC, output_shape=shape)
    # What MMOCR's own network needs of an image is not known.
    image = msgspec.structs.replace(known.input, least_width=None)
    if architecture == "abinet":
        # Nor that it takes words of one width alone.
        image = msgspec.structs.replace(image, shape=(*image.shape[:3], "width"))
    assert (spec.input, spec.source, spec.export) == (image, known.source, known.export)
    assert [tensor.name for tensor in spec.outputs] == [tensor.name for tensor in known.outputs]
    # How many steps a recogniser with attention has, only its network says.
    assert all(agree(one.shape, other.shape) for one, other in zip(spec.outputs, known.outputs, strict=True))


@pytest.mark.parametrize(("architecture", "shape"), [("dbnet", (3, "height", "width")), ("crnn", (1, 32, "width"))])
def test_the_image_shape_is_what_the_pipeline_makes(
    architecture: str, shape: tuple[int, int | str, str], tmp_path: Path
) -> None:
    assert dynamic_image_shape(load_outline(write(tmp_path, architecture))) == shape


def test_a_static_model_has_the_shapes_of_its_one_run(tmp_path: Path) -> None:
    outline = load_outline(write(tmp_path, "psenet"))
    spec = spec_of_outline(
        outline, checkpoint=CHECKPOINT, export=DYNAMIC, output_shape=(2, 7, 16, 24), static_shape=(2, 3, 64, 96)
    )
    assert spec.input.shape == (2, 3, 64, 96)
    assert spec.outputs[0].shape == (2, 7, 16, 24)
