import numpy as np
import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.whole_numbers import check_batch_size, check_threads, whole_number


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_every_kind_are_taken(value: object) -> None:
    number = whole_number(value, "steps", 1, 3)
    assert (number, type(number)) == (3, int)


@pytest.mark.parametrize("value", [0, 4, -1, 1.0, np.float32(1), "1", None, True, 10**20, [1]])
def test_all_else_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="steps is a whole number from 1 to 3, got "):
        whole_number(value, "steps", 1, 3)


def test_threads_may_be_left_out_and_a_batch_size_not() -> None:
    assert check_threads(None) is None
    with pytest.raises(UsageError, match="batch_size"):
        check_batch_size(None)
