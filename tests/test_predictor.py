from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import active_count, get_ident

import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends import BackendName
from ocrdeploy.datasets import ImageFile
from ocrdeploy.errors import AnnotationError, CheckError, ImageError, ItemError, ShapeError
from ocrdeploy.hardware import CPU
from ocrdeploy.images.reading import read_image
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import Predictor, StreamItem
from ocrdeploy.results import Recognition, Result
from ocrdeploy.streaming import AHEAD
from ocrdeploy.verification.inputs import drawn_images
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
    device = CPU

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.threads: set[int] = set()

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        self.shapes.append(batch.shape)
        self.threads.add(get_ident())
        return {"prob_map": np.zeros((len(batch), 1, *batch.shape[2:]), np.float32)}

    def close(self) -> None:
        pass


class _ParallelRecorder(_Recorder):
    """The same with inferences beside each other."""

    def parallel_run(self, _workers: int) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
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
    def fail_on_tall(batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        if batch.shape[2] > batch.shape[3]:
            raise RuntimeError("out of\nmemory")
        return {"prob_map": np.zeros((len(batch), 1, *batch.shape[2:]), np.float32)}

    backend = recorder()
    monkeypatch.setattr(backend, "run", fail_on_tall)
    with pytest.raises(ItemError, match=r"image 3 could not be processed: RuntimeError: out of memory"):
        list(Predictor(sample_spec, backend).stream([WIDE, WIDE, TALL, WIDE], batch_size))
    backend = recorder()
    monkeypatch.setattr(backend, "run", lambda _batch: {"prob_map": np.zeros((1, 1), np.float32)})
    with pytest.raises(ShapeError, match=r"image 1: expected a probability map"):
        list(Predictor(sample_spec, backend).stream([WIDE, TALL], 1))


def test_a_stream_that_is_left_early_leaves_no_thread(sample_spec: ModelSpec) -> None:
    before = active_count()
    stream = Predictor(sample_spec, _ParallelRecorder()).stream([WIDE] * 20)
    next(stream)
    assert active_count() > before
    stream.close()
    assert active_count() == before


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_no_image_is_refused(image: NDArray[np.uint8], sample_onnx: Path) -> None:
    with open_predictor(sample_onnx) as predictor, pytest.raises(ImageError):
        predictor(image)


class _Constant:
    """A backend whose output is everywhere the same."""

    name = "onnxruntime"
    precision = "fp32"
    device = CPU

    def __init__(self, value: float) -> None:
        self.value = value

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        n, _, height, width = batch.shape
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
