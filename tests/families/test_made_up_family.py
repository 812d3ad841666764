"""A family that is added to the tuple runs in every command, without a word of it anywhere else."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from ocrdeploy import families
from ocrdeploy.cli.main import run
from ocrdeploy.decoders.db import db_map
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.families.family import Family, Shape, Tensors, image_input
from ocrdeploy.model_spec import ExportOptions

MULTIPLE = 8

CONFIG = """
model = dict(
    type='BlurNet', backbone=dict(type='Blur', width=3), bbox_head=dict(type='DBHead', in_channels=1),
    train_cfg=None)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', img_scale=(96, 64), keep_ratio=True),
    dict(type='Normalize', mean=[127, 127, 127], std=[60, 60, 60]),
    dict(type='Pad', size_divisor=8)]
data = dict(test=dict(type='IcdarDataset', ann_file='a.json', img_prefix='imgs', pipeline=pipeline))
"""


@dataclasses.dataclass(frozen=True)
class BlurSettings:
    """A blur of the image."""

    width: int


class Blur(torch.nn.Module):
    """Dark text is where the blurred image is dark."""

    def __init__(self, settings: BlurSettings) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 1, settings.width, padding=settings.width // 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.conv(images))


def read(parts: NetworkParts) -> BlurSettings:
    backbone, head = parts.take("backbone"), parts.take("head")
    backbone.expect_type("Blur")
    width = backbone.take("width", int)
    backbone.finish()
    head.skip("type", "in_channels")
    head.finish()
    return parts.finish(BlurSettings, width)


def tensors(_settings: BlurSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    image = image_input(("batch", 3, "height", "width"), shape, MULTIPLE)
    batch, _, height, width = image.shape
    return image, (db_map((batch, height, width), all_outputs=False),)


def build(settings: BlurSettings, _options: ExportOptions) -> torch.nn.Module:
    return Blur(settings)


MADE_UP = Family("BlurNet", {"mmocr0": "BlurNet"}, "det", read, tensors, build, MULTIPLE)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with config, checkpoint and two images, in which the family is known."""
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, MADE_UP))
    monkeypatch.chdir(tmp_path)
    Path("blur.py").write_text(CONFIG)
    network = Blur(BlurSettings(3))
    with torch.no_grad():
        network.conv.weight.fill_(-0.3)
        network.conv.bias = torch.nn.Parameter(torch.zeros(1))
    torch.save({"state_dict": network.state_dict()}, "blur.pth")
    import cv2

    image = np.full((60, 90, 3), 255, np.uint8)
    image[20:40, 10:80] = 0
    cv2.imwrite("a.png", image)
    return tmp_path


def test_export_verify_and_predict_run_with_it(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "blur.py", "blur.pth", "--dynamic", "--quiet"]) == 0
    assert run(["verify", "model.onnx", "--images", "a.png", "--quiet"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert run(["predict", "model.onnx", "a.png", "--json", "-"]) == 0
    document = msgspec.json.decode(capsys.readouterr().out)
    # DB grows what it finds by some pixels.
    (polygon,) = document["polygons"]
    corners = np.array(polygon).reshape(-1, 2)
    assert corners.min(axis=0) == pytest.approx([10, 20], abs=13)
    assert corners.max(axis=0) == pytest.approx([80, 40], abs=13)


def test_its_multiple_is_that_of_every_check(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "blur.py", "blur.pth", "--shape", "1", "3", "40", "48", "-o", "m.onnx", "--quiet"]) == 0
    assert run(["export", "blur.py", "blur.pth", "--shape", "1", "3", "40", "44", "-o", "n.onnx", "--quiet"]) == 2
    assert "multiples of 8, got 40 and 44" in capsys.readouterr().err
    assert not (model / "n.onnx").exists()


def test_without_it_the_architecture_is_refused_by_name(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(families, "FAMILIES", families.FAMILIES[:-1])
    assert run(["export", "blur.py", "blur.pth", "--quiet"]) == 2
    assert "'BlurNet': the architecture is not supported; supported are DBNet" in capsys.readouterr().err
