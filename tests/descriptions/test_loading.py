from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.artifacts import sha256_of
from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, PANPostprocessor, PSEPostprocessor
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.errors import ConfigError, OcrDeployWarning
from ocrdeploy.model_spec import EvaluationSettings, IcdarDataset, OCRDataset
from ocrdeploy.steps import LoadImageFromFile, Normalize, Pad, Resize
from tests.support.configs import (
    ICDAR,
    LINES,
    LOAD,
    NORMALIZE,
    PAD,
    RECOGNITION_PIPELINE,
    REMOVED,
    RESIZE,
    detection_config,
    recognition_config,
    write_config,
)
from tests.support.models import config_text

OFFICIAL = [
    "textdet/dbnet/dbnet_r18_fpnc_1200e_icdar2015.py",
    "textdet/panet/panet_r18_fpem_ffm_600e_ctw1500.py",
    "textdet/panet/panet_r18_fpem_ffm_600e_icdar2015.py",
    "textdet/psenet/psenet_r50_fpnf_600e_ctw1500.py",
    "textdet/psenet/psenet_r50_fpnf_600e_icdar2015.py",
    "textrecog/crnn/crnn_academic_dataset.py",
]


@pytest.fixture
def configs(data_dir: Path) -> Path:
    return data_dir / "configs"


def refusal(folder: Path, values: dict[str, Any]) -> str:
    """Return the message of the error without the config's name."""
    path = write_config(folder, values)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = caught.value.message
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_detector(configs: Path) -> None:
    config = load_config(configs / "dbnet.py")
    assert (config.architecture, config.task) == ("DBNet", "det")
    assert config.preprocessing == (
        LoadImageFromFile("color_ignore_orientation"),
        Resize((960, 544)),
        Normalize((123.0, 116.5, 103.5), (58.0, 57.0, 57.5)),
        Pad(size_divisor=32),
    )
    assert config.postprocessing == DBPostprocessor(text_repr_type="quad", unclip_ratio=1.8)
    assert config.datasets == (IcdarDataset("data/words/instances.json", "data/words/imgs"),)
    assert config.evaluation == EvaluationSettings(("hmean-iou",))
    assert config.record.path == str((configs / "dbnet.py").resolve())
    assert config.record.sha256 == sha256_of(configs / "dbnet.py")


def test_the_other_detectors(configs: Path) -> None:
    psenet, panet = load_config(configs / "psenet.py"), load_config(configs / "panet.py")
    assert psenet.postprocessing == PSEPostprocessor(min_kernel_area=10)
    assert panet.postprocessing == PANPostprocessor(text_repr_type="quad")
    assert psenet.preprocessing == panet.preprocessing == load_config(configs / "dbnet.py").preprocessing


def test_a_recognizer_with_several_data_sets(configs: Path) -> None:
    config = load_config(configs / "crnn.py")
    assert (config.architecture, config.task) == ("CRNNNet", "recog")
    assert [(dataset.ann_file, type(dataset)) for dataset in config.datasets] == [
        ("data/lines/label.txt", OCRDataset),
        ("data/packed/label.lmdb", OCRDataset),
        ("data/objects/label.jsonl", OCRDataset),
    ]
    assert isinstance(config.postprocessing, CTCConvertor)
    assert (len(config.postprocessing.dictionary), config.postprocessing.lower) == (37, True)
    assert config.evaluation == EvaluationSettings(("acc",))


def test_groups_of_data_sets_and_a_replaced_dictionary(configs: Path) -> None:
    config = load_config(configs / "crnn_groups.py")
    assert len(config.datasets) == 3
    assert config.postprocessing == CTCConvertor(("<BLK>", "a", "b", "c", "<UKN>"), 4)
    assert config.preprocessing == load_config(configs / "crnn.py").preprocessing


def test_json_and_yaml(configs: Path) -> None:
    config = load_config(configs / "dbnet.json")
    assert config.postprocessing == DBPostprocessor(text_repr_type="poly", unclip_ratio=1.8)
    assert config.preprocessing == load_config(configs / "dbnet.py").preprocessing
    assert config.datasets == (IcdarDataset("data/words/instances.json", "data/words"),)
    config = load_config(configs / "dbnet.yaml")
    assert config.preprocessing[1:] == (
        Resize((960, 544), keep_ratio=False),
        Normalize((1, 2, 3), (4, 5, 6), to_rgb=False),
    )
    assert config.evaluation == EvaluationSettings(("hmean-iou", "hmean-ic13"), 0.4, 0.8, 0.2)


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_configs(extra_data_dir: Path, name: str) -> None:
    config = load_config(extra_data_dir / "golden" / "configs" / name)
    assert config.task == ("recog" if name.startswith("textrecog") else "det")
    assert len(config.datasets) == (6 if config.task == "recog" else 1)


