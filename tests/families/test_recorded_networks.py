"""Every official network of both generations: its weights' keys, and what it computes, are those of the real MMOCR."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network, neutral_key
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Recognition
from ocrdeploy.running.models import open_predictor, open_torch
from tests.support.deform_conv import needs_deform_conv
from tests.support.zoo import META, RECORDED, SAME_NETWORK, OfficialModel, logarithms, words, write_dictionary

MAP_TOLERANCE = 1e-4
"""Of a detector's largest magnitude: PyTorch, ONNX Runtime and the recording add up in other orders."""
LOGARITHM_TOLERANCE = 1e-3
"""Of the logarithm of a character's probability, for the same reason."""
CONSTANT_TOLERANCE = 1e-6
"""Of a table's largest magnitude: other libraries round sines and inverses otherwise."""

DEFORM_CONV_OPSET = 19

FAST = ("svtr-tiny_20e_st_mj", "crnn_academic_dataset")
"""Networks that every run of the tests looks at."""

FULL_SIZE = [pytest.param(each, marks=() if each.name in FAST else pytest.mark.slow) for each in RECORDED]


@pytest.fixture(autouse=True)
def dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the dictionary that one of the configs names."""
    monkeypatch.chdir(tmp_path)
    write_dictionary(tmp_path)


@pytest.mark.parametrize("model", RECORDED + SAME_NETWORK, ids=str)
def test_checkpoints_have_the_keys_and_tables_of_the_network(model: OfficialModel, extra_data_dir: Path) -> None:
    config = load_config(model.config(extra_data_dir))
    own = build_network(config).state_dict()
    expected_keys = {neutral_key(key, config): shape for key, shape in model.keys(extra_data_dir)}
    assert {key: tuple(value.shape) for key, value in own.items()} == expected_keys
    for name, expected in model.constants(extra_data_dir).items():
        key = neutral_key(name, config)
        allowed = CONSTANT_TOLERANCE * np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected)).max()
        np.testing.assert_allclose(own[key].numpy(), expected, rtol=0, atol=allowed, err_msg=key)


@pytest.mark.parametrize("model", FULL_SIZE, ids=str)
def test_pytorch_and_onnx_runtime_compute_what_mmocr_does(
    model: OfficialModel, extra_data_dir: Path, tmp_path: Path
) -> None:
    config, checkpoint = model.config(extra_data_dir), tmp_path / "seeded.pth"
    weights = model.weights(extra_data_dir, load_config(config))
    torch.save({"meta": META[model.generation], "state_dict": weights}, checkpoint)
    report = export_model(ExportRequest(config, checkpoint, tmp_path / "model.onnx", dynamic=True))
    with open_torch(config, checkpoint) as reference, open_predictor(report.path) as candidate:
        for recorded in runs(model.recording(extra_data_dir)):
            check(reference, recorded)
            check(candidate, recorded)
            for place in range(len(recorded["input"])):
                check(candidate, {name: values[place : place + 1] for name, values in recorded.items()})


@needs_deform_conv
@pytest.mark.slow
@pytest.mark.parametrize("model", [each for each in RECORDED if "dcnv2" in each.name], ids=str)
def test_onnxs_own_deformable_convolution_computes_it_too(
    model: OfficialModel, extra_data_dir: Path, tmp_path: Path
) -> None:
    config, checkpoint = model.config(extra_data_dir), tmp_path / "seeded.pth"
    weights = model.weights(extra_data_dir, load_config(config))
    torch.save({"meta": META[model.generation], "state_dict": weights}, checkpoint)
    request = ExportRequest(config, checkpoint, tmp_path / "model.onnx", dynamic=True, opset=DEFORM_CONV_OPSET)
    with open_predictor(export_model(request).path) as candidate:
        for recorded in runs(model.recording(extra_data_dir)):
            check(candidate, recorded)


def runs(recording: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield what was recorded of each batch, by names without its number."""
    for index in range(sum(name.startswith("input") for name in recording)):
        yield {
            f"{name}{rest}": values
            for key, values in recording.items()
            for name, _, rest in [key.partition(str(index))]
            if name in ("input", "output", "valid_ratio", "text")
        }


def check(predictor: Predictor, recorded: dict[str, NDArray[Any]]) -> None:
    """Compare what a network gives for a batch with what was recorded."""
    outputs = predictor.infer({tensor.name: recorded[tensor.name] for tensor in predictor.spec.inputs})
    expected = [values for name, values in recorded.items() if name.startswith("output")]
    if predictor.spec.task == "det":
        for tensor, maps in zip(predictor.spec.outputs, expected, strict=True):
            # DBNet's first map alone is read; MMOCR 1.x has no dimension for it.
            wanted = maps[:, None] if maps.ndim == 3 else maps[:, : outputs[tensor.name].shape[1]]
            allowed = MAP_TOLERANCE * np.abs(wanted).max()
            np.testing.assert_allclose(outputs[tensor.name], wanted, rtol=0, atol=allowed)
        return
    (output,), (scores,) = outputs.values(), expected
    np.testing.assert_allclose(logarithms(output), logarithms(scores), rtol=0, atol=LOGARITHM_TOLERANCE)
    results = predictor.spec.postprocessing.decode(outputs, words(recorded["input"], recorded["valid_ratio"]))
    assert [each.text for each in results if isinstance(each, Recognition)] == recorded["text"].tolist()
