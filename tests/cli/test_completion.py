"""Completion in shells: commands, options, and the values that are known."""

import os
import subprocess
import sys

import pytest

from ocrdeploy.cli.options import complete_backend, complete_device


def complete(words: str, shell: str) -> str:
    """Return what a shell is told, as its script asks for it."""
    environment = {
        **os.environ,
        "_OCRDEPLOY_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    line = [sys.executable, "-m", "ocrdeploy"]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    assert "evaluate" in complete("ocrdeploy ev", shell)
    assert "--reference" in complete("ocrdeploy verify --ref", shell)
    assert "onnxruntime" in complete("ocrdeploy evaluate --backend o", shell)


def test_backends_behind_commas_are_completed() -> None:
    assert complete_backend("torch,") == ["torch,onnxruntime", "torch,openvino", "torch,tensorrt"]
    assert complete_backend("x") == []
    assert complete_device("cu") == ["cuda", "cuda:0"]
