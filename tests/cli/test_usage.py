"""Command lines that cannot be understood: the usage line, what is wrong, and what was probably meant."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.cli.intents import COMMANDS, OPTIONS, command_for
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("convert a.py a.pth", "there is no command 'convert'", "Did you mean: ocrdeploy export a.py a.pth"),
        ("val m.onnx", "there is no command 'val'", "Did you mean: ocrdeploy evaluate m.onnx"),
        ("ocr d.onnx r.onnx a.png", "there is no command 'ocr'", "Did you mean: ocrdeploy read d.onnx r.onnx a.png"),
        ("exprot a b", "there is no command 'exprot'", "Did you mean: ocrdeploy export a b"),
        ("xyzzy", "there is no command 'xyzzy'", "ocrdeploy --help tells what there is."),
        ("m.onnx", "a command was expected before m.onnx", "For example: ocrdeploy predict m.onnx photo.jpg"),
        ("--quiet doctor", "ocrdeploy has no option --quiet", "Options stand behind the command: "),
        ("export a b --half", "export has no option --half", "ocrdeploy build-engine MODEL.onnx --fp16"),
        ("build-engine m.onnx --half", "build-engine has no option --half", "float16 is --fp16."),
        ("evaluate --conf=0.5", "evaluate has no option --conf", "--score-thr X"),
        ("predict m.onnx a.png --imgsz 640", "predict has no option --imgsz", "--shape 1x3x640x640"),
        ("verify m.onnx --count 3", "verify has no option --count", "--count is an option of benchmark."),
        ("evaluate --bakend torch", "evaluate has no option --bakend", "Did you mean --backend?"),
        (
            "export --config a.py --checkpoint=b.pth",
            "export has no option --config",
            "Config and checkpoint stand without options: ocrdeploy export a.py b.pth",
        ),
        ("predict", "predict needs MODEL: ONNX model or TensorRT engine, or a checkpoint with --config", ""),
        ("predict m.onnx", "predict needs IMAGE: image files, folders of them, or patterns", ""),
        ("benchmark --count abc", "--count is a whole number, got abc", ""),
        ("benchmark --count=0", "--count is at least 1, got 0", ""),
        ("evaluate --score-thr x", "--score-thr is a number, got x", ""),
        ("export a b --upsample cubic", "--upsample is one of nearest, bilinear, got cubic", ""),
        ("export a b --shape 1 x 2 2", "--shape is a whole number, got 1 x 2 2", ""),
        ("build-engine m.onnx --min-shape 1 2", "--min-shape takes four numbers, N C H W, such as 1 3 640 640", ""),
        ("evaluate --fail-under", "--fail-under needs a value: --fail-under NAME=VALUE", ""),
        ("doctor x", "doctor takes no further argument, got x", ""),
    ],
)
def test_wrong_usage_shows_the_usage_line_and_what_was_meant(
    line: str, error: str, hint: str, command: Command
) -> None:
    outcome = command(*line.split())
    assert outcome.code == 2
    usage, said, meant = outcome.misuse
    name = line.split(maxsplit=1)[0]
    assert usage.startswith(f"Usage: ocrdeploy {name} [OPTIONS]" if name in COMMANDS else "Usage: ocrdeploy [OPTIONS]")
    assert said.startswith(error)
    assert (hint or "--help tells what there is.") in meant


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        (
            "evaluate dbnet.py dbnet.pth",
            "dbnet.py is a config, and a model was expected",
            "Name it with --config: ocrdeploy evaluate dbnet.pth --config dbnet.py",
        ),
        (
            "predict dbnet.py a.png",
            "dbnet.py is a config, and a model was expected",
            "Name it with --config: ocrdeploy predict CHECKPOINT --config dbnet.py",
        ),
        (
            "evaluate m.onnx --backend torch onnxruntime",
            "onnxruntime is a backend, and a model was expected",
            "Backends are named with --backend, several with commas: --backend onnxruntime",
        ),
        (
            "benchmark torch onnxruntime",
            "torch and onnxruntime are backends, and a model was expected",
            "Backends are named with --backend, several with commas: --backend torch,onnxruntime",
        ),
    ],
)
def test_what_stands_in_the_place_of_a_model_is_named(line: str, error: str, hint: str, command: Command) -> None:
    outcome = command(*line.split())
    assert (outcome.code, outcome.error) == (2, f"{error}. {hint}")


def test_a_file_that_is_called_as_a_backend_is_a_file(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("torch").touch()
    assert command("verify", "torch").error.startswith("torch is not a model: its name should end with")


def test_words_of_other_tools_lead_to_commands_that_exist() -> None:
    from tests.cli.test_help_page import GROUP

    assert set(COMMANDS) <= set(GROUP.commands)
    assert {name for name in OPTIONS if name} <= set(GROUP.commands)
    assert command_for("pytorch2onnx", list(GROUP.commands)) == "export"


@pytest.mark.parametrize("name", [name for name in OPTIONS if name])
def test_a_hint_is_for_an_option_that_the_command_does_not_have(name: str) -> None:
    from tests.cli.test_help_page import GROUP

    own = {option for parameter in GROUP.commands[name].params for option in parameter.opts}
    assert own & set(OPTIONS[name]) == set()
