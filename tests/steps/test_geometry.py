import numpy as np

from ocrdeploy.steps.geometry import pad, pad_values, resize


def test_an_image_of_the_right_size_is_returned() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    assert resize(image, (4, 5)) is image
    assert pad(image, (4, 5), 1.0) is image


def test_one_padding_value_is_the_first_channels() -> None:
    assert pad(np.ones((1, 1, 3), np.uint8), (1, 2), 126.5)[0].tolist() == [[1, 1, 1], [126, 0, 0]]
    assert pad(np.ones((1, 1), np.uint8), (2, 1), 127.5).tolist() == [[1], [128]]
    assert pad(np.ones((1, 1), np.float32), (2, 1), -0.25).tolist() == [[1], [-0.25]]
    assert pad_values((1.0, 2.0, 3.0), 3) == (1.0, 2.0, 3.0)
    assert pad_values(4.0, 3) == (4.0, 0.0, 0.0)
