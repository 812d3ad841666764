from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ocrdeploy import inference as module
from ocrdeploy import open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends import BackendName, Batch
from ocrdeploy.errors import ImageError, ModelError, ShapeError
from ocrdeploy.hardware import CPU
from ocrdeploy.inference import Inference, worker_count
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import Predictor
from ocrdeploy.results import Recognition

Outputs = dict[str, NDArray[np.float32]]
BATCH = {"input": np.zeros((2, 3, 64, 96), np.float32)}
GOOD = np.zeros((2, 1, 64, 96), np.float32)


class _Given:
    """A backend that gives what it is told to, and takes a kilobyte a pixel."""

    name: BackendName = "onnxruntime"
    precision = "fp32"
    device = CPU
    tf32 = False

    def __init__(self, outputs: Outputs) -> None:
        self.outputs = outputs

    def run(self, _batch: Batch) -> Outputs:
        return self.outputs

    def run_bytes(self, shape: tuple[int, ...]) -> int:
        return 1024 * shape[0] * shape[2] * shape[3]

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def spec(sample_onnx: Path) -> ModelSpec:
    return read_onnx_spec(sample_onnx)


def infer(spec: ModelSpec, outputs: Outputs) -> Outputs:
    return Inference(spec, _Given(outputs), 1, "m.onnx").outputs(BATCH)


def test_outputs_that_the_spec_does_not_name_are_not_judged(spec: ModelSpec) -> None:
    words = np.array(["text"])
    unread: Outputs = {"dbg": np.full(3, -np.inf, np.float32), "words": words}
    assert list(infer(spec, {**unread, "prob_map": GOOD})) == ["prob_map"]


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_floating_point_numbers_of_other_widths_become_float32(kind: type, spec: ModelSpec) -> None:
    assert infer(spec, {"prob_map": GOOD.astype(kind)})["prob_map"].dtype == np.float32


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.bool_])
def test_numbers_of_another_kind_are_refused(kind: type, spec: ModelSpec) -> None:
    with pytest.raises(ModelError, match=f"is an array of {np.dtype(kind)}, and its spec says float32"):
        infer(spec, {"prob_map": GOOD.astype(kind)})


@pytest.mark.parametrize("shape", [(1, 1, 64, 96), (3, 1, 64, 96), (2, 1, 32, 48), (2, 64, 96), (2, 64, 64, 96)])
def test_an_output_that_the_decoder_would_misread_is_refused(shape: tuple[int, ...], spec: ModelSpec) -> None:
    with pytest.raises(ModelError, match=r"for an input of 2×3×64×96, and 2×1×64×96 is what DBPostprocessor reads"):
        infer(spec, {"prob_map": np.zeros(shape, np.float32)})


def test_more_images_than_a_static_batch_holds_are_refused(spec: ModelSpec) -> None:
    one = msgspec.structs.replace(spec, input=msgspec.structs.replace(spec.input, shape=(1, 3, "h", "w")))
    predictor = Predictor(one, _Given({"prob_map": GOOD}))
    prepared = [predictor.preprocess(np.zeros((32, 32, 3), np.uint8))] * 2
    with pytest.raises(ShapeError, match="holds 1 to 1 images, got 2"):
        predictor.infer_prepared(prepared)
    with pytest.raises(ShapeError, match="holds 1 to 1 images, got 0"):
        predictor.infer_prepared([])


@pytest.mark.parametrize(("beside", "fits"), [(1, True), (4, False)])
def test_an_input_takes_at_most_its_part_of_half_of_the_free_memory(
    beside: int, fits: bool, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 2**30)
    network = Inference(spec, _Given({}), 4, "m.onnx")
    network.check_memory((1, 3, 64, 64), beside)
    shape = (1, 3, 256, 1024)
    if fits:
        network.check_memory(shape, beside)
    else:
        with pytest.raises(
            ImageError, match=r"1×3×256×1024, 1024 pixels wide, which takes about 0\.4 GB .* 0\.1 GB is"
        ):
            network.check_memory(shape, beside)


def test_a_word_that_is_too_wide_costs_itself_alone(
    seeded_onnx: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 2**28)
    word, wide = np.zeros((32, 64, 3), np.uint8), np.zeros((1, 6000, 3), np.uint8)
    with open_predictor(seeded_onnx("crnn"), threads=2) as predictor:
        for size in (1, 3):
            outcomes = list(predictor.stream_outcomes([word, wide, word], size))
            assert [type(outcome) for outcome in outcomes] == [Recognition, ImageError, Recognition]


def test_a_batch_that_is_too_large_is_run_one_by_one(
    seeded_onnx: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [np.zeros((32, 2000, 3), np.uint8)] * 8
    with open_predictor(seeded_onnx("crnn"), threads=1) as predictor:
        monkeypatch.setattr(module, "free_memory", lambda: 2**28)
        assert len(list(predictor.stream(words, 8))) == 8


@pytest.mark.parametrize(
    ("threads", "workers"), [(1, 1), (2, 2), (7, 7), (8, 8), (10, 5), (11, 5), (12, 6), (16, 8), (20, 5), (64, 8)]
)
def test_workers_leave_few_cores_idle(threads: int, workers: int) -> None:
    assert worker_count(threads) == workers
    assert threads - workers * (threads // workers) <= 1
