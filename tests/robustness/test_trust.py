"""--trust-checkpoint on every command that reads a checkpoint: nothing is run without it, and with it the file is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ocrdeploy.checkpoints.state_dict import read_state_dict
from ocrdeploy.checkpoints.trusted import load_trusted
from ocrdeploy.cli.main import run
from ocrdeploy.errors import CheckpointError
from tests.robustness.case import Place
from tests.robustness.cases_checkpoints import BY_EVAL, beside_weights, marker

COMMANDS = {
    "export": "export {config} {input} -q",
    "predict": "predict {input} {image} --config {config} -q",
    "predict from the model": "predict {model} {image} --backend torch --config {config} --checkpoint {input} -q",
    "evaluate": "evaluate {input} --config {config} --ann-file {ann} --img-prefix {imgs} -q",
    "verify": "verify {input} --reference {model} --config {config} --images {image} -q",
    "verify against PyTorch": "verify {model} --config {config} --checkpoint {input} --images {image} -q",
    "benchmark": "benchmark {input} --config {config} --count 1 --rounds 1 -q",
}


@pytest.fixture(scope="module")
def own_model(models: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the small DBNet, whose config and checkpoint the rows use."""
    path = tmp_path_factory.mktemp("own") / "own.onnx"
    assert run(["export", str(models.config), str(models.weights), "--dynamic", "-q", "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_only_with_the_option_is_code_run(
    command: str, place: Place, own_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = beside_weights(BY_EVAL)(place)
    names = {name: getattr(place, name) for name in ("config", "imgs", "ann", "image")}
    words = [word.format(input=checkpoint, model=own_model, **names) for word in command.split()]
    # verify may find a difference between the upsampling of an export and that of training: it reads all the same.
    assert run(words) in (0, 1)
    assert not marker(place).exists()
    assert "trust" not in capsys.readouterr().err
    assert run([*words, "--trust-checkpoint"]) in (0, 1)
    assert marker(place).exists()
    err = capsys.readouterr().err.splitlines()
    assert err[0] == ("warning: --trust-checkpoint: the code that the checkpoint holds is run with your permissions")


def test_what_is_refused_as_data_is_read_if_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    state = {
        "sparse": torch.eye(3).to_sparse(),
        "array": np.arange(3.0),
        "parameter": torch.nn.Parameter(torch.ones(1)),
        "words": "left out",
    }
    torch.save({"state_dict": state}, path)
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        read_state_dict(path)
    read = read_state_dict(path, trust=True)
    assert list(read) == ["sparse", "array", "parameter"]
    assert torch.equal(read["sparse"], torch.eye(3))
    assert read["array"].tolist() == [0, 1, 2]
    assert not read["parameter"].requires_grad


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "holds a list and no state dict"),
        ({"state_dict": {}}, "holds no tensors in its state dict"),
        ({"a": 1}, "holds no tensors in its state dict"),
    ],
)
def test_trust_makes_no_weights(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        load_trusted(path)


def test_trust_does_not_mend_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"hello")
    with pytest.raises(CheckpointError, match=r"cannot be loaded by PyTorch: UnpicklingError: ") as caught:
        load_trusted(path)
    assert "\n" not in caught.value.message


def test_a_checkpoint_that_ends_the_program_does_not(tmp_path: Path) -> None:
    from tests.support.checkpoints import Reduced, dump, write_pickle

    path = write_pickle(dump({"state_dict": Reduced(exit, 3)}), tmp_path / "a.pth", "zip")
    with pytest.raises(CheckpointError, match=r"cannot be loaded by PyTorch: SystemExit: 3"):
        load_trusted(path)
