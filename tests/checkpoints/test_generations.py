from pathlib import Path

import pytest
import torch

from ocrdeploy.checkpoints.generations import check_generation, generation_of
from ocrdeploy.checkpoints.state_dict import read_checkpoint
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import load_network
from ocrdeploy.errors import CheckpointError, OcrDeployWarning
from tests.support.models import write_model

RECOGNISER = ["backbone.cnn.conv0.weight", "decoder.decoder.0.rnn.weight_ih_l0"]


@pytest.mark.parametrize(
    ("meta", "keys", "expected"),
    [
        ({"mmengine_version": "0.10.7"}, RECOGNISER, "1.x"),
        ({"mmocr_version": "1.0.1"}, RECOGNISER, "1.x"),
        ({}, ["backbone.conv1.weight", "det_head.binarize.0.weight"], "1.x"),
        ({"mmocr_version": "0.6.3"}, RECOGNISER, "0.x"),
        ({"mmcv_version": "1.5.0"}, RECOGNISER, "0.x"),
        ({}, ["backbone.conv1.weight", "bbox_head.binarize.0.weight"], "0.x"),
        ({"epoch": 1}, RECOGNISER, None),
        ({}, RECOGNISER, None),
    ],
)
def test_a_checkpoint_says_what_wrote_it(meta: dict[str, object], keys: list[str], expected: str | None) -> None:
    assert generation_of(meta, keys) == expected


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_meta_is_read_in_every_layout(trust: bool, zipped: bool, tmp_path: Path) -> None:
    content = {"meta": {"mmengine_version": "0.10.7"}, "state_dict": {"a": torch.ones(1)}}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(tmp_path / "a.pth", trust=trust).generation == "1.x"
    torch.save(content["state_dict"], tmp_path / "b.pth", _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(tmp_path / "b.pth", trust=trust).generation is None


def test_the_same_keys_of_the_other_generation_are_refused(tmp_path: Path) -> None:
    files = write_model(tmp_path, "crnn")
    content = torch.load(files.checkpoint, weights_only=True)
    content["meta"] = {"mmengine_version": "0.10.7"}
    torch.save(content, files.checkpoint)
    with pytest.raises(CheckpointError) as caught:
        load_network(load_config(files.config), files.checkpoint, None)
    assert str(caught.value) == (
        f"checkpoint {files.checkpoint} was written by MMOCR 1.x, and the config is one of MMOCR 0.x. "
        "Give a checkpoint of MMOCR 0.x, or the config that this one was trained with."
    )


def test_a_recogniser_that_does_not_say_is_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    check_generation(None, "0.x", Path("a.pth"), "det")
    assert not recwarn
    with pytest.warns(OcrDeployWarning, match=r"a\.pth does not say which generation .*: 0\.x is assumed"):
        check_generation(None, "0.x", Path("a.pth"), "recog")
