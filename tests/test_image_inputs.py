from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.datasets import ImageFile, LmdbImage
from ocrdeploy.decoders import CTCConvertor, DBPostprocessor
from ocrdeploy.errors import AnnotationError, ShapeError
from ocrdeploy.image_inputs import StreamItem, check_shape, item_name, stack_batch
from ocrdeploy.model_spec import ExportOptions, ModelSpec
from ocrdeploy.steps import Preprocessed, Resize, ResizeOCR
from ocrdeploy.tensors import Dimension, TensorSpec


def word(width: int, value: float) -> Preprocessed:
    return Preprocessed(np.full((1, 4, width), value, np.float32), None, 1.0, (4, width), (4, width))


def test_a_batch_is_as_wide_as_its_widest_and_padded_at_the_right() -> None:
    batch = stack_batch([word(3, 1.0), word(5, 2.0)], 2)
    assert batch.shape == (2, 1, 4, 5)
    assert batch[0, 0, 0].tolist() == [1, 1, 1, 0, 0]
    assert (batch[1] == 2).all()


def test_a_batch_that_is_not_full_is_filled_up_with_its_last_image() -> None:
    batch = stack_batch([word(3, 1.0), word(3, 2.0)], 4)
    assert batch[:, 0, 0, 0].tolist() == [1, 2, 2, 2]


def test_one_image_alone_is_not_copied() -> None:
    image = word(3, 1.0)
    assert np.shares_memory(stack_batch([image], 1), image.tensor)


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (Path("imgs/a.jpg"), "imgs/a.jpg"),
        ("imgs/a.jpg", "imgs/a.jpg"),
        (ImageFile(Path("imgs/a.jpg")), "imgs/a.jpg"),
        (LmdbImage(Path("words.lmdb"), "image-000000001"), "words.lmdb: image-000000001"),
        (np.zeros((2, 2, 3), np.uint8), "image 8"),
        (AnnotationError("it has its own words"), ""),
    ],
)
def test_errors_call_an_image_by_its_file_or_its_place(item: StreamItem, name: str) -> None:
    assert item_name(item, 7) == name


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
