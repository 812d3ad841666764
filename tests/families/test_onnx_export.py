import functools
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.graphs.cleanup import (
    drop_zero_initial_states,
    fold_batchnorm,
    inline_shared_initializers,
)
from ocrdeploy.layers.settings import DetectorSettings, MapHeadSettings, ResNetSettings
from ocrdeploy.model_spec import Upsample
from tests.support.network_cases import AnySettings, images, network_cases, official_networks
from tests.support.networks import build_network, export_onnx, open_onnx, run_onnx, run_torch, seeded_network

RELATIVE_TOLERANCE = 1e-5
"""Of the output's largest magnitude. ONNX Runtime sums in another order, and so it does for batches."""

RECORDED_TOLERANCE = 1e-4
"""Of the output's largest magnitude. The recording was made with another version of PyTorch, and DBNet's binary map
multiplies rounding by 50."""

CASES = network_cases()
OFFICIAL = official_networks()
RESNET18 = ResNetSettings(18, base_channels=4)
NETWORKS: dict[str, AnySettings] = {
    **{name: CASES[name].settings for name in ("dbnet", "dbnet_every_option", "resnet50_v1d")},
    **{name: CASES[name].settings for name in ("fpem_ffm_twice", "fpem_ffm_align_corners")},
    "fpnf_concat": DetectorSettings(
        RESNET18, FPNFSettings(RESNET18.out_channels, 8, "concat"), MapHeadSettings((8,), 3)
    ),
    "fpnf_add": DetectorSettings(RESNET18, FPNFSettings(RESNET18.out_channels, 8, "add"), MapHeadSettings((8,), 3)),
    "crnn": CASES["crnn"].settings,
    "crnn_convolution": CASES["crnn_convolution"].settings,
}

OPERATORS = {
    "dbnet": {"Conv", "Relu", "MaxPool", "Add", "Resize", "Concat", "ConvTranspose", "Sigmoid"},
    "dbnet_every_option": {"Conv", "Relu", "MaxPool", "Add", "Resize", "Concat", "ConvTranspose", "Sigmoid"},
    "resnet50_v1d": {"Conv", "Relu", "MaxPool", "AveragePool", "Add", "Resize", "Concat"},
    "fpem_ffm_twice": {"Conv", "Relu", "MaxPool", "Add", "Resize", "Concat"},
    "fpem_ffm_align_corners": {"Conv", "Relu", "MaxPool", "Add", "Resize", "Concat"},
    "fpnf_concat": {"Conv", "Relu", "MaxPool", "Add", "Resize", "Concat"},
    "fpnf_add": {"Conv", "Relu", "MaxPool", "Add", "Resize"},
    "crnn": {"Conv", "Relu", "MaxPool", "Squeeze", "Transpose", "LSTM", "Reshape", "MatMul", "Add"},
    "crnn_convolution": {"Conv", "LeakyRelu", "MaxPool", "Squeeze", "Transpose"},
}
"""Exactly what each graph consists of, beside constants."""

MODELS = [(name, "nearest") for name in NETWORKS] + [
    (name, "bilinear") for name in ("dbnet", "fpem_ffm_twice", "fpnf_concat")
]


@functools.cache
def exported(name: str, upsample: Upsample) -> onnx.ModelProto:
    """Return the model of a network, exported with one image of its first size."""
    settings = NETWORKS[name]
    sample = images("export", (1, *input_shape(settings, 0)))
    model = export_onnx(seeded_network(settings, upsample=upsample), sample)
    fold_batchnorm(model)
    drop_zero_initial_states(model)
    inline_shared_initializers(model)
    return model


def input_shape(settings: AnySettings, index: int) -> tuple[int, int, int]:
    """Return channels, height and width of one image, of two sizes."""
    if isinstance(settings, DetectorSettings):
        return settings.backbone.in_channels, *((64, 96), (96, 32))[index]
    return settings.backbone.input_channels, 32, (100, 40)[index]


