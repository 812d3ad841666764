"""Configs of MMOCR 1.x to the neutral outline and to networks."""

from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, PANPostprocessor, PSEPostprocessor
from ocrdeploy.descriptions.loading import ModelConfig, dialect_of, load_config, load_outline
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import EvaluationSettings, FixInvalidPolygon, JsonDataset
from ocrdeploy.steps import LoadImageFromFile, Normalize, Pad, PadToWidth, RescaleToHeight, RescaleToShortSide, Resize
from tests.support.configs import DBNET, PANET, PSENET, REMOVED, changed

DATA = {"type": "TextDetDataPreprocessor", "mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0], "bgr_to_rgb": True}
LOAD = {"type": "LoadImageFromFile", "color_type": "color_ignore_orientation", "ignore_empty": True, "min_size": 2}
PIPELINE: list[dict[str, Any]] = [
    LOAD,
    {"type": "mmocr.Resize", "scale": (320, 192), "keep_ratio": True},
    {"type": "LoadOCRAnnotations", "with_polygon": True},
    {"type": "PackTextDetInputs", "meta_keys": ("img_path",)},
]
DETECTOR: dict[str, Any] = {
    "default_scope": "mmocr",
    "model": changed(DBNET, {"bbox_head": REMOVED})
    | {
        "det_head": {
            "type": "DBHead",
            "in_channels": 32,
            "module_loss": {},
            "postprocessor": {"type": "DBPostprocessor"},
        },
        "data_preprocessor": DATA | {"pad_size_divisor": 32},
    },
    "test_dataloader": {
        "batch_size": 1,
        "dataset": {
            "type": "OCRDataset",
            "data_root": "data",
            "ann_file": "a.json",
            "data_prefix": {"img_path": "imgs/"},
            "test_mode": True,
            "pipeline": PIPELINE,
        },
    },
    "tta_pipeline": "ignored",
    "train_dataloader": {},
}
RECOGNISER: dict[str, Any] = {
    "model": {
        "type": "CRNN",
        "preprocessor": None,
        "encoder": None,
        "backbone": {"type": "MiniVGG", "leaky_relu": False, "input_channels": 1},
        "decoder": {
            "type": "CRNNDecoder",
            "in_channels": 512,
            "rnn_flag": True,
            "module_loss": {"type": "CTCModuleLoss"},
            "postprocessor": {"type": "CTCPostProcessor"},
            "dictionary": {"type": "Dictionary", "dict_file": "d.txt", "with_padding": True},
        },
        "data_preprocessor": {"type": "TextRecogDataPreprocessor", "mean": [127], "std": [127]},
    },
    "test_dataloader": {
        "dataset": {
            "type": "ConcatDataset",
            "datasets": [
                {"type": "OCRDataset", "ann_file": "a.json"},
                {
                    "type": "OCRDataset",
                    "data_root": "r",
                    "ann_file": "b.json",
                    "data_prefix": {"img_path": "x"},
                },
            ],
            "pipeline": [
                {"type": "LoadImageFromFile", "color_type": "grayscale"},
                {"type": "RescaleToHeight", "height": 32, "min_width": 32, "max_width": None, "width_divisor": 16},
                {"type": "PackTextRecogInputs"},
            ],
        }
    },
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.txt").write_text("a\nb\nc\n")
    return tmp_path


def load(folder: Path, base: dict[str, Any], changes: dict[str, Any] | None = None) -> ModelConfig:
    values = changed(base, changes or {})
    path = folder / "config.py"
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))
    return load_config(path)


