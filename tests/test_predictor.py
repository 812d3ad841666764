import copy
import io
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread, active_count, get_ident
from typing import NoReturn

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends import BackendName, Batch
from ocrdeploy.datasets import ImageFile
from ocrdeploy.errors import (
    AnnotationError,
    CheckError,
    DeviceError,
    ImageError,
    ItemError,
    ModelError,
    NonFiniteError,
    OcrDeployError,
    ShapeError,
    UsageError,
)
from ocrdeploy.hardware import CPU, Device
from ocrdeploy.images.reading import read_image
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import Predictor, StreamItem
from ocrdeploy.results import Recognition, Result
from ocrdeploy.streaming import AHEAD
from ocrdeploy.verification.inputs import drawn_images
from tests.support.batches import images_of
from tests.support.models import ARCHITECTURES

BATCH_TOLERANCE = 1e-5
"""A batch may take other kernels than a single image, which round differently in the last bits of float32."""


def assert_same(first: Result, second: Result) -> None:
    if isinstance(first, Recognition):
        assert isinstance(second, Recognition)
        assert first.text == second.text
        np.testing.assert_allclose(first.char_scores, second.char_scores, atol=BATCH_TOLERANCE)
        return
    assert not isinstance(second, Recognition)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one.polygon, other.polygon, atol=BATCH_TOLERANCE)
        assert one.score == pytest.approx(other.score, abs=BATCH_TOLERANCE)


def test_one_image_gives_a_result_and_a_list_gives_a_list_in_order(sample_dir: Path, sample_onnx: Path) -> None:
    paths = sorted((sample_dir / "imgs").glob("*.jpg"))[:3]
    with open_predictor(sample_onnx) as predictor:
        alone = [predictor(path) for path in paths]
        together = predictor(paths)
    assert all(isinstance(result, list) and result for result in alone)
    for first, second in zip(alone, together, strict=True):
        assert_same(first, second)


def test_a_path_and_its_pixels_give_the_same_result(sample_dir: Path, sample_onnx: Path) -> None:
    path = sample_dir / "imgs" / "syn_0022.jpg"
    pixels = read_image(path, "color")
    with open_predictor(sample_onnx) as predictor:
        assert_same(predictor(path), predictor(pixels))
        assert_same(predictor(str(path)), predictor(path))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batch_size", [2, 4])
def test_a_batch_gives_every_image_the_result_that_it_has_alone(
    architecture: str, batch_size: int, seeded_onnx: Callable[[str], Path]
) -> None:
    with open_predictor(seeded_onnx(architecture)) as predictor:
        images = drawn_images(predictor.spec) * 3
        alone = [predictor(image) for image in images]
        batched = list(predictor.stream(images, batch_size))
    for first, second in zip(alone, batched, strict=True):
        assert_same(first, second)