def assert_close(actual: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= RELATIVE_TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(("name", "upsample"), MODELS)
def test_models_are_plain_and_equal_their_networks(name: str, upsample: Upsample) -> None:
    settings = NETWORKS[name]
    model = exported(name, upsample)
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} - {"Constant"} == OPERATORS[name]
    network = seeded_network(settings, upsample=upsample)
    session = open_onnx(model)
    for index in range(2):
        batch = images(name, (3, *input_shape(settings, index)))
        together = run_onnx(session, batch)
        assert_close(together, run_torch(network, batch))
        for place in range(3):
            assert_close(run_onnx(session, batch[place : place + 1]), together[place : place + 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFICIAL)
def test_full_size_models_give_the_outputs_of_mmocr(name: str, extra_data_dir: Path) -> None:
    with np.load(extra_data_dir / "golden" / "networks" / f"{name}.npz") as arrays:
        recorded = dict(arrays)
    model = export_onnx(seeded_network(OFFICIAL[name], all_outputs=True), recorded["input0"][:1])
    fold_batchnorm(model)
    drop_zero_initial_states(model)
    session = open_onnx(model)
    for index in range(len(recorded) // 2):
        expected = recorded[f"output{index}"]
        difference = np.abs(run_onnx(session, recorded[f"input{index}"]) - expected).max()
        assert difference <= RECORDED_TOLERANCE * np.abs(expected).max()


def resizes(model: onnx.ModelProto) -> Counter[tuple[str, str, str]]:
    """Return how often there is a resize of each mode, coordinate transformation and rounding."""
    found: Counter[tuple[str, str, str]] = Counter()
    for node in model.graph.node:
        if node.op_type == "Resize":
            options = {each.name: each.s.decode() for each in node.attribute}
            rounding = options["nearest_mode"] if options["mode"] == "nearest" else ""
            found[options["mode"], options["coordinate_transformation_mode"], rounding] += 1
    return found


NEAREST = ("nearest", "asymmetric", "floor")
LINEAR = ("linear", "half_pixel", "")


@pytest.mark.parametrize(
    ("name", "upsample", "expected"),
    [
        ("dbnet", "nearest", {NEAREST: 6}),
        ("dbnet", "bilinear", {LINEAR: 6}),
        ("fpnf_concat", "nearest", {NEAREST: 5}),
        ("fpem_ffm_twice", "nearest", {NEAREST: 6, LINEAR: 3}),
        ("fpem_ffm_twice", "bilinear", {LINEAR: 9}),
        ("fpem_ffm_align_corners", "nearest", {NEAREST: 6, ("linear", "align_corners", ""): 3}),
    ],
)
def test_every_resize_samples_the_pixels_that_pytorch_samples(
    name: str, upsample: Upsample, expected: dict[tuple[str, str, str], int]
) -> None:
    # The exporter writes an enlargement that is needed twice only once.
    model = exported(name, upsample)
    assert resizes(model) == expected


def test_crnn_has_two_lstms_and_no_initial_state() -> None:
    model = exported("crnn", "nearest")
    counts = Counter(node.op_type for node in model.graph.node)
    assert (counts["LSTM"], counts["Transpose"]) == (2, 4)
    assert all(len(node.input) == 4 for node in model.graph.node if node.op_type == "LSTM")


def test_all_outputs_are_exported_when_asked() -> None:
    settings = NETWORKS["dbnet"]
    network = seeded_network(settings, all_outputs=True)
    batch = images("dbnet", (2, 3, 32, 64))
    model = export_onnx(network, batch[:1])
    fold_batchnorm(model)
    output = run_onnx(open_onnx(model), batch)
    assert output.shape == (2, 3, 32, 64)
    # The binary map multiplies rounding by 50.
    assert np.abs(output - run_torch(network, batch)).max() <= 50 * RELATIVE_TOLERANCE


@pytest.mark.parametrize("opset", [11, 20])
@pytest.mark.parametrize("name", ["fpem_ffm_twice", "crnn"])
def test_oldest_and_newest_opset(name: str, opset: int) -> None:
    settings = NETWORKS[name]
    network = seeded_network(settings)
    batch = images(name, (2, *input_shape(settings, 1)))
    model = export_onnx(network, batch[:1], opset)
    fold_batchnorm(model)
    drop_zero_initial_states(model)
    assert {node.op_type for node in model.graph.node} - {"Constant"} == OPERATORS[name]
    assert_close(run_onnx(open_onnx(model), batch), run_torch(network, batch))


def test_equal_parameters_leave_no_identities() -> None:
    # Fresh networks have many biases that are all zero.
    network = build_network(NETWORKS["fpnf_concat"]).eval()
    batch = images("fresh", (1, 3, 32, 32))
    model = export_onnx(network, batch)
    assert any(node.op_type == "Identity" for node in model.graph.node)
    inline_shared_initializers(model)
    assert not any(node.op_type == "Identity" for node in model.graph.node)
    assert_close(run_onnx(open_onnx(model), batch), run_torch(network, batch))
