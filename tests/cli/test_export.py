from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from ocrdeploy.artifacts import read_onnx_spec
from tests.cli.conftest import Outcome
from tests.support.models import write_model

Command = Callable[..., Outcome]


@pytest.fixture
def sample(sample_dir: Path) -> tuple[Path, Path]:
    return sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth"


def test_model_onnx_is_written_to_the_current_folder(
    command: Command, sample: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command("export", *sample, "--dynamic", "--json", "-")
    assert outcome.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    document = outcome.document
    assert (document["schema"], document["command"], document["architecture"]) == (1, "export", "DBNet")
    assert document["input"] == ["batch", 3, "height", "width"]
    assert document["operators"]["Conv"] == 29
    assert "BatchNormalization" not in document["operators"]
    # 763 thousand parameters at 736×1344, most of them in convolutions: the order of magnitude is known by hand.
    assert 8e9 < document["flops"] < 9e9
    assert document["flops_shape"] == [1, 3, 736, 1344]


def test_the_names_of_the_old_scripts_options_work(
    command: Command, sample: tuple[Path, Path], sample_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command(
        "export", *sample, image, "--output-file", path, "--dynamic-export", "--opset-version", 13, "--task", "det",
        "--verify", "--show", "--device", "cpu",
    )  # fmt: skip
    assert outcome.code == 0
    assert "passed: the models agree" in outcome.out
    assert onnx.load_model(path).opset_import[0].version == 13
    assert (tmp_path / "m.show.png").stat().st_size > 10_000


def test_shape_sets_the_size_of_a_static_model(command: Command, sample: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    outcome = command("export", *sample, "-o", path, "--shape", 2, 3, 64, 96, "--show", "--verify")
    assert outcome.code == 0
    assert (
        "  static: it takes only images that the pipeline brings to 64×96 (height×width), 2 at a time; --dynamic takes "
        "images of every size\n"
    ) in outcome.out
    assert read_onnx_spec(path).input.shape == (2, 3, 64, 96)
    assert (tmp_path / "m.show.png").exists()


def test_verbose_prints_the_architecture_and_the_graph(
    command: Command, sample: tuple[Path, Path], tmp_path: Path
) -> None:
    outcome = command("export", *sample, "-o", tmp_path / "m.onnx", "--dynamic", "--verbose")
    for words in ("ResNet", "ConvTranspose", "parameters: 763,457", "FLOPs at 1×3×736×1344"):
        assert words in outcome.out


def test_decoding_in_the_graph_is_for_recognition(command: Command, sample: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    outcome = command("export", *sample, "-o", path, "--decode-in-graph")
    assert outcome.code == 2
    assert outcome.error.startswith("--decode-in-graph takes softmax and argmax into a recogniser's graph, and")
    assert not path.exists()
    crnn = write_model(tmp_path, "crnn")
    outcome = command("export", crnn.config, crnn.checkpoint, "-o", path, "--dynamic", "--decode-in-graph", "--verify")
    assert outcome.code == 0
    assert "indices: batch×sequence int32" in outcome.out
    assert "scores: batch×sequence float32" in outcome.out
    assert "passed: the models agree" in outcome.out


def test_quiet_prints_nothing(command: Command, sample: tuple[Path, Path], tmp_path: Path) -> None:
    outcome = command("export", *sample, "-o", tmp_path / "m.onnx", "--dynamic", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--opset", "10"], 2, "the opset is a number from 11 to 20, got 10"),
        (["-o", "/dev/null/m.onnx"], 2, "/dev/null/m.onnx cannot be written: /dev/null is no folder"),
        (["--device", "gpu"], 2, "a device is cpu, cuda or cuda:N, got 'gpu'"),
        (["--device", "cuda:97"], 3, "cuda:97 does not exist: PyTorch shows 0 CUDA devices. Use --device cpu."),
        (["--device", "cpu", "--device-id", "0"], 2, "--device and --device-id name the same thing: give one of them"),
        (["--json", "/dev/null/x.json"], 2, "/dev/null/x.json cannot be written: /dev/null is no folder"),
        (["none.jpg"], 2, "the image none.jpg does not exist. Check the path."),
        (["--foo"], 2, "export has no option --foo. ocrdeploy export --help tells what there is."),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    options: list[str],
    code: int,
    message: str,
    command: Command,
    sample: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    if "cuda:97" in options and torch.cuda.is_available():
        pytest.skip("the message counts the GPUs that are there")
    monkeypatch.chdir(tmp_path)
    outcome = command("export", *sample, *options)
    assert outcome.code == code
    assert outcome.error == message
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_network_is_refused_with_its_keys(command: Command, tmp_path: Path) -> None:
    dbnet, panet = write_model(tmp_path, "dbnet"), write_model(tmp_path, "panet")
    outcome = command("export", dbnet.config, panet.checkpoint, "-o", tmp_path / "m.onnx")
    assert outcome.code == 2
    assert "missing (neck.lateral_convs.0.conv.weight" in outcome.error
    assert "unexpected (neck.reduce_conv_c2.0.weight" in outcome.error


def test_an_unknown_architecture_is_refused_by_name(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "fce.py"
    config.write_text("model = dict(type='DRRG')")
    outcome = command("export", config, "none.pth", "-o", tmp_path / "m.onnx")
    assert outcome.code == 2
    assert "model.type = 'DRRG': the architecture is not supported" in outcome.error


@pytest.mark.parametrize("shape", [(1, 3, 10**9, 10**9), (10**6, 3, 736, 1280), (1, 3, 0, 64)])
def test_a_shape_that_no_network_could_be_run_with_is_refused(
    shape: tuple[int, ...], command: Command, sample: tuple[Path, Path], tmp_path: Path
) -> None:
    outcome = command("export", *sample, "-o", tmp_path / "m.onnx", "--shape", *shape)
    assert outcome.code == 2
    assert outcome.error.startswith("--shape ")
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_too_narrow_for_the_network_is_refused_by_option(command: Command, tmp_path: Path) -> None:
    crnn = write_model(tmp_path, "crnn")
    outcome = command("export", crnn.config, crnn.checkpoint, "-o", tmp_path / "m.onnx", "--shape", 1, 1, 32, 1)
    assert outcome.code == 2
    assert outcome.error.startswith("--shape 1×1×32×1: the recogniser takes images N x 1 x 32 x W with W at least 4")


def test_a_name_gets_the_suffix_of_a_model(
    command: Command, sample: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("export", *sample, "-o", "v", "--dynamic").out.startswith("v.onnx: DBNet, ")
    assert [path.name for path in tmp_path.iterdir()] == ["v.onnx"]
    outcome = command("export", *sample, "-o", "-", "--dynamic")
    assert outcome.code == 2
    assert outcome.error == "a model is a file, and is not written to standard output. Name a file with -o."
