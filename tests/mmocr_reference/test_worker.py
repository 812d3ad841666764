import ast
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocrdeploy.mmocr_reference import worker

SOURCE = Path(worker.__file__).read_text(encoding="utf-8")
OWN_STACK = {"cv2", "mmcv", "mmdet", "mmocr", "numpy", "torch"}


def imported_names() -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(str(node.module).split(".")[0])
    return found


def test_the_worker_needs_nothing_but_mmocrs_own_stack() -> None:
    import sys

    assert imported_names() - set(sys.stdlib_module_names) == OWN_STACK


def test_the_worker_is_written_for_old_interpreters() -> None:
    ast.parse(SOURCE, feature_version=(3, 8))


class Hostile:
    """Pickles itself as a call that leaves a file behind."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("newer", [True, False])
def test_a_checkpoint_gives_its_tensors_and_runs_nothing(newer: bool, tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    state = OrderedDict((f"module.{key}", value) for key, value in network.state_dict().items())
    content = {
        "meta": {"best": np.float64(0.5), "hostile": Hostile(tmp_path / "made"), "names": ("text",)},
        "state_dict": state,
        "optimizer": {"state": {0: {"step": torch.tensor(3)}}},
    }
    file = tmp_path / "checkpoint.pth"
    torch.save(content, file, _use_new_zipfile_serialization=newer)
    loaded = torch.nn.Linear(3, 2)
    worker.load_weights(loaded, str(file))
    assert torch.equal(loaded.weight, network.weight)
    assert torch.equal(loaded.bias, network.bias)
    assert not (tmp_path / "made").exists()


def test_a_checkpoint_that_leaves_weights_as_they_were_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    torch.save({"weight": torch.zeros(2, 3), "more": torch.zeros(1)}, file)
    with pytest.raises(worker.WorkerError, match="1 weights of the network are missing, the first is bias") as caught:
        worker.load_weights(torch.nn.Linear(3, 2), str(file))
    assert caught.value.kind == "checkpoint"


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2])])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(content)
    with pytest.raises(worker.WorkerError) as caught:
        worker.load_weights(torch.nn.Linear(3, 2), str(file))
    assert caught.value.kind == "checkpoint"
    assert "\n" not in str(caught.value)


def test_deformable_convolutions_are_refused_by_name() -> None:
    class ModulatedDeformConv2d(torch.nn.Module):
        pass

    network = torch.nn.Sequential(torch.nn.ReLU(), ModulatedDeformConv2d())
    with pytest.raises(worker.WorkerError, match="1 is a ModulatedDeformConv2d, which needs a custom operator"):
        worker.refuse_deformable(network)
    worker.refuse_deformable(torch.nn.Sequential(torch.nn.ReLU()))


def test_an_image_that_becomes_several_tensors_is_refused() -> None:
    assert worker.single(["x"]) == worker.single("x") == "x"
    with pytest.raises(worker.WorkerError, match="makes 2 tensors of an image, not one"):
        worker.single(["x", "y"])


def test_results_become_what_json_can_hold() -> None:
    boundary = [np.float64(1), 2, np.float32(3), 0.5]
    assert worker.result_document({"boundary_result": [boundary], "filename": "x"}) == {"boundaries": [[1, 2, 3, 0.5]]}
    assert worker.result_document({"text": "ab", "score": [np.float32(0.5), 1]}) == {"text": "ab", "scores": [0.5, 1]}
