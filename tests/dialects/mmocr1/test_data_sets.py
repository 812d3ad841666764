"""A config's `test_dataloader` to data sets."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.dialects.mmocr1.data_sets import ConfigData, read_test_sets
from ocrdeploy.dialects.mmocr1.evaluator import read_evaluator
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import (
    AnnFileLoader,
    Dataset,
    FixInvalidPolygon,
    IcdarDataset,
    JsonDataset,
    LineJsonParser,
    LineStrParser,
    OCRDataset,
    Task,
)

STEPS = [{"type": "LoadImageFromFile"}]
OTHER_STEPS = [{"type": "LoadImageFromFile", "color_type": "grayscale"}]


def one(name: str = "OCRDataset", **keys: Any) -> dict[str, Any]:
    return {"type": name, "ann_file": "a.json", "pipeline": STEPS, **keys}


def read(dataset: Any, task: Task = "recog") -> ConfigData:
    return read_test_sets({"test_dataloader": {"batch_size": 1, "num_workers": 4, "dataset": dataset}}, task)


@pytest.mark.parametrize(
    ("keys", "ann_file", "images"),
    [
        ({}, "a.json", ""),
        ({"data_root": "data/x"}, "data/x/a.json", "data/x"),
        ({"data_root": None, "data_prefix": {"img_path": "imgs/"}}, "a.json", "imgs"),
        ({"data_root": "data", "data_prefix": {"img_path": "imgs/"}}, "data/a.json", "data/imgs"),
        ({"data_root": "data", "data_prefix": {"img_path": ""}}, "data/a.json", "data"),
        ({"data_root": "data", "data_prefix": {}}, "data/a.json", ""),
        ({"data_root": "data", "data_prefix": {"img_path": "/abs/imgs"}}, "data/a.json", "/abs/imgs"),
        ({"data_root": "data", "ann_file": "/abs/a.json"}, "/abs/a.json", "data"),
    ],
)
def test_paths_are_joined_as_mmengine_joins_them(keys: dict[str, Any], ann_file: str, images: str) -> None:
    assert read(one(**keys)).datasets == (JsonDataset(ann_file, images),)


def test_the_pipeline_and_its_place_are_told() -> None:
    found = read(one())
    assert (found.pipeline, found.place) == (STEPS, "test_dataloader.dataset.pipeline")


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (
            one("mmocr.OCRDataset", test_mode=True, metainfo={"a": 1}, filter_cfg={"min_size": 32}),
            JsonDataset("a.json"),
        ),
        (one("RecogTextDataset"), OCRDataset("a.json", AnnFileLoader(LineJsonParser()))),
        (
            one("RecogTextDataset", parser_cfg={"type": "LineStrParser", "keys": ["path", "label"], "separator": "\t"}),
            OCRDataset("a.json", AnnFileLoader(LineStrParser(separator="\t"))),
        ),
        (
            one("RecogLMDBDataset", ann_file="words.lmdb", data_root="d"),
            OCRDataset("d/words.lmdb", AnnFileLoader(LineJsonParser(), "lmdb")),
        ),
    ],
)
def test_kinds_of_data_sets_of_words(dataset: dict[str, Any], expected: Dataset) -> None:
    assert read(dataset).datasets == (expected,)


def test_the_older_kind_of_text_instances() -> None:
    found = read(one("IcdarDataset", test_mode=True, filter_cfg={"filter_empty_gt": True}, indices=5), "det")
    assert found.datasets == (IcdarDataset("a.json", "", 5),)
    with pytest.raises(ConfigError, match=r"FixInvalidPolygon goes with OCRDataset alone, and a.json is of another"):
        found.mended(FixInvalidPolygon())


def test_labels_are_mended_in_all_data_sets() -> None:
    inner = [one(pipeline=None), one(pipeline=[], ann_file="b.json")]
    found = read({"type": "ConcatDataset", "datasets": inner, "pipeline": STEPS, "verify_meta": False})
    fix = FixInvalidPolygon(mode="ignore")
    assert found.mended(fix) == (JsonDataset("a.json", "", fix), JsonDataset("b.json", "", fix))
    assert found.mended(None) == found.datasets


def test_data_sets_may_bring_the_pipeline_that_they_share() -> None:
    found = read({"type": "ConcatDataset", "datasets": [one(), one()]})
    assert (len(found.datasets), found.pipeline) == (2, STEPS)
    forced = {"type": "ConcatDataset", "datasets": [one(), one()], "pipeline": OTHER_STEPS, "force_apply": True}
    assert read(forced).pipeline == OTHER_STEPS


def test_several_data_loaders() -> None:
    loaders = [{"dataset": one()}, {"dataset": one(ann_file="b.json")}]
    found = read_test_sets({"test_dataloader": loaders}, "det")
    assert found.datasets == (JsonDataset("a.json"), JsonDataset("b.json"))


def test_the_data_set_of_validation_counts_where_it_is_the_only_one() -> None:
    values: dict[str, Any] = {"test_dataloader": None, "val_dataloader": {"dataset": one()}, "test_pipeline": []}
    assert read_test_sets(values, "det").datasets == (JsonDataset("a.json"),)
    assert read_test_sets({"test_pipeline": STEPS}, "det") == ConfigData((), STEPS, "test_pipeline")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (one("RepeatDataset"), r"type = 'RepeatDataset' of MMOCR 1.x is not supported for this model; supported are "),
        (one("IcdarDataset"), "supported are OCRDataset, RecogTextDataset, RecogLMDBDataset, ConcatDataset"),
        (one(indices=10), "dataset.indices = 10 cannot be honoured"),
        (one(novelty=1), "test_dataloader.dataset.novelty of the config: not known"),
        (one(data_prefix={"img_path": "x", "seg_map": "y"}), "data_prefix.seg_map of the config: not known"),
        (one(data_root="s3://bucket"), "s3://bucket is not on this machine"),
        (one(ann_file=""), "ann_file of the config is empty"),
        ({"type": "OCRDataset"}, "lacks the key 'ann_file'"),
        (one("RecogTextDataset", backend_args={"backend": "petrel"}), "backend_args = .* cannot be honoured"),
        (one("RecogTextDataset", parser_cfg={"type": "LineJsonParser", "keys": ["a", "b"]}), r"only \['filename', "),
        (one("RecogTextDataset", parser_cfg={"type": "X"}), "'X': the parser is not supported"),
        (one("RecogTextDataset", parser_cfg={"type": "LineStrParser", "keys": ["a"]}), r"those of image and text"),
        (one("RecogLMDBDataset", img_color_type="grayscale"), "only 'color' is supported"),
        ({"type": "ConcatDataset", "datasets": []}, r"dataset.datasets of the config is empty"),
        (
            {"type": "ConcatDataset", "datasets": [one(), one(pipeline=OTHER_STEPS)]},
            "data sets with different pipelines; one pipeline is supported",
        ),
        ({"type": "ConcatDataset", "datasets": [one()], "pipeline": STEPS}, r"datasets\[0\].pipeline .* are both set"),
    ],
)
def test_what_cannot_be_honoured_is_named(dataset: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(dataset)
    assert "\n" not in caught.value.message


def test_what_is_filtered_without_test_mode_is_named() -> None:
    with pytest.raises(ConfigError, match=r"filter_cfg = .* cannot be honoured"):
        read(one("IcdarDataset", filter_cfg={"min_size": 32}), "det")
    with pytest.raises(ConfigError, match=r"indices = \[1, 2\] cannot be honoured: a number of images"):
        read(one("IcdarDataset", indices=[1, 2]), "det")


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ({"dataset": one(), "num_batch_per_epoch": 5}, "num_batch_per_epoch = 5 cannot be honoured"),
        ({"dataset": one(), "novelty": 5}, "test_dataloader.novelty of the config: not known"),
        ([], "test_dataloader of the config is an empty list"),
        ([{"dataset": one()}, {}], r"test_dataloader\[1\] of the config lacks the key 'dataset'"),
        (5, "test_dataloader of the config must be a dict, got int"),
    ],
)
def test_data_loaders_are_read_strictly(loader: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_test_sets({"test_dataloader": loader}, "det")


def test_data_and_metrics_of_every_official_config_are_read(extra_data_dir: Path) -> None:
    folder = extra_data_dir / "golden_zoo" / "v1" / "configs"
    paths = [path for path in folder.rglob("*.py") if "_base_" not in str(path.relative_to(folder))]
    assert len(paths) > 50
    read_all = []
    for path in paths:
        with contextlib.suppress(ConfigError):
            read_all.append((path, read_config(path)))
    assert len(read_all) >= len(paths) - 6  # bases of another package, and one that is not there
    for path, values in read_all:
        task: Task = "det" if "textdet" in path.parts else "recog"
        found = read_test_sets(values, task)
        settings, datasets = read_evaluator(values, found.datasets, task)
        assert isinstance(found.pipeline, list)
        assert (settings.strategy is not None) == (task == "det")
        assert len(datasets) == len(found.datasets)
        assert datasets or "100k_synthtext" in path.stem
        assert [bool(each.name) for each in datasets] == [task == "recog"] * len(datasets)
