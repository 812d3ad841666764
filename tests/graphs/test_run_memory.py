from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ocrdeploy.graphs.run_memory import run_bytes

FLOAT_BYTES = 4


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A chain x → a (8 channels) → b (as many) → y (1 channel), of open size."""
    weights = [
        helper.make_tensor("wide", TensorProto.FLOAT, [8, 1, 1, 1], np.ones(8, np.float32)),
        helper.make_tensor("narrow", TensorProto.FLOAT, [1, 8, 1, 1], np.ones(8, np.float32)),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "wide"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "narrow"], ["y"]),
    ]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, "h", "w"]) for name in "xy"]
    path = tmp_path / "chain.onnx"
    onnx.save_model(helper.make_model(helper.make_graph(nodes, "chain", tensors[:1], tensors[1:], weights)), path)
    return path


def test_what_is_held_at_a_time_counts(chain: Path) -> None:
    # a and b beside each other; x has gone by then.
    assert run_bytes(chain, (1, 1, 10, 10)) == 16 * 100 * FLOAT_BYTES
    assert run_bytes(chain, (2, 1, 10, 30)) == 2 * 16 * 300 * FLOAT_BYTES


@pytest.mark.parametrize("architecture", ["dbnet", "crnn"])
def test_it_grows_with_the_input(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    channels, height = (1, 32) if architecture == "crnn" else (3, 64)
    small, large = (run_bytes(seeded_onnx(architecture), (1, channels, height, width)) for width in (320, 3200))
    assert 8 * small < large < 12 * small
    assert 20 < large / (height * 3200) < 2048
