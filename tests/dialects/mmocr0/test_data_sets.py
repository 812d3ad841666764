import copy
from typing import Any

import pytest

from ocrdeploy.dialects.mmocr0.data_sets import read_test_sets
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
from ocrdeploy.steps import LoadImageFromFile, Resize, Step
from tests.support.configs import ICDAR, LINES, LOAD, REMOVED, RESIZE, changed

Config = dict[str, Any]

PIPELINE = [LOAD, RESIZE]
STEPS = (LoadImageFromFile("color_ignore_orientation"), Resize((320, 192)))
OTHER_PIPELINE = [LOAD, RESIZE | {"img_scale": (640, 384)}]
SET = IcdarDataset("a.json", "imgs")


def read(test: Config | list[Config]) -> tuple[tuple[Dataset, ...], tuple[Step, ...]]:
    return read_test_sets(test, "data.test")


def several(*datasets: Any, **options: Any) -> Config:
    """Return a UniformConcatDataset."""
    return {"type": "UniformConcatDataset", "datasets": list(datasets)} | options


def test_one_data_set() -> None:
    assert read(ICDAR | {"pipeline": PIPELINE}) == ((SET,), STEPS)


def test_the_pipeline_of_all_goes_to_data_sets_without_one() -> None:
    first, second = ICDAR | {"pipeline": None}, ICDAR | {"ann_file": "b.json"}
    options = {"separate_eval": True, "show_mean_scores": "auto", "test_mode": True, "samples_per_gpu": 1}
    assert read(several(first, second, pipeline=PIPELINE, **options)) == ((SET, IcdarDataset("b.json", "imgs")), STEPS)


def test_data_sets_may_have_the_pipeline_each() -> None:
    own = ICDAR | {"pipeline": PIPELINE}
    assert read(several(own, own)) == ((SET, SET), STEPS)
    assert read(several(own, own, pipeline=None)) == ((SET, SET), STEPS)
    assert read({"type": "ConcatDataset", "datasets": [own, own], "separate_eval": True}) == ((SET, SET), STEPS)


def test_a_pipeline_of_its_own_goes_before_that_of_all_unless_forced() -> None:
    own = ICDAR | {"pipeline": OTHER_PIPELINE}
    assert read(several(own, pipeline=PIPELINE))[1] == (STEPS[0], Resize((640, 384)))
    assert read(several(own, pipeline=PIPELINE, force_apply=True))[1] == STEPS


def test_groups_of_data_sets() -> None:
    bare = ICDAR | {"pipeline": None}
    own = ICDAR | {"pipeline": PIPELINE}
    assert read(several([own, own], [own])) == ((SET,) * 3, STEPS)
    assert read(several([bare, bare], [bare], pipeline=[PIPELINE, copy.deepcopy(PIPELINE)])) == ((SET,) * 3, STEPS)
    # Each group has its own pipeline: that of a group whose data sets have theirs does not count.
    assert read(several([own], [bare], pipeline=[OTHER_PIPELINE, PIPELINE])) == ((SET,) * 2, STEPS)
    assert read(several([bare], [bare], pipeline=PIPELINE)) == ((SET,) * 2, STEPS)


def test_pipelines_that_do_the_same_are_one() -> None:
    wrapped = [*PIPELINE, {"type": "Collect", "keys": ["img"]}]
    assert read(several(ICDAR | {"pipeline": PIPELINE}, ICDAR | {"pipeline": wrapped}))[1] == STEPS


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, SET),
        ({"img_prefix": REMOVED}, IcdarDataset("a.json")),
        ({"img_prefix": None}, IcdarDataset("a.json")),
        ({"select_first_k": 3}, IcdarDataset("a.json", "imgs", 3)),
        ({"data_root": None}, SET),
        ({"data_root": "root"}, IcdarDataset("root/a.json", "root/imgs")),
        ({"data_root": "root/", "img_prefix": "/abs/imgs"}, IcdarDataset("root/a.json", "/abs/imgs")),
        # In mmdet no folder of images means the root itself.
        ({"data_root": "root", "img_prefix": ""}, IcdarDataset("root/a.json", "root")),
        ({"data_root": "root", "img_prefix": REMOVED}, IcdarDataset("root/a.json", "root")),
        ({"data_root": "root", "img_prefix": None}, IcdarDataset("root/a.json")),
        (
            {
                "test_mode": True,
                "filter_empty_gt": False,
                "seg_prefix": None,
                "proposal_file": None,
                "classes": None,
                "ann_file_backend": "disk",
            },
            SET,
        ),
    ],
)
def test_icdar_datasets(options: Config, expected: IcdarDataset) -> None:
    assert read(changed(ICDAR | {"pipeline": PIPELINE}, options))[0] == (expected,)


