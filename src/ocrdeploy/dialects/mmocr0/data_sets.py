"""The config's `data.test` to data sets and their common pipeline."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ocrdeploy.dialects.mmocr0.pipelines import read_pipeline
from ocrdeploy.dialects.section import Section
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

LOADER_KEYS = ("samples_per_gpu", "workers_per_gpu", "test_dataloader")
"""Keys beside the data sets that say how MMOCR loads them."""

CONCATENATIONS = ("UniformConcatDataset", "ConcatDataset")
"""Kinds of `data.test` that hold several data sets; the second is mmdet's, of older configs."""

DATASETS = ("IcdarDataset", "TextDetDataset", "OCRDataset")


def read_test_sets(value: object, place: str) -> tuple[tuple[Dataset, ...], tuple[Step, ...]]:
    """Return the data sets of `data.test` and the pipeline that they share.

    Where the value is a list, or an `ann_file` is one, each entry is a data set of its own, as in mmdet 2.

    Args:
        value: A data set, a concatenation of several, or a list of these.
        place: Where it stands, for messages.

    Raises:
        ConfigError: A data set or option is not supported, or there is not exactly one pipeline.
    """
    if isinstance(value, list | tuple):
        if not value:
            raise ConfigError(f"{place} of the config is an empty list of data sets")
        read = [read_test_sets(item, f"{place}[{index}]") for index, item in enumerate(value)]
        if any(steps != read[0][1] for _, steps in read):
            raise ConfigError(
                f"{place} of the config has data sets with different pipelines; one pipeline is supported"
            )
        return tuple(dataset for datasets, _ in read for dataset in datasets), read[0][1]
    test = Section(value, place)
    test.skip(*LOADER_KEYS)
    name = test.type_name()
    if name in CONCATENATIONS:
        return _read_concatenation(test, name)
    datasets, pipeline = _read_datasets(test, name)
    return datasets, _one_pipeline([] if pipeline is None else [(pipeline, test.place)], test.place)


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
            found, own = _read_datasets(section, section.type_name())
            datasets += found
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


def _read_datasets(section: Section, name: str) -> tuple[tuple[Dataset, ...], Any]:
    """Return the data sets of one section, one an annotation file, and their own pipeline, or None."""
    pipeline = section.take("pipeline", Any, None)
    section.skip("test_mode")
    datasets: list[Dataset]
    match name:
        case "IcdarDataset":
            section.expect("ann_file_backend", "disk")
            section.expect("classes", None)
            section.skip("seg_prefix", "proposal_file", "filter_empty_gt")
            root = section.take("data_root", str | None, None)
            paths = _paths(section, root)
            first_k = section.take("select_first_k", int, -1)
            datasets = [IcdarDataset(*names, first_k) for names in paths]
        case "TextDetDataset":
            loader = _read_loader(section)
            datasets = [TextDetDataset(ann_file, loader, prefix) for ann_file, prefix in _paths(section)]
        case "OCRDataset":
            loader = _read_loader(section)
            datasets = [OCRDataset(ann_file, loader, prefix) for ann_file, prefix in _paths(section)]
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the data set is not supported; "
                f"supported are {', '.join(DATASETS + CONCATENATIONS)}"
            )
    section.finish()
    return tuple(datasets), pipeline


def _paths(section: Section, root: str | None = None) -> list[tuple[str, str]]:
    """Take annotation files and their image folders, with `root`, if there is one, before those that are relative.

    One image folder may serve several annotation files. As in mmdet, an image folder that is empty is then `root`, and
    one that is None stays none.
    """
    ann_file = section.take("ann_file", str | list[str])
    prefix = section.take("img_prefix", str | list[str | None] | None, "")
    files = [ann_file] if isinstance(ann_file, str) else list(ann_file)
    prefixes = list(prefix) if isinstance(prefix, list | tuple) else [prefix] * len(files)
    if not files or len(files) != len(prefixes):
        raise ConfigError(
            f"{section.place} of the config has {len(files)} entries in ann_file and {len(prefixes)} in img_prefix",
            "Give one image folder for all annotation files, or one each.",
        )
    if root:
        files = [str(PurePath(root) / name) for name in files]
        prefixes = [None if name is None else str(PurePath(root) / name) for name in prefixes]
    return [(name, folder or "") for name, folder in zip(files, prefixes, strict=True)]


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
            keys = ("keys", "keys_idx", "separator", "strip", "strip_pos", "strip_str")
            parser = section.build(LineStrParser, keys)
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the parser is not supported; "
                "supported are LineStrParser, LineJsonParser"
            )
    if not parser.keys:
        raise ConfigError(f"{section.place}.keys of the config is empty")
    section.finish()
    return parser
