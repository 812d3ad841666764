import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ocrdeploy.errors import ImageError
from ocrdeploy.images.arrays import check_array, is_pil_image, pil_pixels, to_color_type
from ocrdeploy.images.reading import decode_image
from ocrdeploy.steps import ColorType

GREY_TOLERANCE = 1
"""OpenCV computes grey in fixed point, so the last level may differ from the formula."""


def picture(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """Return a smooth picture."""
    coarse = np.random.default_rng(1).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_an_array_is_returned_as_it_is() -> None:
    image = picture()
    assert np.shares_memory(check_array(image), image)
    assert check_array(image[:, ::-1]).shape == image.shape


def test_a_grey_array_loses_its_one_channel() -> None:
    image = picture()
    for grey in (image[..., 0], image[..., :1]):
        np.testing.assert_array_equal(check_array(grey), image[..., 0])


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((4, 5, 4), np.uint8), "4 x 5 x 4 uint8"),
        (picture().astype(np.float32), "40 x 60 x 3 float32"),
        (picture().astype(np.int64), "int64"),
        (np.zeros((0, 5, 3), np.uint8), "0 x 5 x 3"),
        (np.zeros((0, 5), np.uint8), "0 x 5"),
        (np.zeros((2, 4, 5, 3), np.uint8), "2 x 4 x 5 x 3"),
        (np.array(3, np.uint8), "no dimensions"),
        (np.array([None]), "1 object"),
    ],
)
def test_other_arrays_are_refused(image: NDArray[np.generic], got: str) -> None:
    with pytest.raises(ImageError, match=got):
        check_array(image)


def test_grey_is_the_luminance_of_bt601() -> None:
    image = picture()
    expected = image @ np.array([0.114, 0.587, 0.299])
    grey_kinds: tuple[ColorType, ColorType] = ("grayscale", "grayscale_ignore_orientation")
    for kind in grey_kinds:
        grey = to_color_type(image, kind)
        assert grey.shape == (40, 60)
        np.testing.assert_allclose(grey, expected, atol=GREY_TOLERANCE)


def test_what_has_the_right_channels_stays() -> None:
    image = picture()
    assert to_color_type(image, "color") is image
    assert to_color_type(image, "color_ignore_orientation") is image
    grey = np.ascontiguousarray(image[..., 0])
    assert to_color_type(grey, "grayscale") is grey


def test_grey_becomes_equal_channels_and_grey_again() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = to_color_type(grey, "color")
    assert (colour == grey[..., None]).all()
    np.testing.assert_array_equal(to_color_type(colour, "grayscale"), grey)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("color_type", ["color", "grayscale"])
def test_an_image_of_pillow_is_what_its_file_is(mode: str, color_type: ColorType) -> None:
    drawn = Image.fromarray(picture()[..., ::-1])
    sixteen_bits = Image.fromarray(picture()[..., 0].astype(np.uint16) * 257)
    made = sixteen_bits if mode == "I;16" else drawn.convert(mode)
    file = io.BytesIO()
    made.save(file, "PNG")
    opened = Image.open(file)
    assert is_pil_image(opened)
    expected = decode_image(file.getvalue(), color_type, "a file")
    got = to_color_type(pil_pixels(opened, color_type), color_type)
    np.testing.assert_allclose(got.astype(int), expected.astype(int), atol=GREY_TOLERANCE)


@pytest.mark.filterwarnings("ignore:an image has an EXIF orientation")
@pytest.mark.parametrize("color_type", ["color", "color_ignore_orientation"])
def test_an_image_of_pillow_is_turned_as_a_file_is(color_type: ColorType) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture()).save(file, "PNG", exif=exif)
    jpeg = io.BytesIO()
    Image.fromarray(picture()).save(jpeg, "JPEG", exif=exif)
    expected = decode_image(jpeg.getvalue(), color_type, "a file").shape
    assert pil_pixels(Image.open(jpeg), color_type).shape == expected


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_scale_are_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=f"with the mode {mode} has no known scale"):
        pil_pixels(Image.new(mode, (4, 4)), "color")


def test_a_broken_image_of_pillow_is_refused() -> None:
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "PNG")
    opened = Image.open(io.BytesIO(file.getvalue()[:200]))
    with pytest.raises(ImageError, match="cannot be decoded"):
        pil_pixels(opened, "color")