def test_a_detector(folder: Path) -> None:
    config = load(folder, DETECTOR)
    assert (config.architecture, config.task, config.dialect, config.family.name) == ("DBNet", "det", "mmocr1", "DBNet")
    assert config.postprocessing == DBPostprocessor("poly", width_inclusive=True, first_ring_alone=True)
    assert config.preprocessing == (
        LoadImageFromFile("color_ignore_orientation"),
        Resize((320, 192)),
        Normalize((1, 2, 3), (4, 5, 6)),
        Pad(size_divisor=32),
    )
    assert config.datasets == (JsonDataset("data/a.json", "data/imgs"),)
    assert config.evaluation == EvaluationSettings(("hmean-iou",), strategy="vanilla")


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (PSENET, "PSE", PSEPostprocessor(min_text_avg_confidence=0.3, large_or_certain=True)),
        (PANET, "PAN", PANPostprocessor(min_text_avg_confidence=0.3, max_distance=3.0)),
    ],
)
def test_heads_with_a_hidden_layer_and_thresholds_of_their_own(
    folder: Path, base: dict[str, Any], head: str, expected: object
) -> None:
    part = {
        "type": f"{head}Head",
        "in_channels": base["bbox_head"]["in_channels"],
        "hidden_dim": 12,
        "out_channel": 6,
        "postprocessor": {"type": f"{head}Postprocessor"},
    }
    model = {key: value for key, value in base.items() if key != "bbox_head"}
    config = load(
        folder, DETECTOR | {"model": model | {"det_head": part, "data_preprocessor": DATA | {"pad_size_divisor": 32}}}
    )
    assert config.postprocessing == expected
    assert (config.network.head.hidden_channels, config.network.head.out_channels) == (12, 6)
    part["postprocessor"] = {"type": f"{head}Postprocessor", "score_threshold": 0.7, "text_repr_type": "quad"}
    config = load(
        folder, DETECTOR | {"model": model | {"det_head": part, "data_preprocessor": DATA | {"pad_size_divisor": 32}}}
    )
    assert isinstance(config.postprocessing, PANPostprocessor | PSEPostprocessor)
    assert (config.postprocessing.min_text_avg_confidence, config.postprocessing.text_repr_type) == (0.7, "quad")


def test_a_recogniser_whose_blank_is_behind_the_characters(folder: Path) -> None:
    config = load(folder, RECOGNISER)
    assert config.postprocessing == CTCConvertor(("a", "b", "c", "<PAD>"), blank_index=3)
    assert config.network.decoder.num_classes == 4
    assert config.preprocessing == (
        LoadImageFromFile("grayscale"),
        RescaleToHeight(32, 32, None, 16),
        Normalize((127,), (127,), to_rgb=False),
    )
    assert config.datasets == (JsonDataset("a.json"), JsonDataset("r/b.json", "r/x"))
    assert config.evaluation == EvaluationSettings(("acc",))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, PadToWidth(64)),
        ({"pad_cfg": {"type": "Pad", "pad_val": 5}}, PadToWidth(64, (5,))),
        ({"pad_cfg": {"type": "Pad", "pad_val": {"img": 0}, "padding_mode": "edge"}}, PadToWidth(64, 0, "edge")),
    ],
)
def test_words_are_padded_to_a_width(folder: Path, options: dict[str, Any], expected: PadToWidth) -> None:
    scaling = {"type": "RescaleToHeight", "height": 32, "max_width": 64, "width_divisor": 16}
    steps = [
        {"type": "LoadImageFromFile", "color_type": "grayscale"},
        scaling,
        {"type": "PadToWidth", "width": 64} | options,
    ]
    config = load(folder, RECOGNISER, {"test_dataloader.dataset.pipeline": steps})
    assert config.preprocessing[2] == expected


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"with_unknown": True}, 4),
        ({"with_unknown": True, "unknown_token": None}, None),
        ({"unknown_token": "?"}, None),
    ],
)
def test_an_unknown_character_has_a_class_where_it_has_a_token(
    folder: Path, changes: dict[str, Any], unknown: int | None
) -> None:
    place = "model.decoder.dictionary"
    config = load(folder, RECOGNISER, {f"{place}.{key}": value for key, value in changes.items()})
    assert isinstance(config.postprocessing, CTCConvertor)
    assert config.postprocessing.unknown_index == unknown
    assert config.postprocessing.blank_index == 3


