from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import Recognition, open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.errors import CheckError, CheckpointError, ConfigError, ImageError, ShapeError
from ocrdeploy.mmocr_reference.reference import MmocrReference, open_mmocr_reference
from ocrdeploy.model_spec import ExportOptions
from ocrdeploy.results import Result
from ocrdeploy.running.models import open_torch
from ocrdeploy.verification.result_difference import DetectionDifference
from ocrdeploy.verification.verifying import verify
from tests.support.models import OF_MMOCR0, ModelFiles, write_model

StandIn = Callable[[str], Path]
MAX_LOGIT_DIFFERENCE = 1e-4
"""PyTorch's kernels of two versions, relative to the largest logit."""


def open_reference(files: ModelFiles, python: Path, export: ExportOptions | None = None) -> MmocrReference:
    return open_mmocr_reference(files.config, files.checkpoint, export=export, python=python)


def assert_same(first: Result, second: Result) -> None:
    if isinstance(first, Recognition):
        assert first == second
        return
    assert isinstance(second, list)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.polygon, other.polygon)
        assert one.score == other.score


@pytest.fixture
def dbnet(tmp_path: Path) -> ModelFiles:
    return write_model(tmp_path, "dbnet")


@pytest.mark.parametrize("architecture", ["dbnet", "crnn"])
def test_an_exported_model_agrees_with_an_honest_reference(
    architecture: str, seeded_onnx: Callable[[str], Path], make_stand_in: StandIn
) -> None:
    model = seeded_onnx(architecture)
    files = model.with_suffix(".py"), model.with_suffix(".pth")
    export = read_onnx_spec(model).export
    with (
        open_mmocr_reference(*files, export=export, python=make_stand_in("honest")) as reference,
        open_predictor(model) as candidate,
    ):
        comparison = verify(reference, candidate, [])
    assert comparison.passed
    assert (comparison.reference.backend, comparison.candidate.backend) == ("mmocr", "onnxruntime")
    assert comparison.preprocessing.images > 0
    assert comparison.settings == ()


def test_a_reference_that_prepares_images_in_another_way_is_a_difference_there(
    sample_dir: Path, sample_onnx: Path, make_stand_in: StandIn
) -> None:
    files = sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth"
    with (
        open_mmocr_reference(*files, python=make_stand_in("shifted")) as reference,
        open_predictor(sample_onnx) as candidate,
    ):
        comparison = verify(reference, candidate, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.causes == ("pre-processing",)
    assert comparison.preprocessing.max_abs == pytest.approx(0.5)


def test_the_steps_one_after_the_other_give_what_the_whole_gives(sample_dir: Path, make_stand_in: StandIn) -> None:
    files = ModelFiles(sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth")
    image = sample_dir / "imgs" / "syn_0022.jpg"
    with open_reference(files, make_stand_in("honest")) as reference:
        whole = reference(image)
        (streamed,) = reference.stream([image])
    assert isinstance(whole, list)
    assert len(whole) > 3
    assert_same(whole, streamed)


def test_of_dbnets_channels_those_of_the_export_count(dbnet: ModelFiles, make_stand_in: StandIn) -> None:
    batch = np.zeros((2, 3, 32, 64), np.float32)
    options = ExportOptions(opset=17, dynamic=True, all_outputs=True)
    with open_reference(dbnet, make_stand_in("honest"), options) as reference:
        assert {name: output.shape for name, output in reference.infer(batch).items()} == {"maps": (2, 3, 32, 64)}


def test_an_array_is_an_image_too(dbnet: ModelFiles, make_stand_in: StandIn) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 70, 3), np.uint8)
    with open_reference(dbnet, make_stand_in("honest")) as reference:
        prepared = reference.prepare(pixels)
        (output,) = reference.infer(np.zeros((2, 3, 32, 64), np.float32)).values()
        assert output.shape == (2, 1, 32, 64)
    with open_torch(dbnet.config, dbnet.checkpoint) as ours:
        np.testing.assert_array_equal(prepared.tensor, ours.prepare(pixels).tensor)
    assert prepared.original_shape == (40, 70)


def test_bad_input_is_refused_before_mmocr_is_asked(dbnet: ModelFiles, make_stand_in: StandIn) -> None:
    with open_reference(dbnet, make_stand_in("honest")) as reference:
        with pytest.raises(ImageError, match=r"the image none\.jpg does not exist"):
            reference.prepare("none.jpg")
        with pytest.raises(ImageError, match="H x W x 3 uint8"):
            reference.prepare(np.zeros((4, 4, 4), np.uint8))
        with pytest.raises(ShapeError, match="multiples of 32"):
            reference.infer(np.zeros((1, 3, 33, 64), np.float32))
        prepared = reference.prepare(np.zeros((32, 32, 3), np.uint8))
        with pytest.raises(ShapeError, match=r"an output of 1 image\(s\) was expected, got 2×1×32×32"):
            reference.decode({"prob_map": np.zeros((2, 1, 32, 32), np.float32)}, [prepared])


