import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.layers.settings import DetectorSettings, MapHeadSettings, ResNetSettings
from tests.support.network_cases import images, network_cases, official_networks
from tests.support.networks import build_network, run_torch, seeded_network

RELATIVE_TOLERANCE = 1e-4
"""Of the output's largest magnitude. Rounding differs between versions of PyTorch, and DBNet's binary map multiplies it
by 50."""

BATCH_TOLERANCE = 1e-5
"""Of the output's largest magnitude. Kernels for batches may sum in another order."""

CASES = network_cases()

OFFICIAL = official_networks()


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> Mapping[str, NDArray[np.float32]]:
    with np.load(data_dir / "networks" / "small.npz") as arrays:
        return dict(arrays)


def assert_close(actual: NDArray[np.float32], expected: NDArray[np.float32], relative: float) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= relative * np.abs(expected).max()


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_mmocr(name: str, recorded: Mapping[str, NDArray[np.float32]]) -> None:
    case = CASES[name]
    network = seeded_network(case.settings, upsample=case.upsample, all_outputs=True)
    for index, shape in enumerate(case.shapes):
        assert_close(run_torch(network, images(name, shape)), recorded[f"{name}-{index}"], RELATIVE_TOLERANCE)


def test_every_recording_is_used(recorded: Mapping[str, NDArray[np.float32]]) -> None:
    assert set(recorded) == {f"{name}-{index}" for name, case in CASES.items() for index in range(len(case.shapes))}


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("all_outputs", [False, True])
def test_keys_and_shapes_are_those_of_the_model_zoo(name: str, all_outputs: bool, data_dir: Path) -> None:
    with gzip.open(data_dir / "state_dicts" / f"{name}.json.gz", "rt") as stream:
        expected = json.load(stream)
    with torch.device("meta"):
        network = build_network(OFFICIAL[name], all_outputs=all_outputs)
    assert [[key, list(value.shape)] for key, value in network.state_dict().items()] == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFICIAL)
def test_full_size_outputs_are_those_of_mmocr(name: str, extra_data_dir: Path) -> None:
    network = seeded_network(OFFICIAL[name], all_outputs=True)
    with np.load(extra_data_dir / "golden" / "networks" / f"{name}.npz") as arrays:
        for index in range(len(arrays.files) // 2):
            output = run_torch(network, arrays[f"input{index}"])
            assert_close(output, arrays[f"output{index}"], RELATIVE_TOLERANCE)


@pytest.mark.parametrize("name", ["dbnet", "fpem_ffm_twice", "fpnf_add", "crnn", "crnn_convolution"])
def test_each_image_of_a_batch_has_the_output_it_has_alone(name: str) -> None:
    case = CASES[name]
    network = seeded_network(case.settings)
    batch = images(name, (3, *case.shapes[0][1:]))
    outputs = run_torch(network, batch)
    for index in range(3):
        assert_close(outputs[index : index + 1], run_torch(network, batch[index : index + 1]), BATCH_TOLERANCE)


def test_dbnet_gives_the_probability_alone_unless_asked() -> None:
    settings = CASES["dbnet"].settings
    batch = images("dbnet", (2, 3, 32, 64))
    every = run_torch(seeded_network(settings, all_outputs=True), batch)
    alone = run_torch(seeded_network(settings), batch)
    assert every.shape == (2, 3, 32, 64)
    assert alone.shape == (2, 1, 32, 64)
    np.testing.assert_array_equal(alone, every[:, :1])


def test_new_networks_are_in_evaluation_mode() -> None:
    assert not any(module.training for module in build_network(CASES["dbnet"].settings).modules())


@pytest.mark.parametrize("fusion_type", ["concat", "add"])
def test_fpnf_has_any_number_of_channels(fusion_type: str) -> None:
    backbone = ResNetSettings(18, base_channels=4)
    match fusion_type:
        case "concat":
            neck, fused = FPNFSettings(backbone.out_channels, 6, "concat"), 24
        case _:
            neck, fused = FPNFSettings(backbone.out_channels, 6, "add"), 6
    network = seeded_network(DetectorSettings(backbone, neck, MapHeadSettings((6,), 2)))
    assert network.state_dict()["neck.output_convs.conv.weight"].shape == (6, fused, 3, 3)
    assert run_torch(network, images("fpnf", (1, 3, 32, 64))).shape == (1, 2, 8, 16)


@pytest.mark.parametrize("name", ["dbnet", "fpem_ffm_twice", "fpnf_concat"])
def test_bilinear_differs_from_nearest(name: str) -> None:
    settings = CASES[name].settings
    batch = images(name, (1, 3, 32, 64))
    nearest = run_torch(seeded_network(settings), batch)
    bilinear = run_torch(seeded_network(settings, upsample="bilinear"), batch)
    assert nearest.shape == bilinear.shape
    assert np.abs(nearest - bilinear).max() > 1e-3
