"""The config's `data.test` to data sets and their common pipeline."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import (
    AnnFileLoader,
    Dataset,
    IcdarDataset,
    LineJsonParser,
    LineStrParser,
    OCRDataset,
    Step,
    TextDetDataset,
)

from .pipelines import read_pipeline
from .section import Section

LOADER_KEYS = ("samples_per_gpu", "workers_per_gpu", "test_dataloader")
"""Keys beside the data sets that say how MMOCR loads them."""


def read_test_sets(test: Section) -> tuple[tuple[Dataset, ...], tuple[Step, ...]]:
    """Return the data sets of `data.test` and the pipeline that they share.

    Raises:
        ConfigError: A data set or option is not supported, or there is not exactly one pipeline.
    """
    test.skip(*LOADER_KEYS)
    name = test.type_name()
    if name != "UniformConcatDataset":
        dataset, pipeline = _read_dataset(test, name)
        return (dataset,), _one_pipeline([] if pipeline is None else [pipeline], test.place)
    test.skip("separate_eval", "show_mean_scores", "test_mode")
    shared = _take_pipelines(test)
    forced = test.take("force_apply", bool, False)
    datasets: list[Dataset] = []
    used: list[Any] = []
    for section in _flat_sections(test):
        dataset, pipeline = _read_dataset(section, section.type_name())
        datasets.append(dataset)
        used += shared if pipeline is None or (forced and shared) else [pipeline]
    test.finish()
    return tuple(datasets), _one_pipeline(used or shared, test.place)


def _take_pipelines(section: Section) -> list[Any]:
    """Take `pipeline`, which may be a list of such lists (one a group of data sets), as a list of pipelines."""
    value = section.take("pipeline", Any, None)
    if value is None:
        return []
    nested = isinstance(value, list) and value and all(isinstance(item, list) for item in value)
    return list(value) if nested else [value]


def _flat_sections(test: Section) -> list[Section]:
    """Take `datasets`, which may be a list of groups, as one list."""
    flat: list[Section] = []
    for index, value in enumerate(test.take("datasets", list[Any])):
        place = f"{test.place}.datasets[{index}]"
        group = value if isinstance(value, list) else [value]
        flat += [Section(item, place) for item in group]
    return flat


def _one_pipeline(pipelines: Sequence[Any], place: str) -> tuple[Step, ...]:
    """Return the one pipeline that all data sets share."""
    if not pipelines:
        raise ConfigError(f"{place} of the config has no pipeline, so images cannot be prepared as in training")
    if any(pipeline != pipelines[0] for pipeline in pipelines):
        raise ConfigError(f"{place} of the config has data sets with different pipelines; one pipeline is supported")
    if not isinstance(pipelines[0], list):
        raise ConfigError(f"{place}.pipeline of the config must be a list of steps")
    steps = [Section(step, f"{place}.pipeline[{index}]") for index, step in enumerate(pipelines[0])]
    return read_pipeline(steps)


def _read_dataset(section: Section, name: str) -> tuple[Dataset, Any]:
    """Return one data set and its own pipeline, or None."""
    pipeline = section.take("pipeline", Any, None)
    section.skip("test_mode")
    dataset: Dataset
    match name:
        case "IcdarDataset":
            section.expect("ann_file_backend", "disk")
            section.expect("classes", None)
            section.skip("seg_prefix", "proposal_file", "filter_empty_gt")
            dataset = section.build(IcdarDataset, ("select_first_k",), _paths(section))
        case "TextDetDataset":
            dataset = section.build(TextDetDataset, (), _paths(section) | {"loader": _read_loader(section)})
        case "OCRDataset":
            dataset = section.build(OCRDataset, (), _paths(section) | {"loader": _read_loader(section)})
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the data set is not supported; "
                "supported are IcdarDataset, TextDetDataset, OCRDataset"
            )
    section.finish()
    return dataset, pipeline


def _paths(section: Section) -> dict[str, str]:
    """Take annotation file and image folder, with `data_root` before those that are relative."""
    root = PurePath(section.take("data_root", str | None, None) or "")
    paths = {
        "ann_file": section.take("ann_file", str),
        "img_prefix": section.take("img_prefix", str | None, None) or "",
    }
    return {key: str(root / value) if value and root.parts else value for key, value in paths.items()}


def _read_loader(section: Section) -> AnnFileLoader:
    """Read how the annotation file of a data set is laid out."""
    loader = section.section("loader")
    given: dict[str, Any] = {"parser": _read_parser(loader.section("parser"))}
    match loader.type_name():
        case "AnnFileLoader":
            loader.expect("file_storage_backend", "disk")
        case "HardDiskLoader":
            given["file_format"] = "txt"
        case "LmdbLoader":
            given["file_format"] = "lmdb"
        case other:
            raise ConfigError(
                f"{loader.place}.type = {other!r}: the loader is not supported; "
                "supported are AnnFileLoader, HardDiskLoader, LmdbLoader"
            )
    # A deprecated kind's format is in its name, so only AnnFileLoader's own key counts.
    keys = ("repeat",) if "file_format" in given else ("repeat", "file_format")
    settings = loader.build(AnnFileLoader, keys, given)
    loader.skip("ann_file")
    loader.finish()
    return settings


def _read_parser(section: Section) -> LineJsonParser | LineStrParser:
    """Read how a line of an annotation file is laid out."""
    parser: LineJsonParser | LineStrParser
    match section.type_name():
        case "LineJsonParser":
            parser = section.build(LineJsonParser, ("keys",))
        case "LineStrParser":
            parser = section.build(LineStrParser, ("keys", "keys_idx", "separator"))
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the parser is not supported; "
                "supported are LineStrParser, LineJsonParser"
            )
    section.finish()
    return parser
