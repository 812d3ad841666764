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
    TextDetDataset,
)
from ocrdeploy.steps import Step

from .pipelines import read_pipeline
from .section import Section

LOADER_KEYS = ("samples_per_gpu", "workers_per_gpu", "test_dataloader")
"""Keys beside the data sets that say how MMOCR loads them."""

CONCATENATIONS = ("UniformConcatDataset", "ConcatDataset")
"""Kinds of `data.test` that hold several data sets; the second is mmdet's, of older configs."""

DATASETS = ("IcdarDataset", "TextDetDataset", "OCRDataset")


def read_test_sets(test: Section) -> tuple[tuple[Dataset, ...], tuple[Step, ...]]:
    """Return the data sets of `data.test` and the pipeline that they share.

    Raises:
        ConfigError: A data set or option is not supported, or there is not exactly one pipeline.
    """
    test.skip(*LOADER_KEYS)
    name = test.type_name()
    if name in CONCATENATIONS:
        return _read_concatenation(test, name)
    dataset, pipeline = _read_dataset(test, name)
    return (dataset,), _one_pipeline([] if pipeline is None else [(pipeline, test.place)], test.place)


def _read_concatenation(test: Section, name: str) -> tuple[tuple[Dataset, ...], tuple[Step, ...]]:
    """Read several data sets, which may be in groups of one pipeline each (MMOCR's UniformConcatDataset)."""
    test.expect("separate_eval", True)
    groups, is_nested = _take_groups(test)
    shared: list[Any] = [None] * len(groups)
    forced = False
    if name == "UniformConcatDataset":
        test.skip("show_mean_scores", "test_mode")
        shared = _take_pipelines(test, len(groups), is_nested)
        forced = test.take("force_apply", bool, False)
    test.finish()
    datasets: list[Dataset] = []
    used: list[tuple[Any, str]] = []
    for group, group_pipeline in zip(groups, shared, strict=True):
        for section in group:
            dataset, own = _read_dataset(section, section.type_name())
            datasets.append(dataset)
            if group_pipeline is not None and (own is None or forced):
                used.append((group_pipeline, test.place))
            elif own is not None:
                used.append((own, section.place))
            else:
                raise ConfigError(f"{section.place} of the config has no pipeline, and {test.place} gives it none")
    return tuple(datasets), _one_pipeline(used, test.place)


def _take_groups(test: Section) -> tuple[list[list[Section]], bool]:
    """Take `datasets`, which is one group or a list of groups; return the groups, and whether it is a list of them."""
    values = test.take("datasets", list[Any])
    if not values:
        raise ConfigError(f"{test.place}.datasets of the config is empty")
    is_nested = all(isinstance(value, list) for value in values)
    place = f"{test.place}.datasets"
    if not is_nested:
        return [[Section(value, f"{place}[{index}]") for index, value in enumerate(values)]], False
    return [
        [Section(value, f"{place}[{index}][{inner}]") for inner, value in enumerate(group)]
        for index, group in enumerate(values)
    ], True


def _take_pipelines(test: Section, groups: int, is_nested: bool) -> list[Any]:
    """Take `pipeline`, which is one for all data sets or a list of one a group, as a list of one a group."""
    value = test.take("pipeline", Any, None)
    if not (isinstance(value, list) and value and all(isinstance(item, list) for item in value)):
        return [value] * groups
    if not is_nested or len(value) != groups:
        raise ConfigError(
            f"{test.place}.pipeline of the config holds {len(value)} pipelines, so {test.place}.datasets must be "
            "a list of as many lists"
        )
    return list(value)


def _one_pipeline(pipelines: Sequence[tuple[Any, str]], place: str) -> tuple[Step, ...]:
    """Return the one pipeline that all data sets share; each is given with the place that it was found in."""
    if not pipelines:
        raise ConfigError(f"{place} of the config has no pipeline, so images cannot be prepared as in training")
    read = [_read_steps(pipeline, f"{origin}.pipeline") for pipeline, origin in pipelines]
    if any(steps != read[0] for steps in read):
        raise ConfigError(f"{place} of the config has data sets with different pipelines; one pipeline is supported")
    return read[0]


def _read_steps(pipeline: Any, place: str) -> tuple[Step, ...]:
    """Read one pipeline."""
    if not isinstance(pipeline, list):
        raise ConfigError(f"{place} of the config must be a list of steps, got {type(pipeline).__name__}")
    return read_pipeline([Section(step, f"{place}[{index}]") for index, step in enumerate(pipeline)])


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
            root = section.take("data_root", str | None, None)
            dataset = section.build(IcdarDataset, ("select_first_k",), _paths(section, root))
        case "TextDetDataset":
            dataset = section.build(TextDetDataset, (), _paths(section) | {"loader": _read_loader(section)})
        case "OCRDataset":
            dataset = section.build(OCRDataset, (), _paths(section) | {"loader": _read_loader(section)})
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the data set is not supported; "
                f"supported are {', '.join(DATASETS + CONCATENATIONS)}"
            )
    section.finish()
    return dataset, pipeline


def _paths(section: Section, root: str | None = None) -> dict[str, str]:
    """Take annotation file and image folder, with `root`, if there is one, before those that are relative.

    As in mmdet, an image folder that is empty is then `root`, and one that is None stays none.
    """
    ann_file = section.take("ann_file", str)
    prefix = section.take("img_prefix", str | None, "")
    if root:
        ann_file = str(PurePath(root) / ann_file)
        prefix = None if prefix is None else str(PurePath(root) / prefix)
    return {"ann_file": ann_file, "img_prefix": prefix or ""}


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
            # MMOCR's default of `keys` is none at all, which it refuses.
            parser = LineJsonParser(section.take("keys", tuple[str, ...]))
        case "LineStrParser":
            parser = section.build(LineStrParser, ("keys", "keys_idx", "separator"))
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the parser is not supported; "
                "supported are LineStrParser, LineJsonParser"
            )
    if not parser.keys:
        raise ConfigError(f"{section.place}.keys of the config is empty")
    section.finish()
    return parser
