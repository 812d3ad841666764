"""A stand-in for a predictor, and data sets without files, for tests of what is around them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.datasets import BrokenSample, DetectionTruth, ImageFile, ImageSource, Sample
from ocrdeploy.errors import AnnotationError, ImageError, InputError
from ocrdeploy.results import Detection, Recognition, Result

BOX = np.array([[10, 10], [50, 10], [50, 30], [10, 30]], np.float64)
OTHER_BOX = BOX + 100


def box(score: float, polygon: NDArray[np.float64] = BOX) -> Detection:
    return Detection(polygon, score)


def scene(name: str) -> Sample:
    """A sample that holds one text instance."""
    return Sample(name, ImageFile(Path(name)), DetectionTruth((BOX,)), f"scenes.json, image {name!r}")


def word(name: str, text: str) -> Sample:
    return Sample(name, ImageFile(Path(name)), text, f"words.txt, {name}")


def broken(line: int) -> BrokenSample:
    return BrokenSample(AnnotationError(f"scenes.txt, line {line}: expected JSON"))


def reading(text: str) -> Recognition:
    return Recognition(text, (0.5,) * len(text))


class FakePredictor:
    """Knows the result of each image by its name; images that it does not know cannot be read."""

    def __init__(self, results: dict[str, Result]) -> None:
        self.results = results
        self.asked: list[str] = []

    def window_size(self, batch_size: int) -> int:
        return batch_size

    def read(self, image: ImageSource) -> str:
        assert isinstance(image, ImageFile)
        if image.path.name not in self.results:
            raise ImageError(f"the image {image.path.name} does not exist")
        return image.path.name

    def preprocess(self, pixels: str) -> str:
        return pixels

    def stream_outcomes(
        self, images: Iterable[ImageSource | InputError], _batch_size: int = 1, **_options: bool
    ) -> Iterator[Result | InputError]:
        for image in images:
            if isinstance(image, InputError):
                yield image
                continue
            assert isinstance(image, ImageFile)
            self.asked.append(image.path.name)
            missing = ImageError(f"the image {image.path.name} does not exist")
            yield self.results.get(image.path.name, missing)