STR = {"type": "LineStrParser", "keys": ["filename", "text"], "keys_idx": [0, 1], "separator": "\t"}
JSON = {"type": "LineJsonParser", "keys": ["filename", "text"]}


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        ({"type": "AnnFileLoader", "parser": STR}, AnnFileLoader(LineStrParser(separator="\t"))),
        ({"type": "AnnFileLoader", "parser": {"type": "LineStrParser"}}, AnnFileLoader(LineStrParser())),
        (
            {
                "type": "AnnFileLoader",
                "parser": JSON,
                "repeat": 3,
                "file_format": "lmdb",
                "file_storage_backend": "disk",
                "ann_file": "x",
            },
            AnnFileLoader(LineJsonParser(), "lmdb", 3),
        ),
        (
            {"type": "HardDiskLoader", "parser": STR, "repeat": 2},
            AnnFileLoader(LineStrParser(separator="\t"), "txt", 2),
        ),
        ({"type": "LmdbLoader", "parser": JSON}, AnnFileLoader(LineJsonParser(), "lmdb")),
    ],
)
@pytest.mark.parametrize(("name", "kind"), [("OCRDataset", OCRDataset), ("TextDetDataset", TextDetDataset)])
def test_line_by_line_datasets(loader: Config, expected: AnnFileLoader, name: str, kind: Any) -> None:
    test = {"type": name, "ann_file": "l.txt", "img_prefix": "i", "loader": loader, "test_mode": True}
    assert read(test | {"pipeline": PIPELINE})[0] == (kind("l.txt", expected, "i"),)