class _Recorder:
    """A backend that gives empty maps and notes what it was asked for; its inferences run one at a time."""

    name: BackendName = "onnxruntime"
    precision = "fp32"
    tf32 = False
    device = CPU

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.threads: set[int] = set()

    def run(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        n, _, height, width = images_of(batch).shape
        self.shapes.append(images_of(batch).shape)
        self.threads.add(get_ident())
        return {"prob_map": np.zeros((n, 1, height, width), np.float32)}

    def close(self) -> None:
        pass


class _ParallelRecorder(_Recorder):
    """The same with inferences beside each other."""

    def parallel_run(self, _workers: int) -> Callable[[Batch], dict[str, NDArray[np.float32]]]:
        return self.run


RECORDERS = pytest.mark.parametrize("recorder", [_Recorder, _ParallelRecorder])
WIDE, TALL = np.full((320, 640, 3), 128, np.uint8), np.full((640, 320, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def sample_spec(sample_onnx: Path) -> ModelSpec:
    return read_onnx_spec(sample_onnx)


@RECORDERS
def test_batches_hold_images_of_one_size_only(recorder: type[_Recorder], sample_spec: ModelSpec) -> None:
    backend = recorder()
    predictor = Predictor(sample_spec, backend)
    assert list(predictor.stream([WIDE, TALL, WIDE, TALL], batch_size=4)) == [[], [], [], []]
    assert sorted(backend.shapes) == [(2, 3, 672, 1344), (2, 3, 1344, 672)]


def test_a_network_that_runs_one_batch_at_a_time_stays_in_the_calling_thread(sample_spec: ModelSpec) -> None:
    backend = _Recorder()
    list(Predictor(sample_spec, backend).stream([WIDE] * 5))
    assert backend.threads == {get_ident()}


def test_one_image_alone_stays_in_the_calling_thread(sample_spec: ModelSpec) -> None:
    backend = _ParallelRecorder()
    predictor = Predictor(sample_spec, backend)
    predictor(WIDE)
    predictor([WIDE])
    assert backend.threads == {get_ident()}


def test_no_image_at_all_gives_no_result(sample_onnx: Path) -> None:
    with open_predictor(sample_onnx) as predictor:
        assert predictor([]) == []


@RECORDERS
@pytest.mark.parametrize("batch_size", [1, 2])
def test_few_images_are_held_however_many_there_are(
    recorder: type[_Recorder], batch_size: int, sample_spec: ModelSpec
) -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield np.full((64, 64, 3), 100, np.uint8)

    predictor = Predictor(sample_spec, recorder(), threads=2)
    with closing(predictor.stream(endless(), batch_size)) as stream:
        for _ in range(20):
            next(stream)
        assert taken <= 20 + 3 * batch_size + 2 * AHEAD + 1


@RECORDERS
@pytest.mark.parametrize("batch_size", [1, 3])
def test_an_image_that_cannot_be_read_is_an_outcome_in_its_place(
    recorder: type[_Recorder], batch_size: int, sample_spec: ModelSpec, tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    given = AnnotationError("no annotation")
    items: list[StreamItem] = [WIDE, tmp_path / "none.jpg", given, TALL, ImageFile(tmp_path / "empty.jpg"), WIDE]
    outcomes = list(Predictor(sample_spec, recorder()).stream_outcomes(items, batch_size))
    assert [type(outcome) for outcome in outcomes] == [list, ImageError, AnnotationError, list, ImageError, list]
    assert outcomes[2] is given
    assert [name in str(outcomes[place]) for place, name in ((1, "none.jpg"), (4, "empty.jpg"))] == [True, True]


@RECORDERS
def test_an_image_that_cannot_be_read_ends_a_stream_after_the_results_before_it(
    recorder: type[_Recorder], sample_spec: ModelSpec, tmp_path: Path
) -> None:
    stream = Predictor(sample_spec, recorder()).stream([WIDE, TALL, tmp_path / "none.jpg", WIDE])
    assert [next(stream), next(stream)] == [[], []]
    with pytest.raises(ImageError, match=r"none\.jpg"):
        next(stream)


@RECORDERS
@pytest.mark.parametrize("batch_size", [1, 2])
def test_what_fails_in_the_network_or_after_it_names_the_image(
    recorder: type[_Recorder], batch_size: int, sample_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_tall(batch: Batch) -> dict[str, NDArray[np.float32]]:
        n, _, height, width = images_of(batch).shape
        if height > width:
            raise RuntimeError("out of\nmemory")
        return {"prob_map": np.zeros((n, 1, height, width), np.float32)}

    backend = recorder()
    monkeypatch.setattr(backend, "run", fail_on_tall)
    with pytest.raises(ItemError, match=r"image 3 could not be processed: RuntimeError: out of memory"):
        list(Predictor(sample_spec, backend).stream([WIDE, WIDE, TALL, WIDE], batch_size))
    backend = recorder()
    monkeypatch.setattr(backend, "run", lambda _batch: {"prob_map": np.zeros((1, 1), np.float32)})
    with pytest.raises(ModelError, match=r"image 1: the output 'prob_map' of the network is 1×1 for an input of 1×3×"):
        list(Predictor(sample_spec, backend).stream([WIDE, TALL], 1))


def test_a_stream_that_is_left_early_leaves_no_thread(sample_spec: ModelSpec) -> None:
    before = active_count()
    stream = Predictor(sample_spec, _ParallelRecorder()).stream([WIDE] * 20)
    next(stream)
    assert active_count() > before
    stream.close()
    assert active_count() == before


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_no_image_is_refused(image: NDArray[np.uint8], sample_onnx: Path) -> None:
    with open_predictor(sample_onnx) as predictor, pytest.raises(ImageError):
        predictor(image)


class _Constant:
    """A backend whose output is everywhere the same."""

    name = "onnxruntime"
    precision = "fp32"
    tf32 = False
    device = CPU

    def __init__(self, value: float) -> None:
        self.value = value

    def run(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        n, _, height, width = images_of(batch).shape
        return {"prob_map": np.full((n, 1, height, width), self.value, np.float32)}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_not_finite_is_reported_and_not_decoded(value: float, sample_onnx: Path) -> None:
    with open_predictor(sample_onnx) as predictor:
        broken = Predictor(predictor.spec, _Constant(value))  # type: ignore[arg-type]
        with pytest.raises(CheckError, match=r"'prob_map' of the network on .* holds NaN or infinity"):
            broken(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 100, 320), "height and width must be multiples of 32, got 1×3×100×320"),
        ((1, 1, 64, 64), "the model's input 'input' has shape batch×3×height×width, got 1×1×64×64"),
        ((3, 64, 64), "the model's input 'input' has shape batch×3×height×width, got 3×64×64"),
    ],
)
def test_a_tensor_of_another_shape_is_refused_by_name(shape: tuple[int, ...], message: str, sample_onnx: Path) -> None:
    with open_predictor(sample_onnx) as predictor, pytest.raises(ShapeError) as caught:
        predictor.infer(np.zeros(shape, np.float32))
    assert caught.value.message == message


def test_a_word_tensor_of_another_height_is_refused_but_an_image_is_resized(
    seeded_onnx: Callable[[str], Path],
) -> None:
    with open_predictor(seeded_onnx("crnn")) as predictor:
        with pytest.raises(ShapeError, match="has shape batch×1×32×width, got 1×1×48×160"):
            predictor.infer(np.zeros((1, 1, 48, 160), np.float32))
        assert isinstance(predictor(np.full((48, 160, 3), 200, np.uint8)), Recognition)


def encoded(path: Path) -> list[object]:
    """Return a PNG file's image in every form but an array."""
    return [
        str(path),
        path,
        path.read_bytes(),
        bytearray(path.read_bytes()),
        memoryview(path.read_bytes()),
        io.BytesIO(path.read_bytes()),
        Image.open(path),
    ]


@pytest.fixture(scope="module")
def word_png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("word") / "word.png"
    cv2.imwrite(str(path), np.random.default_rng(3).integers(0, 256, (40, 120), np.uint8))
    return path


def test_an_image_is_read_in_every_form(word_png: Path, seeded_onnx: Callable[[str], Path]) -> None:
    with open_predictor(seeded_onnx("crnn"), threads=1) as predictor:
        pixels = read_image(word_png, predictor.color_type)
        expected = predictor.preprocess(pixels).tensor
        for form in (*encoded(word_png), pixels, pixels[..., None]):
            np.testing.assert_array_equal(predictor.prepare(form).tensor, expected)  # type: ignore[arg-type]
        wanted = predictor(word_png)
        assert isinstance(predictor(word_png.read_bytes()), Recognition)
        with word_png.open("rb") as file:
            assert_same(predictor(file), wanted)
        generated = (form for form in encoded(word_png))
        results = predictor(generated)  # type: ignore[arg-type]
    assert len(results) == 7
    for result in results:
        assert_same(result, wanted)


def test_a_pipeline_that_reads_colour_takes_grey_as_equal_channels(sample_onnx: Path) -> None:
    grey = np.random.default_rng(3).integers(0, 256, (64, 96), np.uint8)
    with open_predictor(sample_onnx, threads=1) as predictor:
        expected = predictor.prepare(np.repeat(grey[..., None], 3, axis=2)).tensor
        for form in (grey, grey[..., None]):
            np.testing.assert_array_equal(predictor.prepare(form).tensor, expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (1, "an image is a path, .* got int"),
        (None, "got NoneType"),
        ("", "its name is empty"),
        (b"", "is empty"),
        (b"abc", "in memory is not an image"),
        ([1], "got int"),
        ([None, None], "image 1: an image is a path, .* got NoneType"),
        ({"a.jpg"}, "got set"),
        ({"a.jpg": 1}, "got dict"),
        (io.StringIO("text"), "gave str"),
        (torch.zeros(4, 4, 3), "got Tensor"),
        (np.zeros((2, 4, 4, 3), np.uint8), "give several images as a list"),
    ],
)
def test_what_is_no_image_is_one_image_error(given: object, message: str, sample_spec: ModelSpec) -> None:
    with pytest.raises(ImageError, match=message):
        Predictor(sample_spec, _Recorder())(given)  # type: ignore[call-overload]


@pytest.mark.parametrize("batch_size", [0, -1, 1.0, True, "2", None, 2**40])
def test_a_batch_size_is_a_number_of_images(batch_size: object, sample_spec: ModelSpec) -> None:
    predictor = Predictor(sample_spec, _Recorder())
    with pytest.raises(UsageError, match="batch_size is a whole number from 1 to"):
        predictor.stream([WIDE], batch_size)  # type: ignore[arg-type]
    assert len(list(predictor.stream([WIDE], np.int64(2)))) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, -1, 1.5, 10**9])
