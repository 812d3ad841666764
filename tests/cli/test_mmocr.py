import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.mmocr_reference.interpreter import MMOCR1_PYTHON_VARIABLE, MMOCR_PYTHON_VARIABLE, find_mmocr_python
from tests.cli.conftest import Outcome
from tests.support.models import write_model
from tests.support.stand_ins import PYTHON, stand_in

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _no_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MMOCR_PYTHON_VARIABLE, raising=False)
    monkeypatch.delenv(MMOCR1_PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("OCRDEPLOY_CACHE", str(tmp_path / "cache"))


def test_verify_compares_with_mmocr(command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    python = stand_in(tmp_path, "honest")
    outcome = command(
        "verify", sample_onnx, "--reference", "mmocr", "--mmocr-python", python, "--images", image, "--json", "-"
    )
    assert outcome.code == 0, outcome.err
    (comparison,) = outcome.document["comparisons"]
    assert (comparison["reference"], comparison["candidate"]) == ("mmocr", "onnxruntime")
    assert comparison["results"]["matched"] > 0


@pytest.mark.slow
def test_verify_finds_the_interpreter_by_the_variable_and_what_mmocr_prepares_differently(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MMOCR_PYTHON_VARIABLE, str(stand_in(tmp_path, "shifted")))
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", sample_onnx, "--reference", "MMOCR", "--images", image, "--json", "-")
    assert outcome.code == 1
    (comparison,) = outcome.document["comparisons"]
    assert not comparison["preprocessing"]["passed"]
    assert comparison["tensors"][0]["passed"]


@pytest.mark.parametrize(
    ("mode", "code", "message"),
    [
        (None, 3, "Build its environment once with: ocrdeploy setup-mmocr"),
        ("lacks", 3, "mmocr is needed to run the real MMOCR"),
        ("dies", 1, "ended with code 3 in the request 'open': terminate called"),
        ("garbage", 1, "no line of JSON, but 'Killed by nobody'"),
        ("fails-config", 2, "MMOCR cannot use the config"),
    ],
)
def test_what_goes_wrong_with_mmocr_is_said_in_one_line(
    mode: str | None, code: int, message: str, command: Command, sample_onnx: Path, tmp_path: Path
) -> None:
    options = [] if mode is None else ["--mmocr-python", stand_in(tmp_path, mode)]
    outcome = command("verify", sample_onnx, "--reference", "mmocr", *options)
    assert outcome.code == code
    assert message in outcome.error


@pytest.mark.slow
def test_export_lets_mmocr_build_the_network_and_verifies_it(command: Command, tmp_path: Path) -> None:
    files = write_model(tmp_path, "crnn")
    model = tmp_path / "m.onnx"
    python = stand_in(tmp_path, "honest")
    outcome = command(
        "export", files.config, files.checkpoint, "-o", model, "--dynamic", "--builder", "mmocr",
        "--mmocr-python", python, "--show", "--json", "-",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = outcome.document
    assert (document["builder"], document["architecture"]) == ("mmocr", "CRNNNet")
    assert document["comparison"]["reference"] == "mmocr"
    assert document["comparison"]["passed"]
    assert read_onnx_spec(model).tools["mmocr"] == "0.6.3"
    assert (tmp_path / "m.show.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 3, "Build its environment once with: ocrdeploy setup-mmocr"),
        (["--shape", "1", "3", "32", "64"], 2, "the network takes batch×1×32×width, got 1×3×32×64"),
        (["--upsample", "bilinear"], 2, "MMOCR's is exported as it was trained"),
        (["--mmocr-python", "none"], 2, "interpreter none does not exist"),
    ],
)
def test_an_export_by_mmocr_that_cannot_be_leaves_no_file(
    options: list[str], code: int, message: str, command: Command, tmp_path: Path
) -> None:
    files = write_model(tmp_path, "crnn")
    model = tmp_path / "m.onnx"
    outcome = command("export", files.config, files.checkpoint, "-o", model, "--builder", "mmocr", *options)
    assert outcome.code == code
    assert message in outcome.error
    assert not model.exists()


def test_setup_says_what_this_machine_lacks(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = command("setup-mmocr", tmp_path / "environment")
    assert outcome.code == 3
    assert "MMOCR and the NumPy that it needs go with CPython 3.11" in outcome.error
    assert not (tmp_path / "environment").exists()


def test_setup_builds_and_tries_an_environment_in_the_default_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python3.11"
    shutil.copy(PYTHON, python)
    python.chmod(0o755)
    monkeypatch.setenv("CXX", "true")
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "calls"))
    monkeypatch.setenv("STAND_IN_FAULT", str(tmp_path / "none"))
    outcome = command("setup-mmocr", "--python", python, "--json", "-")
    assert outcome.code == 0, outcome.err
    interpreter = tmp_path / "cache" / "mmocr" / "bin" / "python"
    assert outcome.document["python"] == str(interpreter)
    assert outcome.document["versions"] == {"mmocr": "0.6.3"}
    assert "compiling its operators" in outcome.err
    # And from now on it is found.
    assert find_mmocr_python() == interpreter


def test_setup_builds_either_generation(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python3.11"
    shutil.copy(PYTHON, python)
    python.chmod(0o755)
    monkeypatch.setenv("CXX", "true")
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "calls"))
    monkeypatch.setenv("STAND_IN_VERSION", "1.0.1")
    outcome = command("setup-mmocr", tmp_path / "newer", "--generation", 1, "--python", python, "--json", "-")
    assert outcome.code == 0, outcome.err
    assert outcome.document["versions"] == {"mmocr": "1.0.1"}
    assert f"{MMOCR1_PYTHON_VARIABLE}={outcome.document['python']}" in outcome.err
    # What it built is not the other one.
    outcome = command("setup-mmocr", tmp_path / "newer", "--python", python)
    assert outcome.code == 3
    assert "MMOCR 0.x is needed, and" in outcome.error


def test_setup_tells_what_it_does_and_how_long_it_takes(command: Command) -> None:
    outcome = command("setup-mmocr", "--help")
    assert outcome.code == 0
    words = " ".join(outcome.out.split())
    for text in (
        "--generation",
        "0.6.3 or 1.0.1",
        "minutes on two cores",
        "g++ 11 or newer",
        "goes on where it stopped",
    ):
        assert text in words


def test_doctor_knows_whether_mmocr_can_be_run(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ability() -> dict[str, object]:
        abilities = command("doctor", "--json", "-").document["abilities"]
        (found,) = [each for each in abilities if "the real MMOCR 0.x" in each["name"]]
        return dict(found)

    assert (ability()["available"], ability()["remedy"]) == (False, "ocrdeploy setup-mmocr")
    monkeypatch.setenv(MMOCR_PYTHON_VARIABLE, str(stand_in(tmp_path, "echo")))
    assert ability()["available"]
