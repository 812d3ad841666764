"""MMOCR 1.x's own configs, networks, tensors and results, as recorded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from ocrdeploy.cli.main import run
from ocrdeploy.descriptions.loading import ModelConfig, load_config
from ocrdeploy.results import Recognition
from ocrdeploy.running.models import open_torch
from tests.support.mmocr1_models import write_mmocr1_models

SEED = 7
LOADED = {
    "dbnet_resnet18_fpnc_100k_synthtext",
    "dbnet_resnet18_fpnc_1200e_icdar2015",
    "dbnet_resnet18_fpnc_1200e_totaltext",
    "dbnet_resnet50-dcnv2_fpnc_1200e_icdar2015",
    "dbnet_resnet50-oclip_1200e_icdar2015",
    "dbnet_resnet50_1200e_icdar2015",
    "panet_resnet18_fpem-ffm_600e_ctw1500",
    "panet_resnet18_fpem-ffm_600e_icdar2015",
    "panet_resnet50_fpem-ffm_600e_icdar2017",
    "psenet_resnet50-oclip_fpnf_600e_ctw1500",
    "psenet_resnet50-oclip_fpnf_600e_icdar2015",
    "psenet_resnet50_fpnf_600e_ctw1500",
    "psenet_resnet50_fpnf_600e_icdar2015",
    "psenet_resnet50_fpnf_600e_icdar2017",
    "crnn_mini-vgg_5e_mj",
    "crnn_mini-vgg_5e_toy",
    "svtr-base_20e_st_mj",
}

TENSOR_TOLERANCE = 1e-5
NETWORK_TOLERANCE = 1e-4
LOGARITHM_TOLERANCE = 1e-3
OVERLAP = 0.98
"""Intersection over union of two polygons of one instance, which rounding keeps from being equal."""
LINE_TOLERANCE = 0.01
"""Pixels between two lines that are one."""
METRIC_TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def zoo(extra_data_dir: Path) -> Path:
    return extra_data_dir / "golden_zoo" / "v1"


def load(zoo: Path, name: str) -> ModelConfig:
    (path,) = (zoo / "configs").rglob(f"{name}.py")
    return load_config(path)


@pytest.fixture(scope="module")
def models(extra_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small models in 1.x, with the data that their configs name."""
    folder = tmp_path_factory.mktemp("mmocr1")
    write_mmocr1_models(extra_data_dir, folder)
    return folder


def assert_one_to_one(found: list[Any], wanted: list[Any]) -> None:
    """Assert that two lists of polygons, each of shape (K, 2) or flat, have one overlapping partner for each."""
    first, second = (shapely.polygons([np.reshape(each, (-1, 2)) for each in group]) for group in (found, wanted))
    assert len(first) == len(second)
    grid = np.meshgrid(shapely.make_valid(first), shapely.make_valid(second))
    unions = shapely.area(shapely.union(*grid))
    # PSENet finds a few that are a line, without any area.
    same_lines = (shapely.hausdorff_distance(*grid) < LINE_TOLERANCE).astype(np.float64)
    overlaps = np.divide(shapely.area(shapely.intersection(*grid)), unions, out=same_lines, where=unions > 0)
    assert sorted(overlaps.argmax(axis=1).tolist()) == list(range(len(first)))
    assert (overlaps.max(axis=1) >= OVERLAP).all()


@pytest.mark.parametrize(("name", "images"), [("crnn", 10), ("dbnet", 3), ("panet", 2), ("psenet", 1)])
@pytest.mark.filterwarnings("ignore:checkpoint .* does not say which generation:ocrdeploy.errors.OcrDeployWarning")
def test_results_of_pytorch_are_those_of_mmocr(
    zoo: Path, models: Path, extra_data_dir: Path, name: str, images: int
) -> None:
    document = json.loads((zoo / "end_to_end" / f"{name}.json").read_text())
    folder = extra_data_dir / "data" / ("ocr_toy_dataset/imgs" if name == "crnn" else "toy_dataset/imgs/test")
    with open_torch(models / f"{name}.py", models / f"{name}.pth", None) as predictor:
        for file, expected in list(document["results"].items())[:images]:
            result = predictor(folder / file)
            if isinstance(result, Recognition):
                assert result.text == expected["text"]
                assert result.char_scores == pytest.approx(expected["score"], abs=1e-4)
                continue
            assert_one_to_one([each.polygon for each in result], expected["polygons"])


@pytest.mark.parametrize(
    "name",
    ["dbnet", "crnn", pytest.param("panet", marks=pytest.mark.slow), pytest.param("psenet", marks=pytest.mark.slow)],
)
@pytest.mark.filterwarnings("ignore:checkpoint .* does not say which generation:ocrdeploy.errors.OcrDeployWarning")
def test_commands_in_a_folder_give_the_results_and_metrics_of_mmocr(
    zoo: Path, models: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export and evaluate, as typed beside config, checkpoint and data, over all images that were recorded."""
    monkeypatch.chdir(models)
    assert run(["export", f"{name}.py", f"{name}.pth", "--dynamic", "-o", f"{name}.onnx", "--quiet"]) == 0
    outputs = ["--json", f"{name}.json", "--predictions", f"{name}.jsonl", "--quiet"]
    assert run(["evaluate", f"{name}.onnx", *outputs, *(["--eval", "acc"] if name == "crnn" else [])]) == 0
    recorded = json.loads((zoo / "end_to_end" / f"{name}.json").read_text())
    (row,) = json.loads(Path(f"{name}.json").read_text())["rows"]
    assert row["dataset"] == ("Toy" if name == "crnn" else "toy_dataset")
    renamed = {
        key.replace("icdar/", "hmean-iou:").removeprefix("recog/"): value for key, value in recorded["metric"].items()
    }
    assert row["metrics"] == pytest.approx(renamed, abs=METRIC_TOLERANCE)
    lines = [json.loads(line) for line in Path(f"{name}.jsonl").read_text().splitlines()]
    assert len(lines) == len(recorded["results"])
    for line in lines:
        expected = recorded["results"][Path(line["image"]).name]
        if name == "crnn":
            assert line["text"] == expected["text"]
        else:
            assert_one_to_one(line["polygons"], expected["polygons"])
