from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.cli.shape_words import split_shapes
from ocrdeploy.errors import UsageError
from tests.cli.conftest import Outcome


@pytest.mark.parametrize("shape", ["1x3x64x96", "1,3,64,96", "1X3X64X96", "1×3×64×96", "1, 3, 64, 96"])
@pytest.mark.parametrize("option", ["--shape", "--min-shape", "--opt-shape", "--max-shape"])
def test_a_shape_of_one_word_becomes_four(option: str, shape: str) -> None:
    four = ["c", option, "1", "3", "64", "96", "m.onnx"]
    assert split_shapes(["c", option, shape, "m.onnx"]) == four
    assert split_shapes(["c", f"{option}={shape}", "m.onnx"]) == four
    assert split_shapes(four) == four


def test_nothing_else_is_touched() -> None:
    line = ["export", "1x3x64x96", "--shape", "-v", "--profile", "1x3x8x8,1x3x9x9", "--", "--shape", "1x3x8x8"]
    assert split_shapes(line) == line


@pytest.mark.parametrize(
    "shape", ["1x3x64", "1x3x64x96x2", "1,3,64,", "axbxcxd", "1x3,64x96", "1x-3x64x96", "0x1Fx3x4"]
)
def test_words_that_are_no_shape_are_refused(shape: str) -> None:
    with pytest.raises(UsageError, match="--shape takes a shape N C H W as four words, as 1x3x640x640 or as 1,3,640"):
        split_shapes(["export", "--shape", shape])


def test_export_takes_a_shape_of_one_word_and_the_output_by_both_names(
    command: Callable[..., Outcome], sample_dir: Path, tmp_path: Path
) -> None:
    model, path = (sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth"), tmp_path / "m.onnx"
    assert command("export", *model, "--shape", "1x3x32x64", "--output", path).code == 0
    assert read_onnx_spec(path).input.shape == (1, 3, 32, 64)
    assert command("export", *model, "--shape", "1x3x32", "--output", path).code == 2
