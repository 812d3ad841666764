import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.errors import DeviceError, ImageError, OutputError
from ocrdeploy.images.drawing import write_png
from ocrdeploy.images.reading import read_image
from ocrdeploy.results import Detection
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
    assert [json.loads(line).get("error") for line in outcome.out.splitlines()] == [
        "the image none.jpg does not exist. Check the path.",
        None,
    ]
    assert "the image none.jpg does not exist" in outcome.err


def test_one_image_that_cannot_be_read_is_treated_as_many_are(
    command: Command, sample_onnx: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    outcome = command("predict", sample_onnx, "none.jpg", "--json", path)
    assert (outcome.code, outcome.error) == (1, "the image none.jpg does not exist. Check the path.")
    line = json.loads(path.read_text())
    assert (line["image"], line["error"]) == ("none.jpg", outcome.error)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", b"", "is not an ONNX model"),
        ("m.onnx", b"\xff\xd8\xff\xe0 not a model", "is not an ONNX model"),
        ("m.jpg", b"", "is not a model: its name should end with one of .onnx"),
        ("none.onnx", None, "none.onnx does not exist"),
        ("m.engine", b"plan", "m.engine has no sidecar m.engine.json"),
    ],
)
def test_what_is_no_model_is_refused(
    name: str, content: bytes | None, message: str, command: Command, sample_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    outcome = command("predict", path, sample_dir / "imgs" / "syn_0022.jpg")
    assert outcome.code == 2
    assert message in outcome.error


def test_a_cut_off_model_is_refused(command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(sample_onnx.read_bytes()[:100_000])
    image = sample_dir / "imgs" / "syn_0022.jpg"
    for options in ([], ["--device", "cuda:97"], ["--backend", "torch"]):
        outcome = command("predict", path, image, *options)
        assert outcome.code == 2
        assert str(path) in outcome.error


@pytest.fixture
def pictures(sample_dir: Path, tmp_path: Path) -> Path:
    """Images of the same names in two folders, a text file, and a broken image."""
    names = sorted(path.name for path in (sample_dir / "imgs").glob("*.jpg"))[:3]
    for folder, image in (("x", names[0]), ("x/y", names[1])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes((sample_dir / "imgs" / image).read_bytes())
    (tmp_path / "x" / "b.JPG").write_bytes((sample_dir / "imgs" / names[2]).read_bytes())
    (tmp_path / "x" / "notes.txt").write_text("no image")
    return tmp_path / "x"


def images_of(outcome: Outcome) -> list[str]:
    return [json.loads(line)["image"] for line in outcome.out.splitlines()]


def test_folders_and_patterns_stand_for_their_images(command: Command, sample_onnx: Path, pictures: Path) -> None:
    def found(*arguments: str | Path) -> list[str]:
        return images_of(command("predict", sample_onnx, *arguments, "--json", "-", "--quiet"))

    assert found(pictures) == [str(pictures / "a.jpg"), str(pictures / "b.JPG")]
    assert found(pictures, "--recursive") == [str(pictures / name) for name in ("a.jpg", "b.JPG", "y/a.jpg")]
    assert found(f"{pictures}/*/*.jpg", pictures / "b.JPG") == [str(pictures / "y/a.jpg"), str(pictures / "b.JPG")]
    outcome = command("predict", sample_onnx, pictures.parent)
    assert (outcome.code, "there is no image in the folder" in outcome.error) == (2, True)


def test_many_images_give_what_each_gives_alone(command: Command, sample_onnx: Path, pictures: Path) -> None:
    together = command("predict", sample_onnx, pictures, "-r", "--json", "-").out.splitlines()
    for line in map(json.loads, together):
        alone = json.loads(command("predict", sample_onnx, line["image"], "--json", "-").out)
        assert np.array(alone["polygons"]) == pytest.approx(np.array(line["polygons"]), abs=1e-3)
        assert alone["scores"] == pytest.approx(line["scores"], abs=1e-5)


def test_pictures_of_images_of_the_same_name_do_not_write_over_each_other(
    command: Command, sample_onnx: Path, pictures: Path
) -> None:
    out = pictures.parent / "out"
    out.mkdir()
    outcome = command("predict", sample_onnx, pictures, "-r", "--draw", out, "--crop", out, "--json", "-")
    assert outcome.code == 0
    first, _, second = (json.loads(line) for line in outcome.out.splitlines())
    assert {path.name for path in out.glob("*.pred.png")} == {"a.pred.png", "b.pred.png", "a_2.pred.png"}
    assert not np.array_equal(read_image(out / "a.pred.png", "color"), read_image(out / "a_2.pred.png", "color"))
    assert len(list(out.glob("a_[0-9][0-9][0-9].png"))) == len(first["polygons"]) > 0
    assert len(list(out.glob("a_2_[0-9][0-9][0-9].png"))) == len(second["polygons"]) > 0


def test_words_are_cut_out_in_the_order_of_the_result(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("predict", sample_onnx, image, "--crop", tmp_path, "--json", "-")
    (line,) = map(json.loads, outcome.out.splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"syn_0022_{index:03d}.png" for index in range(len(line["polygons"]))
    ]
    for index, polygon in enumerate(line["polygons"]):
        sides = np.linalg.norm(np.diff(np.reshape(polygon + polygon[:2], (-1, 2)), axis=0), axis=1)
        shape = read_image(tmp_path / f"syn_0022_{index:03d}.png", "color").shape
        assert sorted(shape[:2]) == pytest.approx(sorted((sides[0], sides[1])), abs=1)
    assert f"cut out: {tmp_path / 'syn_0022_000.png'}" in outcome.err


def test_a_recogniser_has_nothing_to_cut_out(
    command: Command, seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path: Path
) -> None:
    outcome = command("predict", seeded_onnx("crnn"), sample_dir / "imgs", "--crop", tmp_path)
    assert outcome.code == 2
    assert outcome.error.startswith("--crop cuts out the words that a model finds, and ")
    assert command("predict", seeded_onnx("crnn"), sample_dir / "imgs", "--draw", tmp_path, "--quiet").code == 0
    assert len(list(tmp_path.glob("*.pred.png"))) == 8


def test_folders_are_made_and_what_is_none_is_named(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    image, folder = sample_dir / "imgs" / "syn_0022.jpg", tmp_path / "new" / "below"
    assert command("predict", sample_onnx, image, "--draw", folder, "--crop", folder, "-q").code == 0
    assert {"syn_0022.pred.png", "syn_0022_000.png"} <= {path.name for path in folder.iterdir()}
    (tmp_path / "file").touch()
    for option in ("--draw", "--crop"):
        outcome = command("predict", sample_onnx, image, option, tmp_path / "file")
        assert outcome.code == 2
        assert outcome.error.endswith(f"cannot be written: {tmp_path / 'file'} is no folder")


def test_pictures_of_earlier_runs_are_no_images(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes())
    options = ["--draw", tmp_path, "--crop", tmp_path, "--quiet"]
    first = command("predict", sample_onnx, tmp_path, *options)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = command("predict", sample_onnx, tmp_path, *options)
    assert (first.code, first.err, second.code) == (0, "", 0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == made
    words = len(made) - 2
    assert second.err.splitlines() == [
        f"warning: {tmp_path}: 1 drawn results (*.pred.png, *.read.png, *.show.png, *.worst.png) are left out",
        f"warning: {tmp_path}: {words} words that were cut out of images are left out",
    ]


def test_words_that_an_earlier_run_cut_out_of_the_same_image_go(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    image, crops = tmp_path / "page.jpg", tmp_path / "crops"
    image.write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes())
    assert command("predict", sample_onnx, image, "--crop", crops).code == 0
    before = len(list(crops.iterdir()))
    mine = crops / f"page_{before + 1:03d}.png"
    mine.write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes())
    write_png(image, np.zeros((64, 64, 3), np.uint8))
    outcome = command("predict", sample_onnx, image, "--crop", crops)
    assert f"removed: {before} words of an earlier run" in outcome.out
    assert list(crops.iterdir()) == [mine]


def test_a_fault_that_comes_later_costs_no_result(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_and_a_fault(*_arguments: object, **_options: object) -> Iterator[list[Detection]]:
        yield []
        yield []
        raise DeviceError("the device is gone")

    monkeypatch.setattr("ocrdeploy.predictor.Predictor.stream_outcomes", two_and_a_fault)
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:4]
    path = tmp_path / "r.jsonl"
    outcome = command("predict", sample_onnx, *images, "--json", path)
    assert (outcome.code, outcome.error) == (3, "the device is gone")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["image"] for line in lines] == [str(image) for image in images]
    assert [line.get("error") for line in lines] == [None, None, "the device is gone", "the device is gone"]


def test_a_full_disk_of_pictures_costs_no_result(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(path: Path, _pixels: object) -> None:
        raise OutputError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("ocrdeploy.images.drawing.write_png", no_room)
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:2]
    path = tmp_path / "r.jsonl"
    outcome = command("predict", sample_onnx, *images, "--json", path, "--draw", tmp_path / "d")
    assert (outcome.code, outcome.error.endswith("No space left on device")) == (2, True)
    assert all("polygons" in json.loads(line) for line in path.read_text().splitlines())
    assert len(path.read_text().splitlines()) == 2


def test_a_broken_image_of_many_is_reported_in_its_place(command: Command, sample_onnx: Path, pictures: Path) -> None:
    (pictures / "aa.png").write_bytes(b"no image")
    outcome = command("predict", sample_onnx, pictures, "--json", pictures / "r.jsonl")
    assert outcome.code == 1
    lines = [json.loads(line) for line in (pictures / "r.jsonl").read_text().splitlines()]
    assert [Path(line["image"]).name for line in lines] == ["a.jpg", "aa.png", "b.JPG"]
    assert outcome.err.startswith("warning: ")
    assert str(pictures / "aa.png") in outcome.err


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_bar_on_the_terminal_leaves_standard_output_alone(sample_onnx: Path, pictures: Path, tmp_path: Path) -> None:
    terminal, process_side = os.openpty()
    arguments = [sys.executable, "-m", "ocrdeploy", "predict", str(sample_onnx), str(pictures), "--json", "-"]
    with (tmp_path / "out.jsonl").open("wb") as out:
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"}
        process = subprocess.Popen(arguments, stdout=out, stderr=process_side, env=environment)
        os.close(process_side)
        screen = b""
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 65536):
                screen += data
        assert process.wait() == 0
    os.close(terminal)
    assert len([json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]) == 2
    assert b"/2" in screen
    assert b"text instance" in b" ".join(screen.split())


@pytest.mark.parametrize("url", ["https://example.com/a//b.jpg", "S3://bucket/a.png"])
def test_a_url_is_named_as_it_was_typed(url: str, command: Command, sample_onnx: Path) -> None:
    outcome = command("predict", sample_onnx, url)
    assert outcome.code == 2
    assert outcome.error.startswith(f"{url} is a URL, and images are files. Download it first")
    with open_predictor(sample_onnx, threads=1) as predictor, pytest.raises(ImageError, match=f"{url} is a URL"):
        predictor(url)
