"""What can be imported from `ocrdeploy` itself."""

import subprocess
import sys

import pytest

import ocrdeploy

HEAVY = ("torch", "onnxruntime", "onnx", "cv2", "numpy", "typer", "rich", "tensorrt_rtx")


@pytest.mark.parametrize("name", ocrdeploy.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in dir(ocrdeploy)
    assert getattr(ocrdeploy, name) is not None


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ocrdeploy.nothing  # noqa: B018


def test_every_error_is_a_public_name() -> None:
    from ocrdeploy import errors

    kinds = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert [name for name in kinds if issubclass(getattr(errors, name), Exception) and name not in dir(ocrdeploy)] == []


def test_the_names_alone_import_nothing_heavy() -> None:
    program = f"import ocrdeploy, sys; dir(ocrdeploy); sys.exit(any(name in sys.modules for name in {HEAVY}))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", ["export_model", "verify", "evaluate", "build_engine", "open_predictor"])
def test_functions_import_pytorch_only_when_they_are_called(name: str) -> None:
    program = f"import ocrdeploy, sys; ocrdeploy.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
