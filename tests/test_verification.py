from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from ocrdeploy import Detection, Recognition, open_predictor
from ocrdeploy.artifacts import embed_spec, read_onnx_spec
from ocrdeploy.comparing import (
    DetectionDifference,
    RecognitionDifference,
    TensorDifference,
    Tolerance,
    match_pairs,
)
from ocrdeploy.model_spec import DBPostprocessor, ModelSpec, Normalize
from ocrdeploy.verification import Comparison, verify
from tests.support.models import ARCHITECTURES


def box(x: float, y: float, score: float = 0.9) -> Detection:
    return Detection(np.array([(x, y), (x + 20, y), (x + 20, y + 10), (x, y + 10)], float), score)


def compare(model: Path, images: list[Path]) -> Comparison:
    with open_predictor(model, backend="torch") as reference, open_predictor(model) as candidate:
        return verify(reference, candidate, images, Tolerance())


def edited(model: Path, folder: Path, edit: Callable[[onnx.ModelProto, ModelSpec], ModelSpec]) -> Path:
    """Return a copy of a model that was changed after its export."""
    graph = onnx.load_model(model)
    embed_spec(graph, edit(graph, read_onnx_spec(model)))
    path = folder / "edited.onnx"
    onnx.save_model(graph, path)
    return path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_exported_model_is_the_model_that_was_trained(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    comparison = compare(seeded_onnx(architecture), [])
    assert comparison.passed
    assert comparison.preprocessing.images == 3
    shapes = comparison.tensors[0].shapes
    assert {shape[0] for shape in shapes} == {1, 2, 3}
    assert len(set(shapes)) >= 4


def test_results_on_real_images_are_compared(sample_dir: Path, sample_onnx: Path) -> None:
    comparison = compare(sample_onnx, sorted((sample_dir / "imgs").glob("*.jpg"))[:2])
    assert comparison.passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.images == 2
    assert comparison.results.matched > 10


def test_a_changed_weight_is_found_in_tensors_and_results(sample_dir: Path, sample_onnx: Path, tmp_path: Path) -> None:
    def edit(graph: onnx.ModelProto, spec: ModelSpec) -> ModelSpec:
        # The last bias: the whole map is shifted, and most boxes vanish.
        bias = graph.graph.initializer[-1]
        for tensor in graph.graph.initializer:
            if tensor.name.endswith("binarize.6.bias"):
                bias = tensor
        values = onnx.numpy_helper.to_array(bias) - 4
        bias.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), bias.name))
        return spec

    comparison = compare(edited(sample_onnx, tmp_path, edit), [sample_dir / "imgs" / "syn_0022.jpg"])
    assert not comparison.passed
    assert comparison.preprocessing.passed
    assert not comparison.tensors[0].passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.missing > 0


def test_a_swapped_mean_is_found_in_the_preprocessing_alone(
    sample_dir: Path, sample_onnx: Path, tmp_path: Path
) -> None:
    def edit(graph: onnx.ModelProto, spec: ModelSpec) -> ModelSpec:
        steps = tuple(
            msgspec.structs.replace(step, mean=step.mean[::-1]) if isinstance(step, Normalize) else step
            for step in spec.preprocessing
        )
        return msgspec.structs.replace(spec, preprocessing=steps)

    comparison = compare(edited(sample_onnx, tmp_path, edit), [sample_dir / "imgs" / "syn_0022.jpg"])
    assert not comparison.passed
    assert not comparison.preprocessing.passed
    assert comparison.preprocessing.max_abs > 0.1
    assert comparison.tensors[0].passed


def test_a_changed_threshold_is_found_in_the_results_alone(sample_dir: Path, sample_onnx: Path, tmp_path: Path) -> None:
    def edit(graph: onnx.ModelProto, spec: ModelSpec) -> ModelSpec:
        return msgspec.structs.replace(spec, postprocessing=DBPostprocessor(text_repr_type="quad", min_text_score=0.75))

    comparison = compare(edited(sample_onnx, tmp_path, edit), [sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.preprocessing.passed
    assert comparison.tensors[0].passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.missing > 0
    assert comparison.results.extra == 0
    assert not comparison.passed


def test_a_missing_box_is_a_difference() -> None:
    difference = DetectionDifference()
    difference.add([box(0, 0), box(100, 0)], [box(100, 0)])
    assert (difference.matched, difference.missing, difference.extra) == (1, 1, 0)
    assert not difference.passed
    swapped = DetectionDifference()
    swapped.add([box(100, 0)], [box(0, 0), box(100, 0)])
    assert (swapped.matched, swapped.missing, swapped.extra) == (1, 0, 1)
    assert not swapped.passed


def test_no_boxes_on_both_sides_agree() -> None:
    difference = DetectionDifference()
    difference.add([], [])
    assert difference.passed
    assert difference.images == 1


def test_one_box_is_matched_once_even_if_two_overlap_it() -> None:
    difference = DetectionDifference()
    difference.add([box(0, 0)], [box(0, 0), box(0.1, 0)])
    assert (difference.matched, difference.extra, difference.worst_iou) == (1, 1, 1.0)


def test_scores_that_differ_are_a_difference() -> None:
    difference = DetectionDifference()
    difference.add([box(0, 0, 0.9)], [box(0, 0, 0.8)])
    assert difference.worst_score_diff == pytest.approx(0.1)
    assert not difference.passed


def test_texts_that_differ_are_a_difference() -> None:
    difference = RecognitionDifference()
    difference.add(Recognition("ab", (0.9, 0.8)), Recognition("ab", (0.9, 0.8)))
    assert difference.passed
    difference.add(Recognition("ab", (0.9, 0.8)), Recognition("a", (0.9,)))
    assert (difference.images, difference.texts_equal) == (2, 1)
    assert not difference.passed


def test_a_tensor_passes_within_atol_plus_rtol_times_the_largest_value() -> None:
    reference = np.array([[10.0, -20.0]], np.float32)
    within, beyond = TensorDifference("x", Tolerance(1e-3, 1e-3)), TensorDifference("x", Tolerance(1e-3, 1e-3))
    within.add(reference, reference + np.float32(0.02))
    beyond.add(reference, reference + np.float32(0.03))
    assert within.largest == 20
    assert within.passed
    assert not beyond.passed


def test_tensors_of_other_shapes_are_a_difference() -> None:
    difference = TensorDifference("x", Tolerance())
    difference.add(np.zeros((1, 3), np.float32), np.zeros((1, 4), np.float32))
    assert not difference.passed


def test_pairs_are_taken_best_first() -> None:
    overlaps = np.array([[0.96, 0.99], [0.0, 0.97]])
    assert match_pairs(overlaps, 0.95) == [(0, 1)]
    assert match_pairs(np.zeros((0, 3)), 0.95) == []
