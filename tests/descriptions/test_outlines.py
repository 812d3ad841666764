from pathlib import Path

import pytest

from ocrdeploy.descriptions.loading import load_config, load_outline
from ocrdeploy.errors import ConfigError
from tests.support.models import OF_MMOCR0, config_text


def write(folder: Path, architecture: str, *changes: tuple[str, str]) -> Path:
    text = config_text(architecture)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "config.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("architecture", OF_MMOCR0)
def test_of_known_networks_the_outline_says_what_the_whole_config_says(architecture: str, tmp_path: Path) -> None:
    path = write(tmp_path, architecture)
    config, outline = load_config(path), load_outline(path)
    for name in ("architecture", "task", "preprocessing", "postprocessing", "datasets", "evaluation", "record"):
        assert getattr(outline, name) == getattr(config, name)


def test_networks_that_are_not_known_are_no_hindrance(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "dbnet",
        ("depth=18", "depth=152, dilations=(1, 1, 1, 2)"),
        ("out_channels=8)", "out_channels=8, asf_cfg=dict(attention_type='ScaleChannelSpatial'))"),
        ("type='DBNet'", "type='DBNetOfMine'"),
    )
    with pytest.raises(ConfigError):
        load_config(path)
    outline = load_outline(path)
    assert (outline.architecture, outline.task) == ("DBNetOfMine", "det")


@pytest.mark.parametrize(
    ("architecture", "change", "message"),
    [
        ("dbnet", ("type='DBHead'", "type='DRRGHead'"), "model.bbox_head.type = 'DRRGHead': the head is not supported"),
        ("dbnet", ("text_repr_type='quad'", "text_repr='quad'"), "model.bbox_head.postprocessor.text_repr"),
        ("dbnet", ("bbox_head=", "roi_head="), "it has neither a bbox_head nor a label_convertor"),
        ("dbnet", ("size_divisor=32", "size_divisor=8"), "does not pad images to multiples of 32"),
        ("dbnet", ("IcdarDataset", "FolderDataset"), "the data set is not supported"),
        ("crnn", ("CTCConvertor", "SegConvertor"), "supported are CTCConvertor, AttnConvertor"),
        ("crnn", ("'ResizeOCR'", "'PyramidRescale'"), "the pipeline step 'PyramidRescale' is not known"),
    ],
)
def test_what_is_left_of_the_config_is_read_as_strictly_as_ever(
    architecture: str, change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, architecture, change)
    with pytest.raises(ConfigError) as caught:
        load_outline(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CRNNNet is a model for task 'recog', not 'det'"):
        load_outline(write(tmp_path, "crnn"), "det")