@pytest.mark.parametrize("name", ["crnn", "dbnet", "dbnet_sample", "panet", "psenet"])
def test_small_models(extra_data_dir: Path, name: str) -> None:
    assert load_config(extra_data_dir / "models" / f"{name}.py").architecture.lower().startswith(name[:4])


def test_the_task_may_be_named(tmp_path: Path) -> None:
    path = write_config(tmp_path, detection_config())
    assert load_config(path, "det") == load_config(path)
    with pytest.raises(ConfigError, match=r"^.*config\.py: DBNet is a model for task 'det', not 'recog'$"):
        load_config(path, "recog")


@pytest.mark.parametrize(
    ("evaluation", "expected"),
    [
        (REMOVED, EvaluationSettings(("hmean-iou",))),
        ({}, EvaluationSettings(("hmean-iou",))),
        ({"metric": ["hmean-iou", "hmean-ic13"]}, EvaluationSettings(("hmean-iou", "hmean-ic13"))),
        (
            {"metric": "hmean-ic13", "min_score_thr": 0.2, "max_score_thr": 0.5, "step": 0.05},
            EvaluationSettings(("hmean-ic13",), 0.2, 0.5, 0.05),
        ),
        # The older name goes before the newer, unless it is nothing.
        ({"score_thr": 0.4, "min_score_thr": 0.2}, EvaluationSettings(("hmean-iou",), 0.4)),
        ({"score_thr": 0, "min_score_thr": 0.2}, EvaluationSettings(("hmean-iou",), 0.2)),
        ({"score_thr": None}, EvaluationSettings(("hmean-iou",))),
        (
            {"interval": 1, "save_best": "auto", "rule": "greater", "gpu_collect": True, "rank_list": None},
            EvaluationSettings(("hmean-iou",)),
        ),
    ],
)
def test_evaluation(tmp_path: Path, evaluation: Any, expected: EvaluationSettings) -> None:
    assert load_config(write_config(tmp_path, detection_config({"evaluation": evaluation}))).evaluation == expected


def test_a_list_of_the_worst_images_is_not_written_and_that_is_said(tmp_path: Path) -> None:
    path = write_config(tmp_path, detection_config({"evaluation": {"rank_list": "worst.json"}}))
    with pytest.warns(OcrDeployWarning, match=r"evaluation\.rank_list = 'worst\.json' .*: evaluate --worst N"):
        load_config(path)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("word_acc", ("word_acc",)),
        (["word_acc", "one_minus_ned"], ("word_acc", "1-N.E.D")),
        (["recog/char_recall"], ("char_recall",)),
    ],
)
def test_numbers_of_words_may_be_asked_for(tmp_path: Path, metric: Any, expected: tuple[str, ...]) -> None:
    path = write_config(tmp_path, recognition_config({"evaluation.metric": metric}))
    assert load_config(path).evaluation.metric == expected


def test_evaluation_of_recognizers(tmp_path: Path) -> None:
    path = write_config(tmp_path, recognition_config({"evaluation": REMOVED}))
    assert load_config(path).evaluation == EvaluationSettings(("acc",))


PADDED = "the test pipeline does not pad images to multiples of 32, which DBNet needs"


