from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrdeploy import open_predictor
from ocrdeploy.verification import network_values
from ocrdeploy.verification.non_finite import first_non_finite
from tests.support.faults import changed_weight, plant

NODE = "/backbone/layer2/layer2.0/conv1/Conv"
BATCH = np.ones((1, 3, 64, 64), np.float32)


def test_the_first_node_of_a_graph_is_found(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = plant(seeded_onnx("dbnet"), tmp_path, changed_weight(NODE, factor=np.nan))
    with open_predictor(model) as predictor:
        found = first_non_finite(predictor, BATCH)
    assert found is not None
    assert (found.node, found.operator) == (NODE, "Conv")


def test_groups_of_values_make_no_difference(
    seeded_onnx: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_values, "MAX_GROUP_VALUES", 200_000)
    test_the_first_node_of_a_graph_is_found(seeded_onnx, tmp_path)


def test_the_first_layer_of_a_network_is_found(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = seeded_onnx("dbnet")
    state = torch.load(model.with_suffix(".pth"), weights_only=True)["state_dict"]
    state["backbone.layer2.0.conv1.weight"][0] = torch.inf
    checkpoint = tmp_path / "a.pth"
    torch.save(state, checkpoint)
    with open_predictor(checkpoint, config=model.with_suffix(".py")) as predictor:
        found = first_non_finite(predictor, BATCH)
    assert found is not None
    assert found.module == "backbone.layer2.0.conv1"


def test_a_network_of_finite_values_has_none(seeded_onnx: Callable[[str], Path]) -> None:
    with open_predictor(seeded_onnx("dbnet")) as predictor:
        assert first_non_finite(predictor, BATCH) is None