def test_threads_are_a_number_of_threads(threads: int, sample_spec: ModelSpec) -> None:
    with pytest.raises(UsageError, match="threads is a whole number from 1 to"):
        Predictor(sample_spec, _Recorder(), threads)


def test_an_iterator_does_not_lose_images_to_the_choice_of_a_batch_size(sample_spec: ModelSpec) -> None:
    predictor = Predictor(sample_spec, _Recorder())
    images = iter([WIDE, TALL])
    with pytest.raises(UsageError, match="Give a list"):
        predictor.choose_batch_size(images)
    assert len(list(images)) == 2
    assert predictor.choose_batch_size([WIDE]).size == 1


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((0, 3, 64, 64), np.float32), "a batch holds at least one image of one pixel, got 0×3×64×64"),
        (np.zeros((1, 3, 0, 64), np.float32), "got 1×3×0×64"),
        (np.zeros((1, 3, 64, 64), np.float64), "is an array of float32, got float64"),
        (np.zeros((1, 3, 64, 64), np.uint8), "got uint8"),
        ([[0.0]], "got list"),
    ],
)
def test_a_batch_that_the_network_cannot_take_is_refused_before_it(
    batch: NDArray[np.float32], message: str, sample_spec: ModelSpec
) -> None:
    backend = _Recorder()
    with pytest.raises(ShapeError, match=message):
        Predictor(sample_spec, backend).infer(batch)
    assert backend.shapes == []