@pytest.mark.parametrize(
    ("steps", "fits"),
    [
        ([LOAD, RESIZE, NORMALIZE, PAD], True),
        ([LOAD, RESIZE, NORMALIZE, PAD | {"size_divisor": 64}], True),
        ([LOAD, RESIZE, NORMALIZE], False),
        ([LOAD, RESIZE, NORMALIZE, PAD | {"size_divisor": 16}], False),
        ([LOAD, NORMALIZE, PAD], True),
        ([LOAD, NORMALIZE], False),
        ([LOAD, PAD, RESIZE, NORMALIZE], False),
        ([LOAD, RESIZE | {"keep_ratio": False}, NORMALIZE], True),
        ([LOAD, RESIZE | {"keep_ratio": False, "img_scale": (320, 200)}, NORMALIZE], False),
        ([LOAD, RESIZE, NORMALIZE, {"type": "Pad", "size": (320, 320)}], True),
        ([LOAD, RESIZE, NORMALIZE, {"type": "Pad", "size": (320, 330)}], False),
    ],
)
def test_images_of_detectors_are_multiples_of_the_stride(tmp_path: Path, steps: list[Any], fits: bool) -> None:
    values = detection_config({"data.test.pipeline": steps})
    if fits:
        load_config(write_config(tmp_path, values))
    else:
        assert refusal(tmp_path, values) == PADDED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": REMOVED}, "the config has no `model`"),
        ({"data": REMOVED}, "the config has no `data`"),
        ({"data": REMOVED, "test_dataloader": {}}, "model of the config lacks the key 'data_preprocessor'"),
        ({"data.test": REMOVED}, "data of the config lacks the key 'test'"),
        ({"data": None}, "data of the config must be a dict, got NoneType"),
        ({"model": []}, "model of the config must be a dict, got list"),
        ({"data.test": [ICDAR]}, "data.test[0] of the config has no pipeline"),
        ({"data.test.pipeline": REMOVED}, "data.test of the config has no pipeline"),
        ({"data.test.pipeline": None}, "data.test of the config has no pipeline"),
        ({"model.type": "DRRG"}, "model.type = 'DRRG': the architecture is not supported"),
        ({"evaluation": None}, "evaluation of the config must be a dict, got NoneType"),
        (
            {"evaluation.metric": "bbox"},
            "evaluation.metric = 'bbox' cannot be honoured: known are hmean-iou, hmean-ic13",
        ),
        ({"evaluation.metric": "acc"}, "evaluation.metric = 'acc' cannot be honoured: known are hmean-iou, hmean-ic13"),
        ({"evaluation.metric": []}, "evaluation of the config: metric names no metric"),
        ({"evaluation.iou_thr": 0.5}, "evaluation.iou_thr of the config: not known"),
        ({"evaluation.step": 0}, "evaluation of the config: score thresholds from 0.3 to 0.9 by 0.0 are no sweep"),
        (
            {"evaluation.step": 1e-9},
            "evaluation of the config: score thresholds from 0.3 to 0.9 by 1e-09 are more than 1000",
        ),
        (
            {"model.bbox_head.postprocessor": {"type": "DBPostprocessor", "mask_thr": 2}},
            "model.bbox_head.postprocessor.mask_thr of the config: Expected `float` <= 1.0, got 2",
        ),
        ({"evaluation.min_score_thr": "0"}, "evaluation.min_score_thr of the config: Expected `float`, got `str`"),
        (
            {"data.test.pipeline": [LOAD | {"color_type": "grayscale"}, PAD]},
            "the test pipeline reads images of 1 channel",
        ),
        ({"model.backbone.in_channels": 1}, "the test pipeline reads images of 3 channel(s), the backbone takes 1"),
        (
            {"data.test": LINES | {"pipeline": [LOAD, RESIZE, NORMALIZE, PAD]}},
            "data.test of the config holds OCRDataset, which is not for DBNet",
        ),
    ],
)
def test_what_cannot_be_honoured_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert refusal(tmp_path, detection_config(changes)).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation.metric": "hmean-iou"}, "evaluation.metric = 'hmean-iou' cannot be honoured: known are acc"),
        (
            {"data.test": ICDAR | {"pipeline": RECOGNITION_PIPELINE}},
            "data.test of the config holds IcdarDataset, which",
        ),
        ({"model.backbone.input_channels": 3}, "the test pipeline reads images of 1 channel(s), the backbone takes 3"),
        (
            {"data.test.pipeline": [RECOGNITION_PIPELINE[0], {"type": "ResizeOCR", "height": 48}]},
            "the test pipeline makes images 48 pixels high, CRNNNet takes 32",
        ),
    ],
)
def test_what_cannot_be_honoured_of_recognizers_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert refusal(tmp_path, recognition_config(changes)).startswith(message)


def test_the_fix_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path, detection_config({"data.test.pipeline": [LOAD, NORMALIZE]})))
    assert caught.value.fix == "Add dict(type='Pad', size_divisor=32) after Normalize."


@pytest.mark.parametrize("scales", ["(8, 16)", "(8, 16, 32, 64)", "(4, 8, 16)"])
def test_a_decoder_that_reads_other_levels_than_the_network_gives_is_refused(scales: str, tmp_path: Path) -> None:
    config = tmp_path / "a.py"
    config.write_text(config_text("fcenet").replace("scales=(8, 16, 32)", f"scales={scales}"))
    with pytest.raises(ConfigError, match=r"gives classes_8, .*, and by its scales FCEPostprocessor reads classes_"):
        load_config(config)
