import errno
import io
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.errors import InputError, OutputError, UsageError
from ocrdeploy.predictions.files import PredictionSink, open_prediction_sink
from ocrdeploy.predictions.part_files import BLOCK_BYTES, PartFile, Stored, encode_line
from ocrdeploy.predictions.records import failure_document, prediction_document
from ocrdeploy.results import Recognition

SIGNATURE = {"models": [["m.onnx", "torch"]], "batch size": 2, "data": None}
PLACE = ("m.onnx", "torch")


class CutOffError(Exception):
    """Stands for whatever ends a run."""


def text(name: str) -> Recognition:
    return Recognition(name, (0.1 + 0.2,) * len(name))


def document(image: str) -> dict[str, Any]:
    if image.startswith("broken"):
        return failure_document(image, *PLACE, "it is broken")
    return prediction_document(image, *PLACE, text(image))


def data_set(sink: PredictionSink, images: Sequence[str], stop_at: str | None = None, again: str = "") -> list[str]:
    """Write a line an image as an evaluation does, and return the images that had to be run."""
    sink.begin_data_set()
    run = []
    for index, image in enumerate(images):
        stored = sink.earlier(index)
        if stored is not None and stored.prediction.result is not None and image != again:
            assert stored == Stored(stored.prediction, f"state of {image}")
            assert stored.prediction.result == text(image)
            continue
        if image == stop_at:
            raise CutOffError
        sink.write(index, f"state of {image}", document(image))
        run.append(image)
    return run


def go_through(sink: PredictionSink, images: Sequence[str], stop_at: str | None = None, again: str = "") -> list[str]:
    """Do so for one model with one data set."""
    sink.begin(0)
    return data_set(sink, images, stop_at, again)


def lines(path: Path) -> list[str]:
    return [json.loads(line)["image"] for line in path.read_bytes().splitlines()]


