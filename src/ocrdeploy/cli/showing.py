"""Pictures that commands leave behind."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ocrdeploy.model_spec import ModelSpec
    from ocrdeploy.results import Result
    from ocrdeploy.steps import ColorType, Preprocessed
    from ocrdeploy.verification.comparison import BackendFacts


class Shown(Protocol):
    """A model whose results are drawn: a `Predictor`, or the real MMOCR."""

    color_type: "ColorType"
    """How its pipeline reads image files."""

    @property
    def spec(self) -> "ModelSpec":
        """What the model takes, gives and means."""
        ...

    @property
    def backend(self) -> "BackendFacts":
        """Its runtime, whose name stands above the picture."""
        ...

    def prepare(self, image: Path, /) -> "Preprocessed":
        """Bring an image into the form that the network takes."""
        ...

    def stream(self, images: "Iterable[Preprocessed]", /) -> "Iterator[Result]":
        """Yield the result of each image."""
        ...


def show_side_by_side(path: Path, image: Path | None, predictors: "Sequence[Shown]") -> None:
    """Write an image with the results of several models drawn on it, side by side, as a PNG file.

    Args:
        path: The file to write.
        image: The image's file; None draws one of the last model's size.
        predictors: The models.

    Raises:
        OutputError: The file cannot be written.
    """
    from ocrdeploy.images.drawing import draw_result, side_by_side, write_png
    from ocrdeploy.verification.inputs import drawn_images, prepare_drawn, static_shape

    spec = predictors[-1].spec
    pixels = drawn_images(spec)[0] if image is None else color_pixels(image, predictors[0])
    pictures = []
    for predictor in predictors:
        prepared = (
            prepare_drawn(pixels, predictor.spec, static_shape(spec)) if image is None else predictor.prepare(image)
        )
        result = next(predictor.stream([prepared]))
        pictures.append(draw_result(pixels, result, caption=predictor.backend.name))
    write_png(path, side_by_side(pictures))


def color_pixels(image: Path, predictor: Shown) -> "NDArray[np.uint8]":
    """Read an image as H×W×3 uint8 BGR, turned as the model's pipeline turns it."""
    from ocrdeploy.images.reading import read_image

    keeps = predictor.color_type.endswith("_ignore_orientation")
    return read_image(image, "color_ignore_orientation" if keeps else "color")
