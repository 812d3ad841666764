from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import Detection, open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends import Array, Batch
from ocrdeploy.decoders import CTCConvertor, Outputs
from ocrdeploy.errors import ImageError, NonFiniteError, ShapeError, UsageError
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import ImageInput, Predictor
from ocrdeploy.results import Result
from ocrdeploy.steps import Normalize, Pad, Preprocessed, Resize
from ocrdeploy.verification.comparison import BackendFacts
from ocrdeploy.verification.document import comparison_document
from ocrdeploy.verification.result_difference import DetectionDifference, RecognitionDifference
from ocrdeploy.verification.tolerances import Tolerance, ToleranceRules
from ocrdeploy.verification.verifying import Case, Comparison, count_inputs, verify
from tests.support.batches import images_of
from tests.support.faults import SpecEdit, changed_decoder, changed_step, changed_weight, plant, zeros_from_image
from tests.support.models import ARCHITECTURES, write_model


def compare(model: Path, images: list[Path]) -> Comparison:
    with open_predictor(model, backend="torch") as reference, open_predictor(model) as candidate:
        return verify(reference, candidate, images, Tolerance())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_exported_model_is_the_model_that_was_trained(architecture: str, seeded_onnx: Callable[[str], Path]) -> None:
    comparison = compare(seeded_onnx(architecture), [])
    assert comparison.passed
    # ABINet takes words of one size alone.
    assert comparison.preprocessing.images == (1 if architecture == "abinet" else 3)
    shapes = comparison.tensors[0].shapes
    assert {shape[0] for shape in shapes} == {1, 2, 3, 16}
    assert len(set(shapes)) >= 4 or architecture == "abinet"


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


@pytest.mark.slow
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
    assert comparison.worst_input


@pytest.mark.parametrize("shape", [(1, 3, 160, 224), (2, 3, 160, 224)])
def test_a_static_model_is_compared_at_its_shape(shape: tuple[int, int, int, int], tmp_path: Path) -> None:
    files = write_model(tmp_path, "dbnet")
    model = tmp_path / "static.onnx"
    export_model(ExportRequest(files.config, files.checkpoint, model, shape=shape))
    pixels = np.full((100, 100, 3), 128, np.uint8)
    with open_predictor(model, backend="torch") as reference, open_predictor(model) as candidate:
        comparison = verify(reference, candidate, [pixels])
    # The image that was given is brought to another size, so it is left out, and one that fits is drawn.
    assert comparison.causes == ("images",)
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

    def infer(self, batch: Batch, /) -> dict[str, Array]:
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


def test_a_static_model_that_takes_none_of_the_images_fails(tmp_path: Path) -> None:
    files = write_model(tmp_path, "dbnet")
    model = tmp_path / "static.onnx"
    export_model(ExportRequest(files.config, files.checkpoint, model, shape=(1, 3, 64, 96)))
    pixels = [np.full((100, 100, 3), 128, np.uint8), np.full((30, 100, 3), 128, np.uint8)]
    with open_predictor(model, backend="torch") as reference, open_predictor(model) as candidate:
        comparison = verify(reference, candidate, pixels)
    assert not comparison.passed
    assert comparison.causes == ("images",)
    assert (comparison.given, comparison.drawn) == (2, True)
    assert [each.image for each in comparison.left_out] == ["image of 100×100", "image of 30×100"]
    assert "1×3×64×96" in comparison.left_out[0].reason
    # Where the fault would be, is told all the same.
    assert comparison.networks_agree


@dataclass
class Limited:
    """A model whose network takes small inputs alone, as an engine does, and which finds nothing."""

    predictor: Predictor
    most: int
    spec: ModelSpec
    backend: BackendFacts

    def prepare(self, image: ImageInput, /) -> Preprocessed:
        return self.predictor.prepare(image)

    def infer(self, batch: Batch, /) -> dict[str, Array]:
        if images_of(batch)[0, 0].size > self.most:
            raise ShapeError("no profile holds it")
        return self.predictor.infer(batch)

    def decode(self, output: Outputs, prepared: Sequence[Preprocessed], /) -> list[Result]:
        return self.predictor.decode(output, prepared)