def test_a_closed_predictor_says_so_and_closes_twice(sample_onnx: Path) -> None:
    with open_predictor(sample_onnx, threads=1) as predictor:
        prepared = predictor.prepare(TALL)
        predictor.close()
    uses: list[Callable[[], object]] = [
        lambda: predictor(TALL),
        lambda: predictor([]),
        lambda: predictor.stream([TALL]),
        lambda: predictor.infer(prepared.tensor[None]),
        lambda: predictor.infer_prepared([prepared]),
        predictor.warm_up,
    ]
    for use in uses:
        with pytest.raises(UsageError, match="is closed"):
            use()


def test_a_predictor_cannot_be_pickled(sample_spec: ModelSpec) -> None:
    predictor = Predictor(sample_spec, _Recorder())
    for make in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(UsageError, match="cannot be pickled or copied"):
            make(predictor)


def test_a_network_on_a_gpu_is_not_used_across_a_fork(sample_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = _Recorder()
    backend.device = Device(0)
    predictor = Predictor(sample_spec, backend)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(UsageError, match="before this process was forked"):
        predictor(WIDE)


@RECORDERS
@pytest.mark.parametrize("batch_size", [1, 2, 4])
@pytest.mark.parametrize("failure", ["nan", "exception", "shape"])
def test_an_image_that_fails_in_the_network_costs_itself_alone(
    recorder: type[_Recorder], batch_size: int, failure: str, sample_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(batch: Batch) -> dict[str, NDArray[np.float32]]:
        n, _, height, width = images_of(batch).shape
        maps = np.zeros((n, 1, height, width), np.float32)
        for index, image in enumerate(images_of(batch)):
            if image.max() > 2:  # a white image
                if failure == "exception":
                    raise RuntimeError("out of memory")
                if failure == "shape":
                    raise ShapeError("no profile holds this shape")
                maps[index] = np.nan
        return {"prob_map": maps}

    backend = recorder()
    monkeypatch.setattr(backend, "run", run)
    monkeypatch.setattr(backend, "parallel_run", lambda _workers: run, raising=False)
    white = np.full_like(WIDE, 255)
    images: list[StreamItem] = [WIDE, WIDE, white, WIDE, TALL]
    outcomes = list(Predictor(sample_spec, backend).stream_outcomes(images, batch_size))
    kind = {"nan": NonFiniteError, "exception": ItemError, "shape": ShapeError}[failure]
    assert [type(outcome) for outcome in outcomes] == [list, list, kind, list, list]
    assert str(outcomes[2]).startswith("image 3")


@RECORDERS
@pytest.mark.parametrize("batch_size", [1, 2])
def test_an_image_that_cannot_be_prepared_for_any_reason_costs_itself_alone(
    recorder: type[_Recorder], batch_size: int, sample_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(sample_spec, recorder())
    read = predictor.read

    def fail_on_tall(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image is TALL:
            raise OverflowError("Python int too large to convert to C ssize_t")
        return read(image)

    monkeypatch.setattr(predictor, "read", fail_on_tall)
    outcomes = list(predictor.stream_outcomes([WIDE, TALL, WIDE], batch_size))
    assert [type(outcome) for outcome in outcomes] == [list, ItemError, list]


@RECORDERS
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("error", [DeviceError("the GPU is gone"), ModelError("another output")])
def test_what_is_wrong_with_machine_or_model_ends_the_stream(
    recorder: type[_Recorder], batch_size: int, error: OcrDeployError, sample_spec: ModelSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(_batch: object) -> NoReturn:
        raise error

    backend = recorder()
    monkeypatch.setattr(backend, "run", fail)
    monkeypatch.setattr(backend, "parallel_run", lambda _workers: fail, raising=False)
    with pytest.raises(type(error)):
        list(Predictor(sample_spec, backend).stream_outcomes([WIDE, WIDE], batch_size))


@RECORDERS
@pytest.mark.parametrize("allowed", [0, 1])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_where_no_more_threads_can_be_started_the_calling_one_works(
    recorder: type[_Recorder], allowed: int, batch_size: int, sample_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = Thread.start, 0

    def start_few(thread: Thread) -> None:
        nonlocal started
        started += 1
        if started > allowed:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(Thread, "start", start_few)
    predictor = Predictor(sample_spec, recorder(), threads=3)
    outcomes = list(predictor.stream_outcomes([WIDE, Path("none.jpg"), TALL, WIDE], batch_size))
    assert [type(outcome) for outcome in outcomes] == [list, ImageError, list, list]
