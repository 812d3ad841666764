import errno
import io
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from ocrdeploy.errors import InputError, OutputError, UsageError
from ocrdeploy.predictions.files import PredictionSink, open_prediction_sink
from ocrdeploy.predictions.part_files import BLOCK_BYTES, PartFile
from ocrdeploy.results import Recognition

SIGNATURE = {"models": [["m.onnx", "torch"]], "batch size": 2, "data": None}
PLACE = ("m.onnx", "torch")


class CutOffError(Exception):
    """Stands for whatever ends a run."""


def text(name: str) -> Recognition:
    return Recognition(name, (0.1 + 0.2,) * len(name))


def go_through(sink: PredictionSink, images: Sequence[str], window: int, stop_at: str | None = None) -> list[str]:
    """Write a result an image as an evaluation does, and return the images that had to be run."""
    done = [item.image for item in sink.earlier(*PLACE, window, len(images))]
    assert done == list(images[: len(done)])
    run = list(images[len(done) :])
    for image in run:
        if image == stop_at:
            raise CutOffError
        if image.startswith("broken"):
            sink.skip(image, *PLACE, "it is broken")
        else:
            sink.write(image, *PLACE, text(image))
    return run


def lines(path: Path) -> list[str]:
    return [json.loads(line)["image"] for line in path.read_bytes().splitlines()]


