from pathlib import Path

import numpy as np
import pytest

from ocrdeploy.datasets import ImageFile, LmdbImage
from ocrdeploy.errors import AnnotationError
from ocrdeploy.image_inputs import StreamItem, item_name


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
