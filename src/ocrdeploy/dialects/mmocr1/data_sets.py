"""The config's `test_dataloader` to data sets and their common pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from ocrdeploy.dialects.section import Section
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

from .pipelines import expect_local

LOADER_KEYS = (
    "batch_size", "num_workers", "persistent_workers", "sampler", "batch_sampler", "drop_last", "pin_memory",
    "prefetch_factor", "collate_fn", "worker_init_fn", "timeout", "multiprocessing_context", "shuffle",
)  # fmt: skip
"""Keys beside the data set that say how images are loaded, which are run one by one here."""

LOADING_KEYS = ("metainfo", "test_mode", "serialize_data", "lazy_init", "max_refetch", "_scope_")
"""Keys of a data set without influence on the images and labels that a test sees."""

DATASETS = {"det": ("OCRDataset", "IcdarDataset"), "recog": ("OCRDataset", "RecogTextDataset", "RecogLMDBDataset")}
REMOTE = ("http://", "https://", "s3://")
"""How paths begin that MMEngine takes for absolute, and reads from elsewhere."""


@dataclass(frozen=True, slots=True)
class ConfigData:
    """What a config tests with.

    Attributes:
        datasets: The data sets; none where the config has no data to test with.
        pipeline: The pipeline that they share, as the config has it.
        place: Where that stands, for messages.
    """

    datasets: tuple[Dataset, ...]
    pipeline: object
    place: str

    def mended(self, fix: FixInvalidPolygon | None) -> tuple[Dataset, ...]:
        """Return the data sets with what the pipeline does with polygons that are no good.

        Raises:
            ConfigError: The labels of a data set cannot be mended.
        """
        if fix is None:
            return self.datasets
        for dataset in self.datasets:
            if not isinstance(dataset, JsonDataset):
                raise ConfigError(
                    f"{self.place} of the config: FixInvalidPolygon goes with OCRDataset alone, "
                    f"and {dataset.ann_file} is of another kind"
                )
        return tuple(msgspec.structs.replace(dataset, fix_polygons=fix) for dataset in self.datasets)


def read_test_sets(values: Mapping[str, Any], task: Task) -> ConfigData:
    """Return the data sets of `test_dataloader`, or of `val_dataloader` where that is the only one.

    Source: `BaseDataset` in `mmengine.dataset`, MMEngine v0.10.7; `mmocr.datasets`, MMOCR v1.0.1.

    Args:
        values: The config.
        task: What its model does.

    Raises:
        ConfigError: A data set or option is not supported, or there is not exactly one pipeline.
    """
    key = next((key for key in ("test_dataloader", "val_dataloader") if values.get(key) is not None), None)
    if key is None:
        # A config for pre-training alone.
        return ConfigData((), values.get("test_pipeline"), "test_pipeline")
    loaders = values[key] if isinstance(values[key], list | tuple) else [values[key]]
    if not loaders:
        raise ConfigError(f"{key} of the config is an empty list of data loaders")
    read = []
    for index, value in enumerate(loaders):
        loader = Section(value, key if loaders is not values[key] else f"{key}[{index}]")
        loader.skip(*LOADER_KEYS)
        loader.expect("num_batch_per_epoch", None)
        read.append(_read_datasets(loader.section("dataset"), task))
        loader.finish()
    return _joined(read, key)


def _joined(parts: list[ConfigData], place: str) -> ConfigData:
    """Return the data sets of several places, whose pipelines have to be the same."""
    first = parts[0]
    if any(part.pipeline != first.pipeline for part in parts):
        raise ConfigError(f"{place} of the config has data sets with different pipelines; one pipeline is supported")
    return ConfigData(tuple(dataset for part in parts for dataset in part.datasets), first.pipeline, first.place)


def _read_datasets(section: Section, task: Task) -> ConfigData:
    """Read a data set or several that are strung together."""
    pipeline = section.take("pipeline", Any, None) or None
    name = section.type_name()
    place = f"{section.place}.pipeline"
    if name != "ConcatDataset":
        return ConfigData((_read_dataset(section, name, task),), pipeline, place)
    section.skip("verify_meta", "lazy_init", "_scope_")
    is_forced = section.take("force_apply", bool, False)
    inner = section.sections("datasets")
    section.finish()
    if not inner:
        raise ConfigError(f"{section.place}.datasets of the config is empty")
    parts = [_read_datasets(each, task) for each in inner]
    if pipeline is None:
        return _joined(parts, section.place)
    for part in parts:
        if part.pipeline is not None and not is_forced:
            raise ConfigError(
                f"{section.place} and {part.place} of the config are both set; MMOCR 1.x refuses this",
                "Leave one of them out, or set force_apply=True beside the first.",
            )
    return ConfigData(tuple(dataset for part in parts for dataset in part.datasets), pipeline, place)


def _read_dataset(section: Section, name: str, task: Task) -> Dataset:
    """Read one data set, without its pipeline."""
    if name not in DATASETS[task]:
        raise ConfigError(
            f"{section.place}.type = {name!r} of MMOCR 1.x is not supported for this model; supported are "
            f"{', '.join((*DATASETS[task], 'ConcatDataset'))}"
        )
    ann_file, images = _paths(section)
    dataset: Dataset
    match name:
        case "IcdarDataset":
            if not section.take("test_mode", bool, False):
                section.expect("filter_cfg", None)
            dataset = IcdarDataset(ann_file, images, _first_k(section))
        case "RecogTextDataset":
            dataset = OCRDataset(ann_file, AnnFileLoader(_read_parser(section)), images)
        case "RecogLMDBDataset":
            section.expect("img_color_type", "color")
            dataset = OCRDataset(ann_file, AnnFileLoader(LineJsonParser(), "lmdb"))
        case _:
            dataset = JsonDataset(ann_file, images)
    section.expect("indices", None)
    expect_local(section, "backend_args", "file_client_args")
    # MMEngine leaves it to the kinds of data sets what is filtered, and none but IcdarDataset does anything.
    section.skip(*LOADING_KEYS, "filter_cfg")
    section.finish()
    return dataset


def _first_k(section: Section) -> int:
    """Take how many images count, from the first on; -1 is all of them."""
    indices = section.take("indices", Any, None)
    if indices is None:
        return -1
    if type(indices) is not int or indices < 1:
        raise ConfigError(f"{section.place}.indices = {indices!r} cannot be honoured: a number of images is supported")
    return indices


def _paths(section: Section) -> tuple[str, str]:
    """Take annotation file and image folder, each behind `data_root` unless it is absolute."""
    root = section.take("data_root", str | None, None) or ""
    ann_file = section.take("ann_file", str)
    if not ann_file:
        raise ConfigError(f"{section.place}.ann_file of the config is empty")
    images = root
    if "data_prefix" in section:
        prefix = section.section("data_prefix")
        # Without the key MMEngine joins nothing, and the images' paths stand for themselves.
        images = _join(root, prefix.take("img_path", str)) if "img_path" in prefix else ""
        prefix.finish()
    for path in (root, ann_file, images):
        if path.startswith(REMOTE):
            raise ConfigError(f"{section.place} of the config: {path} is not on this machine, which is not supported")
    return _join(root, ann_file), images


def _join(root: str, path: str) -> str:
    """Return a path behind a root; of nothing, nothing."""
    return str(PurePath(root, path)) if root or path else ""


def _read_parser(section: Section) -> LineJsonParser | LineStrParser:
    """Read how a line of a RecogTextDataset is laid out: its first key is the image, its second the text."""
    if "parser_cfg" not in section:
        return LineJsonParser()
    parser = section.section("parser_cfg")
    name = parser.type_name()
    keys = parser.take("keys", tuple[str, ...], ("filename", "text"))
    if len(keys) < 2:
        raise ConfigError(f"{parser.place}.keys of the config: expected those of image and text, got {list(keys)}")
    found: LineJsonParser | LineStrParser
    match name:
        case "LineJsonParser":
            if keys[:2] != ("filename", "text"):
                raise ConfigError(
                    f"{parser.place}.keys = {list(keys)!r} cannot be honoured: only ['filename', 'text'] is supported"
                )
            found = LineJsonParser()
        case "LineStrParser":
            # The names of the keys are nowhere but here.
            given = {"keys": ("filename", "text", *keys[2:])}
            found = parser.build(LineStrParser, ("keys_idx", "separator", "strip", "strip_pos", "strip_str"), given)
        case other:
            raise ConfigError(
                f"{parser.place}.type = {other!r}: the parser is not supported; "
                "supported are LineStrParser, LineJsonParser"
            )
    parser.finish()
    return found
