import math

import pytest
import torch

from ocrdeploy.layers.padding import MASKED, valid_places

WIDTHS = (32, 64, 96, 100, 128, 160, 256, 333)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stride", [4, 8])
def test_as_many_places_are_valid_as_in_mmocr(width: int, stride: int) -> None:
    places = width // stride
    ratios = [pixels / width for pixels in range(1, width + 1)]
    expected = [min(places, math.ceil(places * ratio)) for ratio in ratios]
    valid = valid_places(torch.tensor(ratios), width, places)
    assert valid.sum(dim=1).tolist() == expected
    assert (valid == (torch.arange(places) < valid.sum(dim=1)[:, None])).all()


def test_a_word_has_a_place_at_least() -> None:
    assert valid_places(torch.tensor([0.0]), 100, 25).sum() == 1


def test_no_words_have_no_places() -> None:
    assert valid_places(torch.zeros(0), 100, 25).shape == (0, 25)


def test_the_exponential_of_a_masked_score_is_nothing_beside_another_score() -> None:
    assert torch.tensor([MASKED, -50.0]).softmax(dim=0).tolist() == [0, 1]
    assert torch.tensor([MASKED]).half().isfinite().all()
