"""A family that is added to the tuple runs in every command, without a word of it anywhere else."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch

from ocrdeploy import families, open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.cli.main import run
from ocrdeploy.decoders.ctc import ctc_tensors
from ocrdeploy.decoders.db import db_map
from ocrdeploy.dialects.outline import NetworkParts
from ocrdeploy.errors import ShapeError
from ocrdeploy.families.family import Family, Shape, Tensors, image_input, valid_ratio_input
from ocrdeploy.model_spec import Dimension, ExportOptions

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
    return (image,), (db_map((batch, height, width), all_outputs=False),)


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


STRIPES = """
model = dict(
    type='StripeNet', backbone=dict(type='Stripes'), decoder=dict(type='Threshold'),
    label_convertor=dict(type='CTCConvertor', dict_list=['a'], with_unknown=False, lower=True))
pipeline = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='ResizeOCR', height=32, min_width=32, max_width=64, keep_aspect_ratio=True),
    dict(type='ToTensorOCR'),
    dict(type='NormalizeOCR', mean=[0.5], std=[0.5])]
data = dict(test=dict(
    type='OCRDataset', img_prefix='.', ann_file='words.txt',
    loader=dict(type='AnnFileLoader', repeat=1, file_format='txt', file_storage_backend='disk',
        parser=dict(type='LineStrParser', keys=['filename', 'text'], keys_idx=[0, 1], separator=' ')),
    pipeline=pipeline))
evaluation = dict(metric='acc')
"""


class Stripes(torch.nn.Module):
    """Reads a letter where columns are darker than the word is on average, which padding would change."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(10.0))

    def forward(self, images: torch.Tensor, valid_ratio: torch.Tensor) -> torch.Tensor:
        columns = images.mean(dim=2).squeeze(1)
        places = torch.arange(columns.shape[1]).float()
        is_word = (places < columns.shape[1] * valid_ratio[:, None]).float()
        average = (columns * is_word).sum(dim=1, keepdim=True) / is_word.sum(dim=1, keepdim=True)
        dark = (average - columns) * self.scale
        return torch.stack((torch.zeros_like(dark), dark), dim=2)


@dataclasses.dataclass(frozen=True)
class StripeSettings:
    """It has none."""


def read_stripes(parts: NetworkParts) -> StripeSettings:
    for name in ("backbone", "decoder"):
        section = parts.take(name)
        section.skip("type", "num_classes")
        section.finish()
    return parts.finish(StripeSettings)


def stripe_tensors(_settings: StripeSettings, _options: ExportOptions, shape: Shape | None) -> Tensors:
    image = image_input(("batch", 1, 32, "width"), shape)
    batch, _, _, width = image.shape
    steps: Dimension = width if isinstance(width, int) else "steps"
    return (image, valid_ratio_input(batch)), ctc_tensors((batch, steps), 2, "logits")


MASKING = Family(
    "StripeNet", {"mmocr0": "StripeNet"}, "recog", read_stripes, stripe_tensors, lambda _settings, _options: Stripes()
)


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with config, checkpoint, and words of several widths; in it the family is known."""
    import cv2

    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, MASKING))
    monkeypatch.chdir(tmp_path)
    Path("stripes.py").write_text(STRIPES)
    torch.save({"state_dict": Stripes().state_dict()}, "stripes.pth")
    for width in (20, 28, 64):
        # The padding is darker than the whole word, so a network that takes it for word reads nothing.
        image = np.full((32, width), 250, np.uint8)
        image[:, 8:12] = 200
        cv2.imwrite(f"{width}.png", image)
    Path("words.txt").write_text("20.png a\n28.png a\n64.png a\n")
    return tmp_path


@pytest.mark.parametrize("shape", [["--dynamic"], ["--shape", "3", "1", "32", "64"]])
def test_a_network_with_a_second_input_runs_in_every_command(
    shape: list[str], words: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "stripes.py", "stripes.pth", *shape, "--json", "-"]) == 0
    graph = onnx.load_model("model.onnx").graph
    batch = 3 if shape != ["--dynamic"] else "batch"
    assert [each.name for each in graph.input] == ["input", "valid_ratio"]
    spec = read_onnx_spec(words / "model.onnx")
    assert [tensor.shape[0] for tensor in spec.inputs] == [batch, batch]
    pictures = ["20.png", "28.png", "64.png"]
    assert run(["verify", "model.onnx", "--images", ".", "--quiet"]) == 0, capsys.readouterr().err
    assert run(["verify", "model.onnx", "--bisect", "--quiet"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    for backend in ("onnxruntime", "torch"):
        assert run(["predict", "model.onnx", *pictures, "--backend", backend, "--json", "-"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [msgspec.json.decode(line)["text"] for line in lines] == ["a", "a", "a"]
    for size in (["--batch-size", "3"], []):
        # Batches of words of several widths, each with its own part that is word.
        command = ["evaluate", "model.onnx", "--backend", "torch,onnxruntime", *size, "--json", "-"]
        assert run(command) == 0, capsys.readouterr().err
        rows = msgspec.json.decode(capsys.readouterr().out)["rows"]
        assert [row["metrics"]["word_acc"] for row in rows] == [1, 1]
    assert run(["benchmark", "model.onnx", "--rounds", "1", "--count", "3", "--quiet"]) == 0


def test_a_second_input_that_a_graph_lacks_is_missed_by_name(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "stripes.py", "stripes.pth", "--dynamic", "--quiet"]) == 0
    model = onnx.load_model("model.onnx")
    ratio = model.graph.input.pop()
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(1, np.float32), ratio.name))
    onnx.save_model(model, "frozen.onnx")
    assert run(["predict", "frozen.onnx", "20.png"]) == 2
    assert "speaks of 'input', 'valid_ratio'" in capsys.readouterr().err
    assert (words / "model.onnx").exists()


def test_a_batch_by_the_names_of_the_inputs(words: Path) -> None:
    assert run(["export", "stripes.py", "stripes.pth", "--dynamic", "--quiet"]) == 0
    images = np.random.default_rng(0).normal(0, 1, (2, 1, 32, 16)).astype(np.float32)
    ratios = np.array([1, 0.5], np.float32)
    with open_predictor(words / "model.onnx") as predictor:
        together = predictor.infer({"input": images, "valid_ratio": ratios})["logits"]
        for index in range(2):
            part = slice(index, index + 1)
            alone = predictor.infer({"input": images[part], "valid_ratio": ratios[part]})["logits"]
            np.testing.assert_allclose(together[part], alone, atol=1e-6)
        with pytest.raises(ShapeError, match="arrays for its inputs"):
            predictor.infer(images)