def test_output_that_is_not_finite_means_nothing(dbnet: ModelFiles, make_stand_in: StandIn) -> None:
    with (
        open_reference(dbnet, make_stand_in("nan")) as reference,
        pytest.raises(CheckError, match="NaN or infinity"),
    ):
        reference.infer(np.zeros((1, 3, 32, 32), np.float32))


def test_an_array_that_was_promised_and_not_written_is_an_error(dbnet: ModelFiles, make_stand_in: StandIn) -> None:
    with (
        open_reference(dbnet, make_stand_in("no-array")) as reference,
        pytest.raises(CheckError, match="MMOCR wrote no array"),
    ):
        reference.infer(np.zeros((1, 3, 32, 32), np.float32))


def test_input_files_are_looked_at_before_the_machine(dbnet: ModelFiles, tmp_path: Path) -> None:
    none = tmp_path / "none"
    with pytest.raises(ConfigError, match="does not exist"):
        open_mmocr_reference(none, dbnet.checkpoint, python=none)
    with pytest.raises(CheckpointError, match="does not exist"):
        open_mmocr_reference(dbnet.config, none, python=none)


def test_the_interpreter_is_ended_when_the_model_cannot_be_opened(dbnet: ModelFiles, make_stand_in: StandIn) -> None:
    with pytest.raises(CheckpointError, match="MMOCR cannot use the checkpoint"):
        open_reference(dbnet, make_stand_in("fails-checkpoint"))


# From here on with the real MMOCR.


@pytest.mark.requires_mmocr
@pytest.mark.parametrize("architecture", OF_MMOCR0)
def test_exported_models_agree_with_mmocr(
    architecture: str, seeded_onnx: Callable[[str], Path], mmocr_python: Path
) -> None:
    model = seeded_onnx(architecture)
    files = model.with_suffix(".py"), model.with_suffix(".pth")
    export = read_onnx_spec(model).export
    with (
        open_mmocr_reference(*files, export=export, python=mmocr_python) as reference,
        open_predictor(model) as candidate,
    ):
        comparison = verify(reference, candidate, [])
    assert comparison.passed
    assert comparison.preprocessing.max_abs == 0


@pytest.mark.requires_mmocr
def test_mmocr_finds_the_same_step_by_step_as_in_its_own_test_loop(
    sample_dir: Path, sample_onnx: Path, mmocr_python: Path
) -> None:
    files = ModelFiles(sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth")
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:2]
    with open_reference(files, mmocr_python) as reference, open_predictor(sample_onnx) as candidate:
        for image in images:
            whole = reference(image)
            (streamed,) = reference.stream([image])
            assert_same(whole, streamed)
        comparison = verify(reference, candidate, images)
    assert comparison.passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.matched > 10


@pytest.mark.requires_mmocr
def test_decoding_leaves_panets_output_as_it_is(seeded_onnx: Callable[[str], Path], mmocr_python: Path) -> None:
    model = seeded_onnx("panet")
    files = model.with_suffix(".py"), model.with_suffix(".pth")
    noise = np.random.default_rng(0).standard_normal((2, 3, 64, 96), np.float32)
    with (
        open_mmocr_reference(*files, python=mmocr_python) as reference,
        open_torch(*files) as ours,
    ):
        prepared = [reference.prepare(np.zeros((64, 96, 3), np.uint8))] * 2
        (before,) = reference.infer(noise).values()
        kept = before.copy()
        reference.decode({"maps": before}, prepared)
        (after,) = reference.infer(noise).values()
        (expected,) = ours.infer(noise).values()
    np.testing.assert_array_equal(before, kept)
    np.testing.assert_array_equal(before, after)
    # With a sigmoid in place of logits the difference would be of the logits' own size.
    np.testing.assert_allclose(before, expected, rtol=0, atol=MAX_LOGIT_DIFFERENCE * np.abs(expected).max())


@pytest.mark.requires_mmocr
def test_mmocr_refuses_a_checkpoint_of_another_network(tmp_path: Path, mmocr_python: Path) -> None:
    dbnet, panet = write_model(tmp_path, "dbnet"), write_model(tmp_path, "panet")
    with pytest.raises(CheckpointError, match="MMOCR cannot use the checkpoint"):
        open_mmocr_reference(dbnet.config, panet.checkpoint, python=mmocr_python)
