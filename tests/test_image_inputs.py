from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.datasets import ImageFile, LmdbImage
from ocrdeploy.errors import AnnotationError
from ocrdeploy.image_inputs import StreamItem, item_name, stack_batch
from ocrdeploy.steps import Preprocessed


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