@pytest.mark.parametrize(("most", "compared"), [(64 * 64, 0), (128 * 448, 1)])
def test_images_that_a_network_refuses_are_not_counted(
    most: int, compared: int, small_onnx: Path, sample_dir: Path
) -> None:
    wide = np.full((100, 400, 3), 128, np.uint8)
    wide[40:60, 50:250] = 0
    with open_predictor(small_onnx) as reference, open_predictor(small_onnx) as candidate:
        limited = Limited(candidate, most, candidate.spec, candidate.backend)
        comparison = verify(reference, limited, [wide, sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.results.images == compared
    assert len(comparison.left_out) == 2 - compared
    assert {each.reason for each in comparison.left_out} == {"no profile holds it"}
    assert comparison.passed == bool(compared)
    assert comparison.batches_left_out > 0


def test_an_image_that_cannot_be_read_fails_alone(small_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    broken, good = tmp_path / "broken.jpg", sample_dir / "imgs" / "syn_0022.jpg"
    broken.write_bytes(good.read_bytes()[:100])
    with open_predictor(small_onnx) as reference, open_predictor(small_onnx) as candidate:
        comparison = verify(reference, candidate, [broken, good])
        assert comparison.causes == ("images",)
        assert [each.image for each in comparison.unreadable] == [str(broken)]
        assert comparison.results.images == 1
        with pytest.raises(ImageError, match=r"broken\.jpg"):
            verify(reference, candidate, [broken])


@pytest.mark.parametrize("reversed_", [False, True])
def test_the_coarser_precision_of_both_decides(reversed_: bool, small_onnx: Path, sample_dir: Path) -> None:
    with open_predictor(small_onnx) as first, open_predictor(small_onnx) as second:
        second.backend.precision = "fp16"
        sides = (second, first) if reversed_ else (first, second)
        comparison = verify(*sides, [sample_dir / "imgs" / "syn_0022.jpg"])
    assert comparison.rule.word == "fp16"
    assert comparison.tensors[0].tolerance == Tolerance(5e-3, 5e-3)
    assert len(comparison.notes) == 1


def test_tf32_has_a_tolerance_of_its_own_and_is_recorded(small_onnx: Path, sample_dir: Path) -> None:
    with open_predictor(small_onnx) as first, open_predictor(small_onnx) as second:
        second.backend.tf32 = True
        comparison = verify(first, second, [sample_dir / "imgs" / "syn_0022.jpg"])
    document = comparison_document(comparison)
    assert (document["precision"], document["tf32"], document["judged_as"]) == ("fp32", True, "tf32")
    assert comparison.tensors[0].tolerance == Tolerance(5e-3, 5e-3)


def test_a_format_without_a_tolerance_is_judged_by_its_results(small_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    with open_predictor(small_onnx) as first, open_predictor(small_onnx) as second:
        second.backend.precision = "int8"
        comparison = verify(first, second, [image], ToleranceRules(max_differing=0.5))
        assert comparison.passed
        assert [tensor.passed for tensor in comparison.tensors] == [None]
        assert comparison.results.tolerance.differing == 0.5
        # What nobody finds anything on shows nothing.
        assert verify(first, second, [np.full((64, 64, 3), 128, np.uint8)]).causes == ("images",)


def exchanged(first: str, second: str) -> SpecEdit:
    """Exchange two characters of a dictionary."""

    def edit(spec: ModelSpec) -> ModelSpec:
        assert isinstance(spec.postprocessing, CTCConvertor)
        table = {first: second, second: first}
        dictionary = tuple(table.get(each, each) for each in spec.postprocessing.dictionary)
        return changed_decoder(dictionary=dictionary)(spec)

    return edit


@pytest.mark.parametrize(
    ("architecture", "edit"),
    [
        ("crnn", exchanged("q", "z")),
        ("crnn", changed_decoder(unknown_index=5)),
        ("crnn", changed_decoder(lower=False)),
        ("dbnet", changed_decoder(max_candidates=2999)),
        ("dbnet", changed_decoder(mask_thr=0.3001)),
        ("psenet", changed_decoder(min_text_area=17)),
        ("panet", changed_decoder(min_kernel_confidence=0.51)),
        ("dbnet", changed_step(Pad, pad_val=1.0)),
    ],
)
def test_a_setting_that_differs_fails_whatever_the_images_show(
    architecture: str,
    edit: SpecEdit,
    seeded_onnx: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ocrdeploy.verification.inputs.MAX_PIXELS", 2**14)
    model = seeded_onnx(architecture)
    pixels = np.full((32, 64, 3), 128, np.uint8)
    with open_predictor(model) as reference, open_predictor(plant(model, tmp_path, spec=edit)) as candidate:
        comparison = verify(reference, candidate, [pixels])
    assert not comparison.passed
    assert len(comparison.settings) == 1


@pytest.mark.parametrize("architecture", ["crnn", "dbnet"])
def test_a_fault_that_begins_late_in_a_batch_is_found(
    architecture: str, seeded_onnx: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.verification.inputs.MAX_PIXELS", 2**14)
    faulty = plant(seeded_onnx(architecture), tmp_path, zeros_from_image(15))
    comparison = compare(faulty, [])
    assert comparison.causes == ("network",)
    worst = comparison.tensors[0].worst
    assert worst is not None
    assert (worst.index[0], worst.label) == (15, "long batch noise")
