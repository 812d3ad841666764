import ast
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ocrdeploy.mmocr_reference import worker
from ocrdeploy.mmocr_reference.worker import main, mmocr0, mmocr1
from ocrdeploy.mmocr_reference.worker.errors import WorkerError
from ocrdeploy.mmocr_reference.worker.exporting import refuse_deformable
from ocrdeploy.mmocr_reference.worker.weights import load_weights

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in Path(worker.__file__).parent.glob("*.py")}
OWN_STACK = {"cv2", "mmcv", "mmdet", "mmengine", "mmocr", "numpy", "torch"}


def imported_names() -> set[str]:
    found = set()
    for node in (node for source in SOURCES.values() for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                # Of the package itself, which is all that the other interpreter finds of ours.
                assert node.level == 1
                assert f"{node.module}.py" in SOURCES
            else:
                found.add(str(node.module).split(".")[0])
    return found


def test_the_worker_needs_nothing_but_mmocrs_own_stack() -> None:
    import sys

    assert imported_names() - set(sys.stdlib_module_names) == OWN_STACK


def test_the_worker_is_written_for_old_interpreters() -> None:
    for source in SOURCES.values():
        ast.parse(source, feature_version=(3, 8))


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
    load_weights(loaded, str(file))
    assert torch.equal(loaded.weight, network.weight)
    assert torch.equal(loaded.bias, network.bias)
    assert not (tmp_path / "made").exists()


def test_a_checkpoint_that_leaves_weights_as_they_were_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    torch.save({"weight": torch.zeros(2, 3), "more": torch.zeros(1)}, file)
    with pytest.raises(WorkerError, match="1 weights of the network are missing, the first is bias") as caught:
        load_weights(torch.nn.Linear(3, 2), str(file))
    assert caught.value.kind == "checkpoint"


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2])])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(content)
    with pytest.raises(WorkerError) as caught:
        load_weights(torch.nn.Linear(3, 2), str(file))
    assert caught.value.kind == "checkpoint"
    assert "\n" not in str(caught.value)


def test_deformable_convolutions_are_refused_by_name() -> None:
    class ModulatedDeformConv2d(torch.nn.Module):
        pass

    network = torch.nn.Sequential(torch.nn.ReLU(), ModulatedDeformConv2d())
    with pytest.raises(WorkerError, match="1 is a ModulatedDeformConv2d, which needs a custom operator"):
        refuse_deformable(network)
    refuse_deformable(torch.nn.Sequential(torch.nn.ReLU()))


def test_an_image_that_becomes_several_tensors_is_refused() -> None:
    assert mmocr0.single(["x"]) == mmocr0.single("x") == "x"
    with pytest.raises(WorkerError, match="makes 2 tensors of an image, not one"):
        mmocr0.single(["x", "y"])


def test_results_become_what_json_can_hold() -> None:
    boundary = [np.float64(1), 2, np.float32(3), 0.5]
    assert mmocr0.result_document({"boundary_result": [boundary], "filename": "x"}) == {"boundaries": [[1, 2, 3, 0.5]]}
    assert mmocr0.result_document({"text": "ab", "score": [np.float32(0.5), 1]}) == {"text": "ab", "scores": [0.5, 1]}


@pytest.mark.parametrize(("version", "newer"), [("0.6.3", False), ("1.0.1", True), ("1.0.0rc6", True), ("2.0", True)])
def test_the_generation_is_that_of_the_version(version: str, newer: bool) -> None:
    assert main.is_newer(version) == newer


PIPELINE = [{"type": "mmocr.LoadImageFromFile"}, {"type": "LoadOCRAnnotations"}, {"type": "PackTextDetInputs"}]


@pytest.mark.parametrize(
    "config",
    [
        {"test_dataloader": {"dataset": {"pipeline": PIPELINE}}},
        {"test_dataloader": [{"dataset": {"datasets": [{"pipeline": None}], "pipeline": PIPELINE}}]},
        {"val_dataloader": {"dataset": {"datasets": [{"pipeline": PIPELINE}], "pipeline": None}}},
        {"test_dataloader": None, "test_pipeline": PIPELINE},
    ],
)
def test_the_test_pipeline_of_mmocr_1x_is_found_and_reads_no_labels(config: dict[str, Any]) -> None:
    steps = mmocr1.test_pipeline(config)
    assert [step["type"] for step in steps] == ["mmocr.LoadImageFromFile", "PackTextDetInputs"]


def test_results_of_mmocr_1x_become_what_json_can_hold() -> None:
    found = SimpleNamespace(polygons=[np.array([1, 2, 3, 4], np.float32)], scores=torch.tensor([0.5]))
    read = SimpleNamespace(item="ab", score=[torch.tensor(0.5), 1])
    assert mmocr1.boundaries([SimpleNamespace(pred_instances=found)]) == [{"boundaries": [[1, 2, 3, 4, 0.5]]}]
    assert mmocr1.texts([SimpleNamespace(pred_text=read)]) == [{"text": "ab", "scores": [0.5, 1.0]}]
