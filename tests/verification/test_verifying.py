from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import Detection, open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends import Array
from ocrdeploy.decoders import CTCConvertor, Outputs
from ocrdeploy.errors import NonFiniteError, ShapeError, UsageError
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import ImageInput, Predictor
from ocrdeploy.results import Result
from ocrdeploy.steps import Normalize, Preprocessed, Resize
from ocrdeploy.verification.comparison import BackendFacts
from ocrdeploy.verification.result_difference import DetectionDifference, RecognitionDifference
from ocrdeploy.verification.tolerances import Tolerance
from ocrdeploy.verification.verifying import Case, Comparison, count_inputs, verify
from tests.support.faults import changed_decoder, changed_step, changed_weight, plant
from tests.support.models import ARCHITECTURES, write_model


def compare(model: Path, images: list[Path]) -> Comparison:
    with open_predictor(model, backend="torch") as reference, open_predictor(model) as candidate:
        return verify(reference, candidate, images, Tolerance())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_exported_model_is_the_model_that_was_trained(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    comparison = compare(seeded_onnx(architecture), [])
    assert comparison.passed
    assert comparison.preprocessing.images == 3
    shapes = comparison.tensors[0].shapes
    assert {shape[0] for shape in shapes} == {1, 2, 3}
    assert len(set(shapes)) >= 4


def test_results_on_real_images_are_compared(sample_dir: Path, small_onnx: Path) -> None:
    comparison = compare(small_onnx, sorted((sample_dir / "imgs").glob("*.jpg"))[:2])
    assert comparison.passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.images == 2
    assert comparison.results.matched > 10


def test_a_changed_weight_is_found_in_tensors_and_results(sample_dir: Path, small_onnx: Path, tmp_path: Path) -> None:
    # The last bias: the whole map is shifted, and most boxes vanish.
    faulty = plant(small_onnx, tmp_path, changed_weight("/bbox_head/binarize/binarize.6/ConvTranspose", 2, factor=3))
    comparison = compare(faulty, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert not comparison.passed
    assert comparison.preprocessing.passed
    assert not comparison.tensors[0].passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.missing > 0
    assert comparison.decoding.passed
    assert comparison.causes == ("network",)


def test_a_swapped_mean_is_found_in_the_preprocessing_alone(sample_dir: Path, small_onnx: Path, tmp_path: Path) -> None:
    faulty = plant(small_onnx, tmp_path, spec=changed_step(Normalize, mean=(103.53, 116.28, 123.675)))
    comparison = compare(faulty, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert not comparison.passed
    assert not comparison.preprocessing.passed
    assert comparison.preprocessing.max_abs > 0.1
    assert comparison.tensors[0].passed
    assert comparison.causes == ("pre-processing",)
    assert comparison.settings == (
        "Normalize.mean is (123.675, 116.28, 103.53) in the reference, (103.53, 116.28, 123.675) in the candidate",
    )


def test_a_scale_that_is_off_by_one_is_found_in_the_preprocessing_alone(
    sample_dir: Path, small_onnx: Path, tmp_path: Path
) -> None:
    faulty = plant(small_onnx, tmp_path, spec=changed_step(Resize, scale=(448, 255)))
    comparison = compare(faulty, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.causes == ("pre-processing",)
    # Both are padded to the same multiples of 32, so the tensors' sizes do not tell it.
    assert comparison.preprocessing.sizes is not None
    first, second = comparison.preprocessing.sizes
    assert first[0] - second[0] == 1
    assert comparison.settings == ("Resize.scale is (448, 256) in the reference, (448, 255) in the candidate",)


def test_pipelines_are_compared_on_sizes_that_no_image_has(sample_dir: Path, small_onnx: Path, tmp_path: Path) -> None:
    # The images are so near to squares that the longer of the two edges never counts.
    faulty = plant(small_onnx, tmp_path, spec=changed_step(Resize, scale=(447, 256)))
    image = sample_dir / "imgs" / "syn_0022.jpg"
    with open_predictor(small_onnx) as right, open_predictor(faulty) as wrong:
        np.testing.assert_array_equal(right.prepare(image).tensor, wrong.prepare(image).tensor)
    comparison = compare(faulty, [image])
    assert comparison.causes == ("pre-processing",)
    assert (comparison.preprocessing.images, comparison.preprocessing.sizes_tried) == (1, 4)


def test_a_changed_threshold_is_found_in_the_results_alone(sample_dir: Path, small_onnx: Path, tmp_path: Path) -> None:
    faulty = plant(small_onnx, tmp_path, spec=changed_decoder(min_text_score=0.75))
    comparison = compare(faulty, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.preprocessing.passed
    assert comparison.tensors[0].passed
    assert isinstance(comparison.results, DetectionDifference)
    assert comparison.results.missing > 0
    assert comparison.results.extra == 0
    assert not comparison.passed
    assert comparison.causes == ("post-processing",)
    assert comparison.settings == ("DBPostprocessor.min_text_score is 0.3 in the reference, 0.75 in the candidate",)


def test_a_dictionary_in_another_order_is_found_in_the_results_alone(
    seeded_onnx: Callable[[str], Path], tmp_path: Path
) -> None:
    model = seeded_onnx("crnn")
    decoder = read_onnx_spec(model).postprocessing
    assert isinstance(decoder, CTCConvertor)
    turned = (decoder.dictionary[0], *decoder.dictionary[:0:-1])
    comparison = compare(plant(model, tmp_path, spec=changed_decoder(dictionary=turned)), [])
    assert comparison.causes == ("post-processing",)
    assert isinstance(comparison.results, RecognitionDifference)
    assert comparison.results.edit_distance > 0
    assert comparison.settings == ("CTCConvertor.dictionary[1] is 0 in the reference, z in the candidate",)


def test_a_recogniser_that_decodes_is_compared_with_any_other(seeded_recognizer: Callable[..., Path]) -> None:
    plain, decoded = (seeded_recognizer(decode_in_graph=value) for value in (False, True))
    cases: list[Case] = []
    for first, second, backend in ((decoded, decoded, "torch"), (plain, decoded, None), (decoded, plain, None)):
        with open_predictor(first, backend=backend) as reference, open_predictor(second) as candidate:
            comparison = verify(reference, candidate, [], on_case=cases.append)
        assert comparison.passed
        assert [tensor.name for tensor in comparison.tensors] == ["indices", "scores"]
        assert comparison.tensors[0].unequal is not None
        assert {len(shape) for tensor in comparison.tensors for shape in tensor.shapes} == {2}
        assert isinstance(comparison.results, RecognitionDifference)
        assert comparison.results.texts_equal == 3
    assert all(output.dtype == np.float32 for case in cases for output in case.first_outputs)


def test_a_changed_weight_of_a_recogniser_that_decodes_is_found(
    seeded_recognizer: Callable[..., Path], tmp_path: Path
) -> None:
    model = seeded_recognizer(decode_in_graph=True)
    faulty = plant(model, tmp_path, changed_weight("/decoder/decoder/decoder.1/embedding/MatMul", 1, factor=1.5))
    comparison = compare(faulty, [])
    assert not comparison.passed
    assert not comparison.tensors[1].passed


def test_every_image_is_given_to_who_wants_to_draw_it(sample_dir: Path, small_onnx: Path) -> None:
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:2]
    cases: list[Case] = []
    steps: list[None] = []
    with open_predictor(small_onnx, backend="torch") as reference, open_predictor(small_onnx) as candidate:
        comparison = verify(reference, candidate, images, None, lambda: steps.append(None), cases.append)
        assert len(steps) == count_inputs(reference, candidate, images)
    assert [case.image for case in cases] == images
    assert [output.shape for output in cases[0].first_outputs] == [(1, 1, *cases[0].prepared.tensor.shape[1:])] * 2
    assert max(case.max_abs for case in cases) <= comparison.tensors[0].max_abs
    assert comparison.worst_input.ndim == 4


@pytest.mark.parametrize("shape", [(1, 3, 160, 224), (2, 3, 160, 224)])
def test_a_static_model_is_compared_at_its_shape(shape: tuple[int, int, int, int], tmp_path: Path) -> None:
    files = write_model(tmp_path, "dbnet")
    model = tmp_path / "static.onnx"
    export_model(ExportRequest(files.config, files.checkpoint, model, shape=shape))
    pixels = np.full((100, 100, 3), 128, np.uint8)
    with open_predictor(model, backend="torch") as reference, open_predictor(model) as candidate:
        comparison = verify(reference, candidate, [pixels])
    assert comparison.passed
    # The image that was given is brought to another size, so it is left out, and one that fits is drawn.
    assert (comparison.skipped, comparison.drawn) == (1, True)
    assert comparison.results.images == 1
    assert set(comparison.tensors[0].shapes) == {(shape[0], 1, *shape[2:])}


def test_models_of_two_tasks_are_refused(seeded_onnx: Callable[[str], Path]) -> None:
    with (
        open_predictor(seeded_onnx("dbnet")) as reference,
        open_predictor(seeded_onnx("crnn")) as candidate,
        pytest.raises(UsageError, match="models of one task can be compared, not 'det' with 'recog'"),
    ):
        verify(reference, candidate, [])


def test_static_models_of_two_shapes_have_nothing_to_compare(tmp_path: Path) -> None:
    files = write_model(tmp_path, "dbnet")
    models = tmp_path / "one.onnx", tmp_path / "other.onnx"
    for model, width in zip(models, (64, 96), strict=True):
        export_model(ExportRequest(files.config, files.checkpoint, model, shape=(1, 3, 64, width)))
    with (
        open_predictor(models[0]) as reference,
        open_predictor(models[1]) as candidate,
        pytest.raises(ShapeError, match="no input has a shape that both models take"),
    ):
        verify(reference, candidate, [])


@dataclass
class Foreign:
    """A reference of another make: the steps of a predictor, and a result that is moved by some pixels."""

    predictor: Predictor
    spec: ModelSpec
    moved_by: float
    backend: BackendFacts

    def prepare(self, image: ImageInput, /) -> Preprocessed:
        return self.predictor.prepare(image)

    def infer(self, batch: Array, /) -> dict[str, Array]:
        return self.predictor.infer(batch)

    def decode(self, outputs: Outputs, prepared: Sequence[Preprocessed], /) -> list[Result]:
        return [
            [Detection(each.polygon + self.moved_by, each.score) for each in result]
            if isinstance(result, list)
            else result
            for result in self.predictor.decode(outputs, prepared)
        ]


@pytest.mark.parametrize(("moved_by", "causes"), [(0.01, ()), (30.0, ("post-processing",))])
def test_a_reference_of_another_make_needs_its_three_steps_alone(
    moved_by: float, causes: tuple[str, ...], small_onnx: Path, sample_dir: Path
) -> None:
    with open_predictor(small_onnx) as predictor, open_predictor(small_onnx) as candidate:
        foreign = Foreign(predictor, predictor.spec, moved_by, predictor.backend)
        comparison = verify(foreign, candidate, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.causes == causes
    assert comparison.passed == (not causes)


def test_an_output_that_is_not_finite_names_the_input(small_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    node = "/bbox_head/binarize/binarize.6/ConvTranspose"
    broken = plant(small_onnx, tmp_path, changed_weight(node, factor=np.nan))
    image = sample_dir / "imgs" / "syn_0022.jpg"
    with (
        open_predictor(small_onnx) as reference,
        open_predictor(broken) as candidate,
        pytest.raises(NonFiniteError) as caught,
    ):
        verify(reference, candidate, [image])
    assert caught.value.message.endswith(f"; the input is {image}")
