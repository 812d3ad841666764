from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]


@pytest.fixture
def changed_onnx(sample_onnx: Path, tmp_path: Path) -> Path:
    """The sample's model with another last bias: the map is lower everywhere, so boxes vanish."""
    model = onnx.load_model(sample_onnx)
    last = next(node for node in reversed(model.graph.node) if node.op_type == "ConvTranspose")
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == last.input[2])
    bias.CopyFrom(onnx.numpy_helper.from_array((onnx.numpy_helper.to_array(bias) - 4).astype(np.float32), bias.name))
    path = tmp_path / "changed.onnx"
    onnx.save_model(model, path)
    return path


def test_the_exported_model_agrees_with_pytorch(command: Command, sample_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", sample_onnx, "--images", image, "--json", "-")
    assert outcome.code == 0
    document = outcome.document
    assert (document["schema"], document["command"], document["passed"]) == (1, "verify", True)
    (comparison,) = document["comparisons"]
    assert (comparison["reference"], comparison["candidate"]) == ("torch", "onnxruntime")
    (tensor,) = comparison["tensors"]
    assert tensor["name"] == "prob_map"
    assert tensor["max_abs"] <= tensor["atol"] + tensor["rtol"] * tensor["largest"]
    assert {"shapes", "mean_abs", "p99_abs", "passed"} <= set(tensor)
    assert comparison["preprocessing"] == {"passed": True, "max_abs": 0.0}
    assert comparison["results"]["images"] == 1
    assert comparison["results"]["matched"] > 0
    assert comparison["results"]["missing"] == comparison["results"]["extra"] == 0


def test_a_model_that_was_edited_is_compared_and_fails(command: Command, changed_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", changed_onnx, "--images", image, "--show", "--json", "-")
    assert outcome.code == 1
    (comparison,) = outcome.document["comparisons"]
    assert not outcome.document["passed"]
    assert not comparison["tensors"][0]["passed"]
    assert comparison["results"]["missing"] > 0
    assert changed_onnx.with_suffix(".show.png").exists()


def test_the_report_says_in_words_what_failed(command: Command, changed_onnx: Path, sample_dir: Path) -> None:
    outcome = command("verify", changed_onnx, "--images", sample_dir / "imgs" / "syn_0022.jpg")
    assert outcome.code == 1
    assert "FAILED: the models differ" in outcome.out
    assert " missing" in outcome.out


def test_of_several_models_the_first_is_the_reference(
    command: Command, sample_onnx: Path, changed_onnx: Path, sample_dir: Path
) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", sample_onnx, sample_onnx, changed_onnx, "--images", image, "--json", "-")
    assert outcome.code == 1
    first, second = outcome.document["comparisons"]
    assert first["reference"] == first["candidate"] == "onnxruntime"
    assert first["tensors"][0]["max_abs"] == 0
    assert first["passed"]
    assert not second["passed"]


def test_tolerances_can_be_set(command: Command, sample_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", sample_onnx, "--images", image, "--atol", 0, "--rtol", 0, "--json", "-")
    assert outcome.code == 1
    assert outcome.document["comparisons"][0]["tensors"][0]["atol"] == 0


def test_without_images_the_data_set_or_drawn_images_are_compared(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "drawn images are compared" in command("verify", sample_onnx).out
    (tmp_path / "sample").symlink_to(sample_dir)
    outcome = command("verify", sample_onnx, "--json", "-")
    assert "drawn images" not in outcome.err
    assert outcome.document["comparisons"][0]["results"]["matched"] > 10


def test_a_config_or_checkpoint_that_is_gone_is_asked_for(
    command: Command, seeded_onnx: Callable[[str], Path], tmp_path: Path
) -> None:
    source = seeded_onnx("dbnet")
    files = {name: source.with_suffix(name) for name in (".py", ".pth")}
    moved = tmp_path / "model.onnx"
    moved.write_bytes(source.read_bytes())
    hidden = [path.rename(path.with_name(f"hidden{path.suffix}")) for path in files.values()]
    try:
        outcome = command("verify", moved)
        assert outcome.code == 2
        assert "is not there. Give it with --config." in outcome.error
        assert command("verify", moved, "--config", hidden[0], "--checkpoint", hidden[1]).code == 0
        # Beside the model, the same files are found by their name and hash.
        for path in hidden:
            (tmp_path / f"dbnet{path.suffix}").write_bytes(path.read_bytes())
        assert command("verify", moved).code == 0
    finally:
        for path in hidden:
            path.rename(files[path.suffix])