SUPPORTED = "supported are IcdarDataset, TextDetDataset, OCRDataset, UniformConcatDataset, ConcatDataset"
BARE = ICDAR | {"pipeline": None}
LINE_SET = LINES | {"pipeline": PIPELINE}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({}, "data.test of the config lacks the key 'type'"),
        ({"type": "CocoDataset"}, f"data.test.type = 'CocoDataset': the data set is not supported; {SUPPORTED}"),
        (ICDAR, "data.test of the config has no pipeline, so images cannot be prepared as in training"),
        (BARE, "data.test of the config has no pipeline"),
        (ICDAR | {"pipeline": LOAD}, "data.test.pipeline of the config must be a list of steps, got dict"),
        (ICDAR | {"pipeline": []}, "the test pipeline of the config must begin with LoadImageFromFile"),
        (ICDAR | {"pipeline": [LOAD, 3]}, "data.test.pipeline[1] of the config must be a dict, got int"),
        (ICDAR | {"pipeline": [LOAD, {"type": "X"}]}, "data.test.pipeline[1]: the pipeline step 'X' is not known"),
        (ICDAR | {"novelty": 1}, "data.test.novelty of the config: not known"),
        (ICDAR | {"ann_file": 3}, "data.test.ann_file of the config: Expected `str | array`, got `int`"),
        (ICDAR | {"classes": ["text"]}, "data.test.classes = ['text'] cannot be honoured: only None is supported"),
        (
            ICDAR | {"ann_file_backend": "http"},
            "data.test.ann_file_backend = 'http' cannot be honoured: only 'disk' is supported",
        ),
        (several(pipeline=PIPELINE), "data.test.datasets of the config is empty"),
        ({"type": "UniformConcatDataset"}, "data.test of the config lacks the key 'datasets'"),
        (several(BARE), "data.test.datasets[0] of the config has no pipeline, and data.test gives it none"),
        (several([BARE], [BARE, ICDAR]), "data.test.datasets[0][0] of the config has no pipeline"),
        (several(BARE, [BARE], pipeline=PIPELINE), "data.test.datasets[1] of the config must be a dict, got list"),
        (
            several(BARE, BARE, pipeline=[PIPELINE, PIPELINE]),
            "data.test.pipeline of the config holds 2 pipelines, so data.test.datasets must be a list of as many lists",
        ),
        (several([BARE], pipeline=[PIPELINE, PIPELINE]), "data.test.pipeline of the config holds 2 pipelines"),
        (
            several([BARE], [BARE], pipeline=[PIPELINE, OTHER_PIPELINE]),
            "data.test of the config has data sets with different pipelines; one pipeline is supported",
        ),
        (
            several(ICDAR | {"pipeline": [LOAD, {"type": "X"}]}),
            "data.test.datasets[0].pipeline[1]: the pipeline step 'X' is not known",
        ),
        (
            several(BARE, pipeline=PIPELINE, separate_eval=False),
            "data.test.separate_eval = False cannot be honoured: only True is supported",
        ),
        (several(BARE, pipeline=PIPELINE, img_prefix="x"), "data.test.img_prefix of the config: not known"),
        (
            {"type": "ConcatDataset", "datasets": [ICDAR], "pipeline": PIPELINE},
            "data.test.pipeline of the config: not known",
        ),
        (LINE_SET | {"data_root": "root"}, "data.test.data_root of the config: not known"),
        (changed(LINE_SET, {"loader": REMOVED}), "data.test of the config lacks the key 'loader'"),
        (
            changed(LINE_SET, {"loader.type": "PetrelLoader"}),
            (
                "data.test.loader.type = 'PetrelLoader': the loader is not supported; "
                "supported are AnnFileLoader, HardDiskLoader, LmdbLoader"
            ),
        ),
        (
            changed(LINE_SET, {"loader.file_storage_backend": "petrel"}),
            "data.test.loader.file_storage_backend = 'petrel' cannot be honoured: only 'disk' is supported",
        ),
        (changed(LINE_SET, {"loader.file_format": "csv"}), "data.test.loader.file_format of the config: Invalid enum"),
        (
            changed(LINE_SET, {"loader.repeat": 0.5}),
            "data.test.loader.repeat of the config: Expected `int`, got `float`",
        ),
        (changed(LINE_SET, {"loader.encoding": "gbk"}), "data.test.loader.encoding of the config: not known"),
        (
            changed(LINE_SET, {"loader.type": "HardDiskLoader", "loader.file_format": "lmdb"}),
            "data.test.loader.file_format of the config: not known",
        ),
        (changed(LINE_SET, {"loader.parser": REMOVED}), "data.test.loader of the config lacks the key 'parser'"),
        (
            changed(LINE_SET, {"loader.parser.type": "CsvParser"}),
            (
                "data.test.loader.parser.type = 'CsvParser': the parser is not supported; "
                "supported are LineStrParser, LineJsonParser"
            ),
        ),
        (changed(LINE_SET, {"loader.parser.strip": 3}), "data.test.loader.parser.strip of the config: Expected `bool`"),
        (
            changed(LINE_SET, {"loader.parser.keys": ["filename"]}),
            "data.test.loader.parser of the config: LineStrParser has 1 keys but 2 keys_idx",
        ),
        (
            changed(LINE_SET, {"loader.parser.type": "LineJsonParser"}),
            "data.test.loader.parser of the config lacks the key 'keys'",
        ),
        (
            changed(LINE_SET, {"loader.parser": {"type": "LineJsonParser", "keys": []}}),
            "data.test.loader.parser.keys of the config is empty",
        ),
    ],
)
def test_what_cannot_be_honoured_is_named(test: Config, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(test)
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_a_list_of_data_sets_is_as_many() -> None:
    first, second = ICDAR | {"pipeline": PIPELINE}, ICDAR | {"ann_file": "b.json", "pipeline": PIPELINE}
    assert read([first, second]) == ((SET, IcdarDataset("b.json", "imgs")), STEPS)
    with pytest.raises(ConfigError, match=r"data\.test\[1\]\.type = 'X'"):
        read([first, first | {"type": "X"}])
    with pytest.raises(ConfigError, match="an empty list of data sets"):
        read([])
    with pytest.raises(ConfigError, match="data sets with different pipelines"):
        read([first, ICDAR | {"pipeline": OTHER_PIPELINE}])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ann_file": ["a.json", "b.json"]}, (SET, IcdarDataset("b.json", "imgs"))),
        (
            {"ann_file": ["a.json", "b.json"], "img_prefix": ["imgs", None], "select_first_k": 3},
            (IcdarDataset("a.json", "imgs", 3), IcdarDataset("b.json", "", 3)),
        ),
        (
            {"ann_file": ["a.json", "/b.json"], "data_root": "d"},
            (IcdarDataset("d/a.json", "d/imgs"), IcdarDataset("/b.json", "d/imgs")),
        ),
    ],
)
def test_a_list_of_annotation_files_is_as_many_data_sets(changes: Config, expected: tuple[Dataset, ...]) -> None:
    assert read(ICDAR | changes | {"pipeline": PIPELINE})[0] == expected
    assert read(several(ICDAR | changes, pipeline=PIPELINE))[0] == expected


@pytest.mark.parametrize("changes", [{"ann_file": []}, {"ann_file": ["a", "b"], "img_prefix": ["c"]}])
def test_annotation_files_and_folders_belong_together(changes: Config) -> None:
    with pytest.raises(ConfigError, match="entries in ann_file and"):
        read(ICDAR | changes | {"pipeline": PIPELINE})


def test_how_lines_are_stripped() -> None:
    parser = {"type": "LineStrParser", "strip": True, "strip_pos": "right", "strip_str": "#"}
    test = LINES | {"loader": LINES["loader"] | {"parser": parser}, "pipeline": PIPELINE}
    (dataset,), _ = read(test)
    assert isinstance(dataset, OCRDataset)
    assert dataset.loader.parser == LineStrParser(strip_pos="right", strip_str="#")
