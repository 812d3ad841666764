import pytest
import torch

from ocrdeploy.mmocr_reference.worker.errors import WorkerError
from ocrdeploy.mmocr_reference.worker.outputs import files_of, tensors_of

ONE, TWO, THREE, FOUR = (torch.full((1,), value) for value in (1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize(
    "result",
    [
        [[ONE, TWO], [THREE, FOUR]],
        [{"cls_res": ONE, "reg_res": TWO}, {"cls_res": THREE, "reg_res": FOUR}],
        (ONE, TWO, THREE, FOUR),
    ],
)
def test_tensors_of_levels_are_one_after_the_other(result: object) -> None:
    assert [float(tensor) for tensor in tensors_of(result)] == [1, 2, 3, 4]


def test_one_tensor_is_one() -> None:
    assert tensors_of(ONE) == [ONE]


@pytest.mark.parametrize("result", [None, [], [ONE, "text"], {"a": 1.0}])
def test_what_is_no_tensor_is_refused(result: object) -> None:
    with pytest.raises(WorkerError, match="tensors are read"):
        tensors_of(result)


def test_further_outputs_come_behind_the_first() -> None:
    assert files_of({"output": "a", "further": ["b", "c"]}) == ["a", "b", "c"]
    assert files_of({"output": "a"}) == ["a"]
