import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from ocrdeploy.cli.main import Interruption
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


def test_an_internal_error_is_one_line_and_verbose_shows_where(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("something\nunforeseen")

    monkeypatch.setattr("ocrdeploy.machine_report.inspect_machine", fail)
    outcome = command("doctor")
    assert outcome.code == 1
    assert outcome.error == "internal error: RuntimeError: something unforeseen. --verbose shows where."
    verbose = command("doctor", "--verbose")
    assert "Traceback" in verbose.err


def test_ctrl_c_is_no_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ocrdeploy.machine_report.inspect_machine", interrupt)
    outcome = command("doctor")
    assert (outcome.code, outcome.error) == (130, "interrupted")


def test_the_door_hears_ctrl_c_before_anything_heavy_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules); import ocrdeploy.cli.main; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('ocrdeploy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as a terminal does")
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "the terminal was closed")],
)
def test_a_signal_that_became_another_error_still_ends_the_run(name: str, code: int, said: str) -> None:
    program = (
        "import os, signal, sys\n"
        "from ocrdeploy import machine_report\n"
        "from ocrdeploy.cli.main import main\n"
        "def load():\n"
        "    try:\n"
        f"        os.kill(os.getpid(), signal.{name})\n"
        "        signal.pause()\n"
        "    except KeyboardInterrupt:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)  # what cleans up is not interrupted again\n"
        "        print('cleaned up')\n"
        "        raise ImportError('initialization failed') from None\n"
        "machine_report.inspect_machine = load\n"
        "sys.argv = ['ocrdeploy', 'doctor']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        # Whoever runs the tests with nohup has it ignored, and the program would leave it so and wait for ever.
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (code, "cleaned up\n", f"ocrdeploy: error: {said}\n")


@pytest.mark.skipif(os.name != "posix", reason="nohup ignores the signal so")
def test_a_signal_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    dispositions = {signal.SIGHUP: signal.SIG_IGN, signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.SIG_IGN}
    monkeypatch.setattr("_signal.getsignal", dispositions.__getitem__)
    monkeypatch.setattr("_signal.signal", lambda number, _handler: taken.append(number))
    Interruption().listen()
    assert taken == [signal.SIGTERM]


@contextlib.contextmanager
def standard_output(stream: TextIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a file that takes nothing stand in for standard output, and close it without a word."""
    monkeypatch.setattr(sys, "stdout", stream)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            stream.close()


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "-q", "--json", "-"], ["--help"]])
def test_a_full_standard_output_is_told(
    arguments: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standard_output(Path("/dev/full").open("w"), monkeypatch):
        outcome = command(*arguments)
        assert (outcome.code, outcome.error) == (2, "standard output cannot be written: No space left on device")


def test_a_closed_standard_output_is_told_before_any_work(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrdeploy.machine_report.inspect_machine", lambda: pytest.fail("work was begun"))
    monkeypatch.setattr(sys, "stdout", None)
    for arguments in (["doctor"], ["doctor", "--json", "-", "--quiet"]):
        outcome = command(*arguments)
        assert outcome.code == 2
        assert outcome.error.startswith("standard output cannot be written: it is closed")


def test_what_goes_to_a_file_is_written_when_standard_output_is_not(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "doctor.json"
    with standard_output(Path("/dev/full").open("w"), monkeypatch):
        outcome = command("doctor", "--json", path)
        assert (outcome.code, outcome.error) == (2, "standard output cannot be written: No space left on device")
    assert json.loads(path.read_text())["command"] == "doctor"


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "-q", "--json", "-"], ["doctor", "--json", "d.json"]])
def test_a_reader_that_has_seen_enough_is_no_fault(
    arguments: list[str], command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    with standard_output(os.fdopen(writer, "w"), monkeypatch):
        outcome = command(*arguments)
        assert (outcome.code, outcome.err) == (0, "")
    if "d.json" in arguments:
        assert json.loads(Path("d.json").read_text())["command"] == "doctor"


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
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "evaluation.md", "boxes.png", "reading.png"}
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["passed"]
    assert [row["backend"] for row in document["rows"]] == ["torch", "onnxruntime"]
    assert {"MUSIC", "FRESH", "JULY"} <= set(document["words"])
    assert "| hmean-iou:hmean | 0.9726 | 0.9726 |" in (folder / "evaluation.md").read_text()


@pytest.mark.parametrize("options", [[], ["--output-folder", "ocrdeploy-demo"]])
def test_a_file_in_place_of_the_demos_folder_is_named(
    options: list[str], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ocrdeploy-demo").touch()
    outcome = command("demo", *options)
    assert (outcome.code, outcome.error.endswith("ocrdeploy-demo is no folder")) == (2, True)


def test_an_error_that_nobody_reads_keeps_its_exit_code() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        command = [sys.executable, "-m", "ocrdeploy", "predict", "nothere.onnx", "a.jpg"]
        assert subprocess.run(command, stderr=nobody, check=False).returncode == 2