IMAGES = ["a", "broken 1", "b", "c", "broken 2", "d", "e"]
WHOLE = ["a", "b", "c", "d", "e"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.jsonl"


@pytest.fixture
def part(path: Path) -> Path:
    return path.with_name("p.jsonl.part")


def cut_off(path: Path, at: str, *, window: int = 2, resume: bool = False) -> None:
    with pytest.raises(CutOffError), open_prediction_sink(str(path), SIGNATURE, resume=resume) as sink:
        go_through(sink, IMAGES, window, stop_at=at)


def test_the_file_appears_when_it_is_whole_and_nothing_else_is_left(path: Path, part: Path) -> None:
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        assert go_through(sink, IMAGES, 2) == IMAGES
        assert part.exists()
        assert not path.exists()
    assert lines(path) == WHOLE
    assert [each.name for each in path.parent.iterdir()] == ["p.jsonl"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o444


def test_a_run_that_is_cut_off_leaves_the_old_file_untouched(path: Path, part: Path) -> None:
    path.write_text("old\n")
    cut_off(path, "d")
    assert path.read_text() == "old\n"
    assert len(part.read_bytes().splitlines()) == 1 + 5


@pytest.mark.parametrize("window", [1, 2, 3, 100])
@pytest.mark.parametrize("at", IMAGES[1:])
def test_resuming_gives_what_one_run_gives_and_runs_whole_windows(at: str, window: int, path: Path) -> None:
    cut_off(path, at, window=window)
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        run = go_through(sink, IMAGES, window)
    assert lines(path) == WHOLE
    assert run == IMAGES[IMAGES.index(at) // window * window :]
    assert not path.with_name("p.jsonl.part").exists()


def test_results_come_back_to_the_last_bit(path: Path) -> None:
    cut_off(path, "d", window=1)
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        earlier = list(sink.earlier(*PLACE, 1, len(IMAGES)))
    assert [item.result for item in earlier] == [text("a"), None, text("b"), text("c"), None]


@pytest.mark.parametrize("removed", [1, 5, 40])
def test_half_a_line_at_the_end_is_dropped(removed: int, path: Path, part: Path) -> None:
    cut_off(path, "c", window=1)
    part.write_bytes(part.read_bytes()[:-removed])
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        assert go_through(sink, IMAGES, 1) == IMAGES[2:]
    assert lines(path) == WHOLE


def test_half_a_line_may_be_long(path: Path, part: Path) -> None:
    cut_off(path, "c", window=1)
    with part.open("ab") as file:
        file.write(b"x" * (3 * BLOCK_BYTES + 7))
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        assert go_through(sink, IMAGES, 1) == IMAGES[3:]
    assert lines(path) == WHOLE


def test_a_part_without_a_whole_first_line_is_begun_anew(path: Path, part: Path) -> None:
    for content in (b"", b'{"predictions_of": {"mod', b"x" * (BLOCK_BYTES + 1)):
        part.write_bytes(content)
        with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
            assert go_through(sink, IMAGES, 2) == IMAGES
        assert lines(path) == WHOLE


def test_without_resume_or_a_part_the_run_begins_anew(path: Path) -> None:
    cut_off(path, "d")
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        assert go_through(sink, IMAGES, 2) == IMAGES
    with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
        assert go_through(sink, IMAGES, 2) == IMAGES
    assert lines(path) == WHOLE


def test_several_data_sets_and_interruptions(path: Path) -> None:
    order = [("a", "b", "c"), ("d",), ("e", "f")]
    for stop in ("b", "d", "e", "f", None):
        try:
            with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
                for images in order:
                    go_through(sink, images, 2, stop_at=stop)
        except CutOffError:
            assert not path.exists()
    assert lines(path) == list("abcdef")


def test_nothing_stays_of_a_model_that_failed_and_the_others_can_be_gone_on_with(path: Path, part: Path) -> None:
    for stop in ("b", "c", None):
        try:
            with open_prediction_sink(str(path), SIGNATURE, resume=True) as sink:
                failure = sink.begin("nan.onnx", "torch")
                assert failure == (None if stop == "b" else "it failed")
                if failure is None:
                    sink.write("a", "nan.onnx", "torch", text("a"))
                    sink.fail("nan.onnx", "torch", "it failed")
                assert sink.begin(*PLACE) is None
                go_through(sink, IMAGES, 2, stop_at=stop)
        except CutOffError:
            assert part.exists()
            assert not path.exists()
    assert lines(path) == WHOLE
    assert b"nan" not in path.read_bytes()


def test_a_model_that_fails_at_last_takes_back_its_own_lines_alone(path: Path) -> None:
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        sink.begin(*PLACE)
        go_through(sink, IMAGES, 2)
        sink.begin("nan.onnx", "torch")
        sink.write("a", "nan.onnx", "torch", text("a"))
        sink.fail("nan.onnx", "torch", "it failed")
    assert lines(path) == WHOLE


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
        go_through(sink, IMAGES, 1, stop_at="b")
    with open_prediction_sink(str(path), signature, resume=True) as sink:
        assert go_through(sink, IMAGES, 1) == IMAGES[2:]


@pytest.mark.parametrize("content", [b"something else\n", b"[]\n", b'{"image": "a"}\n'])
def test_a_file_of_something_else_is_not_gone_on_from(content: bytes, path: Path, part: Path) -> None:
    part.write_bytes(content)
    with (
        pytest.raises(UsageError, match="is not of an interrupted run"),
        open_prediction_sink(str(path), SIGNATURE, resume=True),
    ):
        pass
    assert part.read_bytes() == content


def test_a_broken_line_is_refused_with_its_number(path: Path, part: Path) -> None:
    cut_off(path, "d", window=1)
    part.write_bytes(part.read_bytes().replace(b'"text": "b"', b'"text": 1'))
    with (
        pytest.raises(InputError, match=r"p\.jsonl\.part, line 4: expected a prediction"),
        open_prediction_sink(str(path), SIGNATURE, resume=True) as sink,
    ):
        go_through(sink, IMAGES, 1)


def test_lines_of_another_model_or_too_many_of_them_are_refused(path: Path) -> None:
    cut_off(path, "d", window=1)
    with (
        pytest.raises(InputError, match=r"line 2: a result of m\.onnx on torch, and this is m\.onnx on onnxruntime"),
        open_prediction_sink(str(path), SIGNATURE, resume=True) as sink,
    ):
        list(sink.earlier("m.onnx", "onnxruntime", 1, 7))
    with (
        pytest.raises(InputError, match="holds more results than the data set has images"),
        open_prediction_sink(str(path), SIGNATURE, resume=True) as sink,
    ):
        go_through(sink, IMAGES[:2], 1)


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
        go_through(sink, IMAGES, 2)
    assert lines(path) == WHOLE


class _FullDisk(io.BytesIO):
    def write(self, _data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told(part: Path) -> None:
    with pytest.raises(OutputError, match=r"p\.jsonl\.part cannot be written: No space left on device"):
        PartFile(_FullDisk(), part, SIGNATURE, resume=False)


def test_standard_output_and_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("-", None):
        with open_prediction_sink(file, {}, resume=False) as sink:
            assert go_through(sink, IMAGES, 2) == IMAGES
    out = capsys.readouterr().out
    assert [json.loads(line)["image"] for line in out.splitlines()] == WHOLE


def test_a_share_without_locks_takes_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open_prediction_sink(str(path), SIGNATURE, resume=False) as sink:
        go_through(sink, ["a", "b"], 1)
    assert len(path.read_text().splitlines()) == 2
