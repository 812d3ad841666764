import msgspec
import numpy as np
import pytest

from ocrdeploy.batches import as_batch, blank_batch, check_batch, check_fillable, check_shape, make_batch, stack_images
from ocrdeploy.decoders import CTCConvertor, DBPostprocessor
from ocrdeploy.errors import ModelError, ShapeError
from ocrdeploy.families.family import valid_ratio_input
from ocrdeploy.model_spec import ExportOptions, ModelSpec
from ocrdeploy.steps import Preprocessed, Resize, ResizeOCR
from ocrdeploy.tensors import Dimension, TensorSpec


def word(width: int, value: float) -> Preprocessed:
    return Preprocessed(np.full((1, 4, width), value, np.float32), None, 1.0, (4, width), (4, width))


def test_a_batch_is_as_wide_as_its_widest_and_padded_at_the_right() -> None:
    batch = stack_images([word(3, 1.0), word(5, 2.0)], 2)
    assert batch.shape == (2, 1, 4, 5)
    assert batch[0, 0, 0].tolist() == [1, 1, 1, 0, 0]
    assert (batch[1] == 2).all()


def test_a_batch_that_is_not_full_is_filled_up_with_its_last_image() -> None:
    batch = stack_images([word(3, 1.0), word(3, 2.0)], 4)
    assert batch[:, 0, 0, 0].tolist() == [1, 2, 2, 2]


def test_one_image_alone_is_not_copied() -> None:
    image = word(3, 1.0)
    assert np.shares_memory(stack_images([image], 1), image.tensor)


@pytest.fixture
def masking() -> ModelSpec:
    """A recogniser that masks the padding beside words."""
    return ModelSpec(
        schema=1,
        task="recog",
        architecture="SARNet",
        input=TensorSpec("input", ("batch", 1, 4, "width"), ""),
        outputs=(TensorSpec("logits", ("batch", "steps", 2), ""),),
        preprocessing=(ResizeOCR(4, 4, None),),
        postprocessing=CTCConvertor(("<BLK>", "a")),
        further_inputs=(valid_ratio_input("batch"),),
    )


def test_the_part_of_the_width_that_is_word_is_that_of_the_batch(masking: ModelSpec) -> None:
    padded = Preprocessed(np.ones((1, 4, 8), np.float32), None, 0.5, (4, 4), (4, 4))
    batch = make_batch([padded, word(10, 1.0)], masking, 3)
    assert batch["input"].shape == (3, 1, 4, 10)
    assert batch["valid_ratio"].dtype == np.float32
    # The last place is filled up with the last word.
    assert batch["valid_ratio"].tolist() == pytest.approx([0.4, 1, 1])
    check_batch(batch, masking)
    assert blank_batch(masking, (2, 1, 4, 6))["valid_ratio"].tolist() == [1, 1]


def test_a_network_that_takes_images_alone_is_given_nothing_else(masking: ModelSpec) -> None:
    plain = msgspec.structs.replace(masking, further_inputs=())
    images = np.zeros((1, 1, 4, 8), np.float32)
    assert list(make_batch([word(8, 1.0)], plain, 1)) == ["input"]
    check_batch(as_batch(images, plain), plain)
    with pytest.raises(ShapeError, match=r"arrays for its inputs \['input', 'valid_ratio'\], got \['input'\]"):
        check_batch(as_batch(images, masking), masking)


@pytest.mark.parametrize(
    ("ratio", "message"),
    [
        (np.ones(1, np.float32), "'valid_ratio' has shape 2 beside images of 2×1×4×8, got 1"),
        (np.ones((2, 1), np.float32), "has shape 2 beside images of 2×1×4×8, got 2×1"),
        (np.ones(2), "'valid_ratio' is an array of float32, got float64"),
        (0.5, "'valid_ratio' is an array of float32, got float"),
    ],
)
def test_a_further_input_of_another_shape_or_type_is_refused(ratio: object, message: str, masking: ModelSpec) -> None:
    batch = {"input": np.zeros((2, 1, 4, 8), np.float32), "valid_ratio": ratio}
    with pytest.raises(ShapeError, match=message):
        check_batch(batch, masking)  # type: ignore[arg-type]


def test_an_input_that_nothing_fills_is_refused_by_name(masking: ModelSpec) -> None:
    check_fillable(masking, "m.onnx")
    for tensor in (TensorSpec("beam_width", ("batch",), ""), TensorSpec("valid_ratio", ("batch", 1), "")):
        other = msgspec.structs.replace(masking, further_inputs=(tensor,))
        with pytest.raises(ModelError, match=rf"m\.onnx takes an input '{tensor.name}' of shape"):
            check_fillable(other, "m.onnx")
    unknown = msgspec.structs.replace(masking, further_inputs=(TensorSpec("beam_width", ("batch",), ""),))
    with pytest.raises(ModelError, match="the network takes an input 'beam_width'"):
        make_batch([word(8, 1.0)], unknown, 1)


@pytest.mark.parametrize("shape", [(3,), ("n",), ("batch", "width")])
def test_a_further_input_is_an_entry_an_image(shape: tuple[Dimension, ...], masking: ModelSpec) -> None:
    with pytest.raises(ValueError, match="'valid_ratio' is an entry an image, of fixed size"):
        msgspec.structs.replace(masking, further_inputs=(TensorSpec("valid_ratio", shape, ""),))


STATIC = ExportOptions(17, dynamic=False)


@pytest.mark.parametrize(
    ("expected", "shape", "export", "helps"),
    [
        ((1, 3, 64, 96), (1, 3, 64, 128), STATIC, True),
        ((1, 3, 64, 96), (2, 3, 64, 96), STATIC, True),
        ((1, 3, 64, 96), (1, 1, 64, 128), STATIC, False),
        ((1, 3, 64, 96), (1, 3, 64), STATIC, False),
        (("batch", 3, "height", "width"), (1, 1, 64, 96), ExportOptions(17, dynamic=True), False),
        (("batch", 3, 64, "width"), (1, 3, 32, 96), None, False),
    ],
)
def test_exporting_anew_is_told_only_where_it_helps(
    expected: tuple[Dimension, ...], shape: tuple[int, ...], export: ExportOptions | None, helps: bool
) -> None:
    spec = ModelSpec(
        schema=1,
        task="det",
        architecture="DBNet",
        input=TensorSpec("input", expected, ""),
        outputs=(TensorSpec("output", expected, ""),),
        preprocessing=(Resize((64, 96), keep_ratio=False),),
        postprocessing=DBPostprocessor(),
        export=export,
    )
    with pytest.raises(ShapeError, match=f"got {'×'.join(map(str, shape))}") as caught:
        check_shape(shape, spec)
    assert ("--dynamic" in str(caught.value)) == helps


def test_the_height_of_a_recogniser_is_not_opened_by_dynamic() -> None:
    spec = ModelSpec(
        schema=1,
        task="recog",
        architecture="CRNNNet",
        input=TensorSpec("input", (1, 1, 32, 96), ""),
        outputs=(TensorSpec("logits", (1, 25, 37), ""),),
        preprocessing=(ResizeOCR(32, 32, None),),
        postprocessing=CTCConvertor(("<BLK>", "a")),
        export=STATIC,
    )
    for shape, helps in (((1, 1, 32, 100), True), ((1, 1, 48, 96), False)):
        with pytest.raises(ShapeError) as caught:
            check_shape(shape, spec)
        assert ("--dynamic" in str(caught.value)) == helps