IMAGES = ["a", "broken 1", "b", "c", "broken 2", "d", "e"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.jsonl"


@pytest.fixture
def part(path: Path) -> Path:
    return path.with_name("p.jsonl.part")


def cut_off(path: Path, at: str, *, resume: bool = False, again: str = "") -> None:
    with pytest.raises(CutOffError), open_prediction_sink(str(path), SIGNATURE, resume=resume) as sink:
        go_through(sink, IMAGES, stop_at=at, again=again)


def test_the_file_appears_when_it_is_whole_and_nothing_else_is_left(path: Path, part: Path) -> None:
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        assert go_through(sink, IMAGES) == IMAGES
        assert part.exists()
        assert not path.exists()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [document(image) for image in IMAGES]
    assert [each.name for each in path.parent.iterdir()] == ["p.jsonl"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o444


def test_a_run_that_is_cut_off_leaves_the_old_file_untouched(path: Path, part: Path) -> None:
    path.write_text("old\n")
    cut_off(path, "d")
    assert path.read_text() == "old\n"
    assert len(part.read_bytes().splitlines()) == 1 + 5


@pytest.mark.parametrize("at", IMAGES[1:])
def test_resuming_gives_what_one_run_gives_and_tries_what_was_skipped_again(at: str, path: Path) -> None:
    cut_off(path, at)
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        run = go_through(sink, IMAGES)
    before = IMAGES[: IMAGES.index(at)]
    assert run == [image for image in IMAGES if image.startswith("broken") or image not in before]
    assert [json.loads(line) for line in path.read_text().splitlines()] == [document(image) for image in IMAGES]
    assert not path.with_name("p.jsonl.part").exists()


def test_what_is_run_again_takes_the_place_of_what_was_there_however_often(path: Path) -> None:
    cut_off(path, "e")
    cut_off(path, "e", resume=True, again="a")
    cut_off(path, "e", resume=True, again="c")
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        assert go_through(sink, IMAGES, again="a") == ["a", "broken 1", "broken 2", "e"]
    assert lines(path) == IMAGES


def test_an_image_that_was_mended_takes_its_place(path: Path) -> None:
    cut_off(path, "d")
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        sink.begin(0)
        sink.begin_data_set()
        for index, image in enumerate(IMAGES):
            sink.earlier(index)
            if image.startswith("broken") or index >= IMAGES.index("d"):
                sink.write(index, "", document(image.removeprefix("broken ")))
    assert lines(path) == ["a", "1", "b", "c", "2", "d", "e"]


@pytest.mark.parametrize("removed", [1, 5, 40])
def test_half_a_line_at_the_end_is_dropped(removed: int, path: Path, part: Path) -> None:
    cut_off(path, "c")
    part.write_bytes(part.read_bytes()[:-removed])
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        assert go_through(sink, IMAGES) == IMAGES[1:]
    assert lines(path) == IMAGES


def test_half_a_line_may_be_long(path: Path, part: Path) -> None:
    cut_off(path, "c")
    with part.open("ab") as file:
        file.write(b"x" * (3 * BLOCK_BYTES + 7))
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        assert go_through(sink, IMAGES) == ["broken 1", *IMAGES[3:]]
    assert lines(path) == IMAGES


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("content", [b"", b'{"pred', b'{"predictions_of": {"models"', None])
def test_a_part_without_results_is_begun_anew(content: bytes | None, resume: bool, path: Path, part: Path) -> None:
    header = encode_line({"predictions_of": SIGNATURE})
    part.write_bytes(header if content is None else content)
    with open_prediction_sink(str(path), SIGNATURE, resume=resume) as sink:
        assert go_through(sink, IMAGES) == IMAGES
    assert lines(path) == IMAGES


def test_results_are_lost_by_no_run_that_does_not_go_on_from_them(path: Path, part: Path) -> None:
    cut_off(path, "d")
    before = part.read_bytes()
    message = r"p\.jsonl\.part holds results of an interrupted run, .*\. Go on with --resume, or remove the file"
    with pytest.raises(UsageError, match=message), open_prediction_sink(str(path), SIGNATURE, resume=False):
        pass
    assert part.read_bytes() == before
    with pytest.raises(CutOffError), open_prediction_sink(str(path), SIGNATURE, resume=True):
        raise CutOffError
    assert part.read_bytes() == before


def test_several_models_and_data_sets_and_interruptions(path: Path) -> None:
    order: list[list[tuple[str, ...]]] = [[("a", "b", "c"), ("d",)], [("e", "f")]]
    for stop in ("b", "d", "e", "f", None):
        try:
            with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
                for run, sets in enumerate(order):
                    sink.begin(run)
                    for images in sets:
                        data_set(sink, images, stop_at=stop)
        except CutOffError:
            assert not path.exists()
    assert lines(path) == list("abcdef")


def test_a_model_that_is_given_up_takes_back_its_own_lines_alone(path: Path) -> None:
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        sink.begin(0)
        data_set(sink, ["a"])
        sink.begin(1)
        data_set(sink, ["b", "c"])
        sink.give_up()
        sink.begin(2)
        data_set(sink, ["d"])
    assert lines(path) == ["a", "d"]


def test_nothing_counts_of_a_model_that_is_not_run_any_more(path: Path) -> None:
    with suppress(CutOffError), open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        sink.begin(0)
        data_set(sink, ["a"])
        sink.begin(1)
        data_set(sink, ["b", "c"], stop_at="c")
    assert not path.exists()
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        sink.begin(1)
        assert data_set(sink, ["b", "c"]) == ["c"]
    assert lines(path) == ["b", "c"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch size": 4}, "is of a run with batch size 2, this one has 4"),
        ({"models": [["n.onnx", "torch"]]}, r"with models \[\[\"m\.onnx\", \"torch\"\]\], this one has \[\[\"n\.onnx"),
        ({"more": 1}, "with more null, this one has 1"),
    ],
)
def test_a_part_of_another_run_is_refused(change: dict[str, object], message: str, path: Path, part: Path) -> None:
    cut_off(path, "d")
    before = part.read_bytes()
    with (
        pytest.raises(UsageError, match=message),
        open_prediction_sink(str(path), SIGNATURE | change, resume=True),
    ):
        pass
    assert part.read_bytes() == before


def test_tuples_in_a_signature_are_lists_in_the_file(path: Path) -> None:
    signature = {"models": (("m.onnx", "torch"),)}
    with pytest.raises(CutOffError), open_prediction_sink(str(path), signature, resume=False) as sink:
        go_through(sink, IMAGES, stop_at="b")
    with open_prediction_sink(str(path), signature, resume=True) as sink:
        assert go_through(sink, IMAGES) == IMAGES[1:]


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("content", [b"something else\n", b"my own download", b"[]\n", b'{"image": "a"}\n'])
def test_a_file_of_something_else_is_left_alone(content: bytes, resume: bool, path: Path, part: Path) -> None:
    part.write_bytes(content)
    with (
        pytest.raises(UsageError, match="is not of an interrupted run"),
        open_prediction_sink(str(path), SIGNATURE, resume=resume),
    ):
        pass
    assert part.read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"text": "b"', b'"text": 1', r"line 4: expected a prediction"),
        (b'[0, 0, 2, "', b'[0, 0, "', r"line 4: expected a line of an interrupted run"),
        (b"\t", b" ", r"line 2: expected a line of an interrupted run"),
    ],
)
def test_a_broken_line_is_refused_with_its_number(old: bytes, new: bytes, message: str, path: Path, part: Path) -> None:
    cut_off(path, "d")
    part.write_bytes(part.read_bytes().replace(old, new))
    with (
        pytest.raises(InputError, match=rf"p\.jsonl\.part, {message}"),
        open_prediction_sink(str(path), SIGNATURE, resume=True) as sink,
    ):
        go_through(sink, IMAGES)


def test_more_results_than_images_are_refused(path: Path) -> None:
    cut_off(path, "d")
    with (
        pytest.raises(InputError, match="holds more results than the data set has images"),
        open_prediction_sink(str(path), SIGNATURE, resume=True) as sink,
    ):
        go_through(sink, IMAGES[:2])


def test_what_ends_before_the_first_result_leaves_nothing(path: Path) -> None:
    cut_off(path, "a")
    assert list(path.parent.iterdir()) == []


def test_two_runs_do_not_write_one_file(path: Path) -> None:
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        with (
            pytest.raises(OutputError, match="is being written by another run"),
            open_prediction_sink(str(path), SIGNATURE, resume=False),
        ):
            pass
        go_through(sink, IMAGES)
    assert lines(path) == IMAGES


class _FullDisk(io.BytesIO):
    def write(self, _data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told(part: Path) -> None:
    with pytest.raises(OutputError, match=r"p\.jsonl\.part cannot be written: No space left on device"):
        PartFile(_FullDisk(), part, SIGNATURE, resume=False)


def test_standard_output_and_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("-", None):
        with open_prediction_sink(file, {}, resume=False) as sink:
            assert go_through(sink, IMAGES) == IMAGES
    out = capsys.readouterr().out
    assert [json.loads(line)["image"] for line in out.splitlines()] == IMAGES


def test_a_share_without_locks_takes_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        go_through(sink, ["a", "b"])
    assert len(path.read_text().splitlines()) == 2
