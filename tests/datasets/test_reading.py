from pathlib import Path
from typing import Any

import msgspec
import pytest

from ocrdeploy.datasets import read_dataset, require_whole
from ocrdeploy.metrics import HmeanIou, RecognitionMetric
from ocrdeploy.model_spec import (
    AnnFileLoader,
    Dataset,
    IcdarDataset,
    LineJsonParser,
    LineStrParser,
    OCRDataset,
    TextDetDataset,
)
from tests.support.annotations import as_lists
from tests.support.dataset_cases import LMDB_ENTRIES, dataset_configs, make_lmdb
from tests.support.recordings import as_detections, read_json

TOLERANCE = 1e-9  # ratios of counts


@pytest.mark.filterwarnings("ignore:.*the text is cut", "ignore:.*belong to no image")
@pytest.mark.parametrize("name", dataset_configs())
def test_equals_mmocr(name: str, data_dir: Path, tmp_path: Path) -> None:
    config = dict(dataset_configs()[name])
    ann_file = config["ann_file"]
    if ann_file in LMDB_ENTRIES:
        path = make_lmdb(tmp_path / ann_file, LMDB_ENTRIES[ann_file])
    else:
        path = data_dir / "datasets" / ann_file
    # The spec's records are named and tagged as MMOCR's configs are.
    samples = read_dataset(msgspec.convert({**config, "ann_file": str(path)}, Dataset))
    expected = read_json(data_dir / "datasets/mmocr.json")[name]
    assert expected
    assert as_lists(samples) == expected
    assert as_lists(samples) == expected, "samples can be gone through again"
    assert len(samples) == len(expected)


def open_toy(folder: Path, kind: str) -> Dataset:
    if kind == "IcdarDataset":
        return IcdarDataset(str(folder / "instances_test.json"), str(folder / "imgs"))
    parser = LineJsonParser(("file_name", "height", "width", "annotations"))
    return TextDetDataset(str(folder / "instances_test.txt"), AnnFileLoader(parser), str(folder / "imgs"))


def check_metric(dataset: Dataset, recorded: Any) -> None:
    metric = HmeanIou()
    for sample in require_whole(read_dataset(dataset)):
        assert not isinstance(sample.truth, str | None)
        metric.add(as_detections(recorded["results"][Path(sample.name).name]), sample.truth)
    assert metric.result() == pytest.approx(recorded["metric"], abs=TOLERANCE)


@pytest.mark.parametrize("kind", ["IcdarDataset", "TextDetDataset"])
def test_mmocrs_results_have_mmocrs_metric(kind: str, data_dir: Path) -> None:
    toy = open_toy(data_dir / "datasets/toy_dataset", kind)
    check_metric(toy, read_json(data_dir / "metrics/dbnet_results.json.gz"))


@pytest.mark.parametrize("kind", ["IcdarDataset", "TextDetDataset"])
@pytest.mark.parametrize("network", ["dbnet", "panet", "psenet"])
def test_mmocrs_results_have_mmocrs_metric_in_full_recordings(network: str, kind: str, extra_data_dir: Path) -> None:
    toy = open_toy(extra_data_dir / "data/toy_dataset", kind)
    check_metric(toy, read_json(extra_data_dir / f"golden/end_to_end/{network}.json"))


def test_mmocrs_texts_have_mmocrs_metric(data_dir: Path) -> None:
    recorded = read_json(data_dir / "metrics/crnn_results.json.gz")
    metric = RecognitionMetric()
    loader = AnnFileLoader(LineStrParser())
    for sample in require_whole(read_dataset(OCRDataset(str(data_dir / "datasets/ocr_toy_dataset/label.txt"), loader))):
        assert isinstance(sample.truth, str)
        metric.add(recorded["results"][sample.name]["text"], sample.truth)
    assert metric.result() == recorded["metric"]
