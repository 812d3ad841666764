import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.version import __version__
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]

COMMANDS = ("export", "build-engine", "verify", "evaluate", "predict", "benchmark", "doctor", "setup-mmocr", "demo")
HEAVY = (
    "torch",
    "onnxruntime",
    "onnx",
    "cv2",
    "numpy",
    "shapely",
    "mmengine",
    "tensorrt",
    "tensorrt_rtx",
    "polygraphy",
)


@pytest.mark.parametrize("arguments", [[], ["export"], ["evaluate"], ["verify"], ["predict"], ["doctor"], ["demo"]])
def test_help_imports_no_runtime(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ocrdeploy.cli.main import run\n"
        f"assert run({[*arguments, '--help']!r}) == 0\n"
        f"print('IMPORTED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "IMPORTED []"


def test_help_names_every_command(command: Command) -> None:
    out = command("--help").out
    assert all(f" {name} " in out for name in COMMANDS)


def test_no_command_at_all_shows_the_help_and_is_wrong_usage(command: Command) -> None:
    outcome = command()
    assert outcome.code == 2
    assert "Usage: ocrdeploy" in outcome.err + outcome.out


def test_version(command: Command) -> None:
    assert command("--version").out.strip() == f"ocrdeploy {__version__}"


def test_an_unknown_command_is_refused_in_one_line(command: Command) -> None:
    outcome = command("convert")
    assert (outcome.code, outcome.error) == (2, "No such command 'convert'.")


def test_an_internal_error_is_one_line_and_verbose_shows_where(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("something\nunforeseen")

    monkeypatch.setattr("ocrdeploy.machine_report.inspect_machine", fail)
    outcome = command("doctor")
    assert outcome.code == 1
    assert outcome.error == "internal error: RuntimeError: something unforeseen (--verbose shows where)"
    verbose = command("doctor", "--verbose")
    assert "Traceback" in verbose.err


def test_ctrl_c_is_no_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ocrdeploy.machine_report.inspect_machine", interrupt)
    outcome = command("doctor")
    assert (outcome.code, outcome.error) == (130, "interrupted")


def test_ctrl_c_that_became_another_error_is_still_ctrl_c() -> None:
    code = (
        "import os, signal, sys\n"
        "from ocrdeploy import machine_report\n"
        "from ocrdeploy.cli.main import main\n"
        "def load():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        signal.pause()\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError('initialization failed') from None\n"
        "machine_report.inspect_machine = load\n"
        "sys.argv = ['ocrdeploy', 'doctor']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "ocrdeploy: error: interrupted\n")


def test_doctor_tells_what_is_here_and_what_to_install(command: Command) -> None:
    document = command("doctor", "--json", "-").document
    assert (document["schema"], document["command"]) == (1, "doctor")
    versions = {package["name"]: package["version"] for package in document["packages"]}
    assert versions["ocrdeploy"] == __version__
    abilities = {ability["name"]: ability for ability in document["abilities"]}
    assert abilities["run models in ONNX Runtime on the CPU"]["available"]
    assert all(ability["available"] or ability["remedy"] for ability in abilities.values())


def test_the_demo_leaves_model_table_and_picture(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command("demo", "--json", "result.json")
    assert outcome.code == 0
    folder = tmp_path / "ocrdeploy-demo"
    assert str(folder) in outcome.out
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "evaluation.md", "boxes.png"}
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["passed"]
    assert [row["backend"] for row in document["rows"]] == ["torch", "onnxruntime"]
    assert "| hmean-iou:hmean | 0.9726 | 0.9726 |" in (folder / "evaluation.md").read_text()


def test_the_demos_folder_must_exist_if_it_is_named(command: Command, tmp_path: Path) -> None:
    outcome = command("demo", "--output-folder", tmp_path / "none")
    assert outcome.code == 2
    assert "does not exist" in outcome.error
    assert not (tmp_path / "none").exists()
