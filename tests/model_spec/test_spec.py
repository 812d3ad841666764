from typing import Any

import msgspec
import pytest

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor
from ocrdeploy.model_spec import EvaluationSettings, IcdarDataset, ModelSpec, TensorSpec, dataset_name
from ocrdeploy.steps import Pad, ResizeOCR
from tests.support.specs import DETECTOR, RECOGNIZER


def test_defaults() -> None:
    spec = ModelSpec(1, "det", "DBNet", DETECTOR.input, DETECTOR.outputs, (), DBPostprocessor())
    assert (spec.datasets, spec.evaluation, spec.source, spec.export, spec.tools) == ((), None, None, None, {})
    settings = EvaluationSettings(("hmean-iou",))
    assert (settings.min_score_thr, settings.max_score_thr, settings.step) == (0.3, 0.9, 0.1)


def test_a_spec_does_not_change() -> None:
    with pytest.raises(AttributeError):
        DETECTOR.task = "recog"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        (DETECTOR, {"schema": 0}, "schema 0 does not exist"),
        (DETECTOR, {"task": "recog"}, "DBPostprocessor does not belong to task 'recog'"),
        (RECOGNIZER, {"task": "det"}, "CTCConvertor does not belong to task 'det'"),
        (DETECTOR, {"postprocessing": CTCConvertor(("<BLK>", "a"))}, "CTCConvertor does not belong to task 'det'"),
        (DETECTOR, {"outputs": ()}, "a model has at least one output"),
        (
            DETECTOR,
            {"outputs": (TensorSpec("input", (1,), ""),)},
            r"inputs and outputs have different names, not \['input', 'input'\]",
        ),
        (DETECTOR, {"outputs": DETECTOR.outputs * 2}, "inputs and outputs have different names"),
        (DETECTOR, {"input": TensorSpec("input", (1, 3, 32), "")}, r"four dimensions, not \(1, 3, 32\)"),
        (DETECTOR, {"evaluation": RECOGNIZER.evaluation}, r"the metric \('acc',\) does not belong to task 'det'"),
        (RECOGNIZER, {"evaluation": DETECTOR.evaluation}, "does not belong to task 'recog'"),
        (DETECTOR, {"datasets": RECOGNIZER.datasets}, "OCRDataset does not belong to task 'det'"),
        (RECOGNIZER, {"datasets": DETECTOR.datasets}, "IcdarDataset does not belong to task 'recog'"),
        (RECOGNIZER, {"outputs": (TensorSpec("logits", (1,), "", "int32"),)}, r"outputs of types \['float32'\]"),
        (
            RECOGNIZER,
            {"postprocessing": CTCConvertor(("<BLK>", "a"), reads="best_classes")},
            r"outputs of types \['int32', 'float32'\] and float32 inputs were expected, not \['float32'\]",
        ),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(base: ModelSpec, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(base, **changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (((),), "metric names no metric"),
        ((("bbox",),), "unknown metric 'bbox'"),
        ((("hmean-iou",), 0.3, 0.9, 0.1, None, 0.6), "iou_thr and precision_thr are 0.5 where"),
        ((("hmean-iou",), 0.3, 0.3, 0.1, "vanilla"), "from 0.3 to below the same are none at all"),
        ((("acc", "hmean"),), "unknown metric 'hmean'"),
        ((("acc",), 0.9, 0.3), "score thresholds from 0.9 to 0.3 by 0.1 are no sweep"),
        ((("acc",), -0.1), "no sweep"),
        ((("acc",), 0.3, 1.1), "no sweep"),
        ((("acc",), 0.3, 0.9, 0), "no sweep"),
        ((("acc",), 0.3, 0.9, 1.5), "no sweep"),
    ],
)
def test_impossible_evaluations_are_refused(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EvaluationSettings(*values)


def test_impossible_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="Pad takes either size_divisor or size"):
        Pad(32, (32, 32))
    with pytest.raises(ValueError, match="the size of Pad must be positive"):
        Pad(size=(0, 32))
    with pytest.raises(ValueError, match="the size_divisor of Pad must be positive, got 0"):
        Pad(0)
    with pytest.raises(ValueError, match=r"width_downsample_ratio must be in \(0, 1\], got 2"):
        ResizeOCR(32, width_downsample_ratio=2)
    with pytest.raises(ValueError, match="unknown_index 2 is outside the dictionary"):
        CTCConvertor(("<BLK>", "a"), 2)


@pytest.mark.parametrize(
    ("ann_file", "name"),
    [("data/icdar2015/instances_test.json", "icdar2015"), ("instances.json", "instances"), ("/a.json", "a")],
)
def test_names_of_data_sets(ann_file: str, name: str) -> None:
    assert dataset_name(IcdarDataset(ann_file)) == name


def test_what_divides_heights_and_widths_is_known_of_older_specs_too() -> None:
    assert (DETECTOR.input.multiple_of, RECOGNIZER.input.multiple_of) == (None, None)
    assert (DETECTOR.size_multiple, RECOGNIZER.size_multiple) == (32, 1)
    image = msgspec.structs.replace(DETECTOR.input, multiple_of=16)
    assert msgspec.structs.replace(DETECTOR, input=image).size_multiple == 16