def test_metrics(folder: Path) -> None:
    hmean = {
        "type": "HmeanIOUMetric",
        "strategy": "max_matching",
        "pred_score_thrs": {"start": 0.2, "stop": 1, "step": 0.05},
    }
    config = load(folder, DETECTOR | {"test_evaluator": hmean})
    assert config.evaluation == EvaluationSettings(("hmean-iou",), 0.2, 1, 0.05, "max_matching")
    words = [
        {"type": "WordMetric", "mode": ["exact", "ignore_case"]},
        {"type": "OneMinusNEDMetric"},
        {"type": "CharMetric"},
    ]
    evaluator = {"type": "MultiDatasetsEvaluator", "metrics": words, "dataset_prefixes": ["A", "B"]}
    config = load(folder, RECOGNISER | {"test_evaluator": evaluator})
    numbers = ("word_acc", "word_acc_ignore_case", "1-N.E.D", "char_recall", "char_precision")
    assert config.evaluation == EvaluationSettings(numbers)


def test_a_short_side_without_jitter_and_labels_that_are_mended(folder: Path) -> None:
    jitter = {
        "type": "ShortScaleAspectJitter",
        "short_size": 64,
        "scale_divisor": 1,
        "ratio_range": (1.0, 1.0),
        "aspect_ratio_range": (1.0, 1.0),
    }
    pipeline = [LOAD, jitter, {"type": "FixInvalidPolygon", "min_poly_points": 6}, *PIPELINE[2:]]
    config = load(folder, DETECTOR, {"test_dataloader.dataset.pipeline": pipeline})
    assert config.preprocessing[1] == RescaleToShortSide(64)
    assert config.datasets == (JsonDataset("data/a.json", "data/imgs", FixInvalidPolygon(min_poly_points=6)),)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"size_divisor": 64}, Pad(size_divisor=64)),
        (
            {"size": (320, 192), "pad_val": {"img": (1, 2, 3), "seg": 255}},
            Pad(size=(192, 320), pad_val=(1.0, 2.0, 3.0)),
        ),
        ({"size": [320, 192], "pad_val": 114, "pad_to_square": False}, Pad(size=(192, 320), pad_val=(114.0,) * 3)),
    ],
)
def test_padding_before_normalisation(folder: Path, keys: dict[str, Any], expected: Pad) -> None:
    pipeline = [*PIPELINE[:2], {"type": "Pad"} | keys, *PIPELINE[2:]]
    assert load(folder, DETECTOR, {"test_dataloader.dataset.pipeline": pipeline}).preprocessing[2] == expected


@pytest.mark.parametrize("value", [None, {"backend": "disk"}, {"backend": "local"}])
def test_files_of_this_machine_are_read(folder: Path, value: Any) -> None:
    load_step = LOAD | {"file_client_args": value}
    changes = {"test_dataloader.dataset.pipeline": [load_step, *PIPELINE[1:]]}
    assert load(folder, DETECTOR, changes).preprocessing[0] == LoadImageFromFile("color_ignore_orientation")


def test_images_that_a_data_set_holds_are_read_as_files_are(folder: Path) -> None:
    pipeline = [{"type": "LoadImageFromNDArray"}, *PIPELINE[1:]]
    config = load(folder, DETECTOR, {"test_dataloader.dataset.pipeline": pipeline})
    assert config.preprocessing[0] == LoadImageFromFile()
    pipeline[0] = {"type": "LoadImageFromNDArray", "color_type": "grayscale"}
    with pytest.raises(ConfigError, match=r"pipeline\[0\]\.color_type of LoadImageFromNDArray can be 'color' only"):
        load(folder, DETECTOR, {"test_dataloader.dataset.pipeline": pipeline})


