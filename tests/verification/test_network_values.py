from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.verification import network_values
from ocrdeploy.verification.network_values import in_groups, module_of, values_of
from tests.support.batches import batch_of


@pytest.mark.parametrize(
    ("node", "module"),
    [
        ("/backbone/layer1/layer1.0/conv1/Conv", "backbone.layer1.0.conv1"),
        ("/neck/lateral_convs.0/conv/Conv", "neck.lateral_convs.0.conv"),
        ("/decoder/decoder/decoder.0/rnn/LSTM", "decoder.decoder.0.rnn"),
        ("/bbox_head/binarize/binarize.6/ConvTranspose", "bbox_head.binarize.6"),
        ("/neck/Resize_1", "neck"),
        ("/Add", ""),
        ("Conv_12", ""),
        ("", ""),
    ],
)
def test_a_nodes_name_tells_its_module(node: str, module: str) -> None:
    assert module_of(node) == module


def test_the_libraries_of_a_model_are_loaded_for_its_values_too(
    small_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(
        onnxruntime.SessionOptions, "register_custom_ops_library", lambda _options, path: loaded.append(path)
    )
    library = small_onnx.with_suffix(".so")
    library.write_bytes(b"")
    batch = batch_of(np.zeros((1, 3, 32, 32), np.float32))
    with open_predictor(small_onnx, custom_ops=[library]) as predictor:
        values = values_of(predictor)
        before = len(loaded)
        values.compute(batch, values.list(batch)[-1:])
    assert loaded[before:] == [str(library.resolve())]


def test_groups_hold_what_fits_and_at_least_one_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_values, "MAX_GROUP_VALUES", 5)
    assert list(in_groups([9, 2, 3, 1], lambda size: size)) == [[9], [2, 3], [1]]
    assert list(in_groups([], len)) == []


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_both_kinds_of_networks_list_and_compute_their_values(backend: str, small_onnx: Path) -> None:
    batch = batch_of(np.random.default_rng(0).standard_normal((1, 3, 32, 64), dtype=np.float32))
    with open_predictor(small_onnx, backend=backend) as predictor:
        values = values_of(predictor)
        listed = values.list(batch)
        last = listed[-1]
        assert last.node.startswith("/bbox_head/binarize/binarize.7")
        assert last.module == "bbox_head.binarize.7"
        assert last.size == 32 * 64
        computed = values.compute(batch, [listed[0], last])
        assert set(computed) == {listed[0].key, last.key}
        assert computed[listed[0].key].size == listed[0].size
        np.testing.assert_allclose(computed[last.key], predictor.infer(batch)["prob_map"], atol=1e-6)
