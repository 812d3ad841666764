import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.images import read_image
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]


def test_json_is_a_line_an_image_and_nothing_else(command: Command, sample_onnx: Path, sample_dir: Path) -> None:
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:2]
    outcome = command("predict", sample_onnx, *images, "--json", "-")
    assert outcome.code == 0
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [line["image"] for line in lines] == [str(image) for image in images]
    for line in lines:
        assert (line["model"], line["backend"]) == (str(sample_onnx), "onnxruntime")
        assert len(line["polygons"]) == len(line["scores"]) > 0


def test_words_give_texts_and_scores(command: Command, seeded_onnx: Callable[[str], Path], sample_dir: Path) -> None:
    outcome = command("predict", seeded_onnx("crnn"), sample_dir / "imgs" / "syn_0022.jpg", "--json", "-")
    line = json.loads(outcome.out)
    assert set(line) == {"image", "model", "backend", "text", "char_scores"}
    assert len(line["text"]) == len(line["char_scores"])


def test_draw_writes_pictures_and_leaves_the_images_alone(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    image = tmp_path / "a.png"
    image.write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes())
    before = image.read_bytes()
    assert command("predict", sample_onnx, image, "--draw", tmp_path).code == 0
    assert image.read_bytes() == before
    drawn = read_image(tmp_path / "a.pred.png", "color")
    original = read_image(image, "color")
    assert drawn.shape == original.shape
    assert 0 < (drawn != original).any(axis=2).mean() < 0.2


def test_an_image_that_cannot_be_read_is_reported_and_the_others_go_on(
    command: Command, sample_onnx: Path, sample_dir: Path
) -> None:
    outcome = command("predict", sample_onnx, "none.jpg", sample_dir / "imgs" / "syn_0022.jpg", "--json", "-")
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 1
    assert "the image none.jpg does not exist" in outcome.err


def test_the_only_image_that_cannot_be_read_is_wrong_usage(command: Command, sample_onnx: Path) -> None:
    outcome = command("predict", sample_onnx, "none.jpg")
    assert (outcome.code, outcome.error) == (2, "the image none.jpg does not exist. Check the path.")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", b"", "cannot be opened by ONNX Runtime"),
        ("m.onnx", b"\xff\xd8\xff\xe0 not a model", "cannot be opened by ONNX Runtime"),
        ("m.jpg", b"", "is not a model: its name should end with one of .onnx"),
        ("none.onnx", None, "none.onnx does not exist"),
        ("m.engine", b"plan", "TensorRT"),
    ],
)
def test_what_is_no_model_is_refused(
    name: str, content: bytes | None, message: str, command: Command, sample_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    outcome = command("predict", path, sample_dir / "imgs" / "syn_0022.jpg")
    assert outcome.code == (3 if name == "m.engine" else 2)
    assert message in outcome.error


def test_a_cut_off_model_is_refused(command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(sample_onnx.read_bytes()[:100_000])
    image = sample_dir / "imgs" / "syn_0022.jpg"
    for options in ([], ["--device", "cuda:97"], ["--backend", "torch"]):
        outcome = command("predict", path, image, *options)
        assert outcome.code == 2
        assert str(path) in outcome.error