def test_a_config_of_pre_training_has_no_data_sets(folder: Path) -> None:
    values = {key: value for key, value in DETECTOR.items() if key != "test_dataloader"}
    config = load(folder, values | {"test_pipeline": PIPELINE})
    assert (config.datasets, len(config.preprocessing)) == ((), 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model.type": "DRRG"},
            "'DRRG': the architecture is not supported; supported are DBNet, PSENet, PANet, FCENet, TextSnake, CRNN",
        ),
        ({"model.det_head.postprocessor.type": "X"}, "'X' of MMOCR 1.x is not supported yet"),
        ({"model.det_head.novelty": 1}, "model.det_head.novelty of the config: not known"),
        ({"model.det_head.postprocessor.rescale_fields": ["a"]}, "only ('polygons',) is supported"),
        ({"model.data_preprocessor.rgb_to_bgr": True}, "rgb_to_bgr = True cannot be honoured"),
        ({"model.data_preprocessor.pad_size_divisor": 1}, "does not pad images to multiples of 32"),
        ({"model.data_preprocessor": REMOVED}, "lacks the key 'data_preprocessor'"),
        ({"test_dataloader.dataset.type": "RecogTextDataset"}, "'RecogTextDataset' of MMOCR 1.x is not supported for"),
        ({"test_dataloader.dataset.pipeline": [LOAD, {"type": "TextRecogGeneralAug"}]}, "Aug' of MMOCR 1.x is not"),
        (
            {"test_dataloader.dataset.pipeline": [LOAD | {"backend_args": {"backend": "petrel"}}]},
            "pipeline[0].backend_args = {'backend': 'petrel'} cannot be honoured: only local files are read",
        ),
        (
            {"test_dataloader.dataset.pipeline": [LOAD, {"type": "Pad", "size": (1, 1), "padding_mode": "edge"}]},
            "padding_mode = 'edge' cannot be honoured",
        ),
        ({"test_dataloader.dataset.pipeline": PIPELINE[1:]}, "must begin with LoadImageFromFile"),
        ({"test_dataloader.dataset.pipeline": None}, "pipeline of the config must be a list of steps, got NoneType"),
        ({"test_dataloader.dataset.novelty": 1}, "test_dataloader.dataset.novelty of the config: not known"),
        ({"test_evaluator": {"type": "X"}}, "test_evaluator.type = 'X' cannot be honoured"),
    ],
)
def test_what_cannot_be_honoured_is_named(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, DETECTOR, changes)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_the_outline_of_an_unknown_network_is_read(folder: Path) -> None:
    load(folder, DETECTOR)
    assert load_outline(folder / "config.py").architecture == "DBNet"
    with pytest.raises(ConfigError, match="NewNet"):
        load(folder, DETECTOR, {"model.type": "NewNet"})
    outline = load_outline(folder / "config.py")
    assert (outline.architecture, outline.task, outline.dialect) == ("NewNet", "det", "mmocr1")


def test_a_base_of_another_package_is_told(folder: Path) -> None:
    (folder / "c.py").write_text("_base_ = ['mmdet::_base_/default_runtime.py']\n")
    with pytest.raises(ConfigError, match="of another package, which is not supported"):
        load_config(folder / "c.py")


def test_a_network_of_mmdet_in_a_base_of_its_own_is_named(folder: Path) -> None:
    base = (
        "_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py']\nmodel = dict(type='MMDetWrapper', cfg=_base_.model)\n"
    )
    (folder / "base.py").write_text(base)
    (folder / "c.py").write_text("_base_ = 'base.py'\n")
    with pytest.raises(ConfigError) as caught:
        load_config(folder / "c.py")
    assert caught.value.message == (
        f"{folder / 'base.py'}: model.type = 'MMDetWrapper' of the base 'mmdet::_base_/models/mask-rcnn_r50_fpn.py': "
        "the architecture is not supported"
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model": {"type": "DBNet", "data_preprocessor": {}}}, "mmocr1"),
        ({"model": {"type": "DBNet", "det_head": {}}}, "mmocr1"),
        ({"model": {"type": "DBNet"}, "train_dataloader": {}}, "mmocr1"),
        ({"val_dataloader": {}}, "mmocr1"),
        ({"model": {"type": "DBNet", "bbox_head": {}}, "data": {"test": {}}}, "mmocr0"),
        ({"model": {"type": "DBNet", "bbox_head": {}}, "data": {}, "test_dataloader": {}}, "mmocr0"),
        ({"model": 3}, "mmocr0"),
        ({}, "mmocr0"),
    ],
)
def test_generations_are_told_apart_by_what_a_config_holds(values: dict[str, Any], expected: str) -> None:
    assert dialect_of(values) == expected
