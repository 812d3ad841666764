import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.backends.onnx_installation import BUILDS, describe_conflict, installed_builds, missing_runtime

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    def make(*names: str) -> None:
        monkeypatch.setattr(sys, "path", [str(tmp_path), "/no/such/folder"])
        for name in names:
            (tmp_path / f"{name.replace('-', '_')}-1.31.0.dist-info").mkdir()

    return make


@pytest.mark.parametrize("names", [(), ("onnxruntime",), ("onnxruntime-gpu",)])
def test_one_build_or_none_is_no_conflict(names: tuple[str, ...], install: Install) -> None:
    install(*names)
    assert describe_conflict(1) == ""


@pytest.mark.parametrize(("gpus", "extra"), [(0, "cpu"), (1, "gpu")])
def test_two_builds_are_told_with_the_two_commands_that_mend_it(gpus: int, extra: str, install: Install) -> None:
    install("onnxruntime", "onnxruntime-gpu")
    text = describe_conflict(gpus)
    assert "onnxruntime-gpu and onnxruntime are both installed" in text
    assert f'pip uninstall -y onnxruntime-gpu onnxruntime, then: pip install "ocrdeploy[{extra}]"' in text


def test_a_missing_runtime_names_both_extras() -> None:
    error = missing_runtime()
    assert error.exit_code == 3
    assert '"ocrdeploy[cpu]"' in str(error)
    assert '"ocrdeploy[gpu]"' in str(error)


def test_what_is_told_is_what_pip_installed() -> None:
    installed = {each.metadata["Name"].lower() for each in importlib.metadata.distributions()}
    assert set(installed_builds()) == installed & set(BUILDS)


@pytest.mark.parametrize("left", ["None", "types.ModuleType('onnxruntime')"])
def test_without_a_runtime_a_command_that_needs_one_exits_with_3(left: str, sample_onnx: Path) -> None:
    """Also where two builds were installed and one was removed, which leaves an empty package."""
    program = (
        f"import sys, types\nsys.modules['onnxruntime'] = {left}\nfrom ocrdeploy.cli.main import run\n"
        f"sys.exit(run(['predict', {str(sample_onnx)!r}, 'image.jpg']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("ocrdeploy: error: onnxruntime is needed to run ONNX models, and it is not installed")
    _, hint = done.stderr.splitlines()
    assert hint.startswith('hint: Install it with: pip install "ocrdeploy[cpu]"')
