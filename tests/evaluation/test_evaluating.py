import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.datasets import ImageFile, Item, Sample
from ocrdeploy.errors import AnnotationError, ImageError, InputError, NonFiniteError, OcrDeployError, UsageError
from ocrdeploy.evaluation.evaluating import EvaluationOptions, Outcome, evaluate, evaluate_predictions, file_state
from ocrdeploy.evaluation.scores import Evaluation
from ocrdeploy.model_spec import EvaluationSettings
from ocrdeploy.predictions.part_files import Stored
from ocrdeploy.predictions.records import Prediction, PredictionReader, failure_document, prediction_document
from ocrdeploy.results import Result
from tests.support.predicting import OTHER_BOX, FakePredictor, box, broken, reading, scene, word

DETECTION = EvaluationSettings(("hmean-iou",))
RECOGNITION = EvaluationSettings(("acc",))
SKIPPING = EvaluationOptions(skip_broken=True)

SCENES: list[Item] = [scene("a.jpg"), scene("b.jpg"), scene("c.jpg")]
FOUND: dict[str, Result] = {
    "a.jpg": [box(0.9)],
    "b.jpg": [box(0.9, OTHER_BOX)],
    "c.jpg": [box(0.9), box(0.95, OTHER_BOX)],
}


def run(
    results: dict[str, Result], items: Sequence[Item], options: EvaluationOptions = EvaluationOptions(),  # noqa: B008
    settings: EvaluationSettings = DETECTION, earlier: Sequence[Stored | None] = (),
) -> tuple[Evaluation, list[str], list[str]]:  # fmt: skip
    """Return the evaluation, the images it ran, and what was told of each image, in order."""
    predictor = FakePredictor(results)
    told: list[str] = []

    def on_outcome(outcome: Outcome) -> None:
        error = outcome.result
        name = outcome.item.name if isinstance(outcome.item, Sample) else ""
        told.append(f"broken: {error.message}" if isinstance(error, OcrDeployError) else name)

    stored = dict(enumerate(earlier))
    score = evaluate(predictor, items, settings, options, on_outcome, stored.get)  # type: ignore[arg-type]
    return score, predictor.asked, told


def test_scores_and_counts_every_image() -> None:
    score, asked, told = run(FOUND, SCENES)
    assert asked == told == ["a.jpg", "b.jpg", "c.jpg"]
    assert (score.images, score.broken, score.resumed) == (3, 0, 0)
    assert score.metrics == pytest.approx(
        {"hmean-iou:recall": 2 / 3, "hmean-iou:precision": 1 / 2, "hmean-iou:hmean": 4 / 7}
    )
    assert score.seconds > 0
    assert score.images_per_second == pytest.approx(3 / score.seconds)


def test_several_metrics_are_reported_together() -> None:
    score, *_ = run(FOUND, SCENES, settings=EvaluationSettings(("hmean-iou", "hmean-ic13")))
    assert set(score.metrics) == {
        f"{metric}:{number}" for metric in ("hmean-iou", "hmean-ic13") for number in ("recall", "precision", "hmean")
    }


def test_a_score_threshold_takes_the_place_of_the_sweep() -> None:
    score, *_ = run(FOUND, SCENES, EvaluationOptions(score_thr=0.92))
    assert score.metrics == {"hmean-iou:recall": 0, "hmean-iou:precision": 0, "hmean-iou:hmean": 0}


def test_no_image_at_all_is_scored_as_mmocr_does() -> None:
    score, *_ = run({}, [])
    assert (score.images, score.images_per_second) == (0, None)
    assert score.metrics["hmean-iou:hmean"] == 1


def test_the_first_broken_one_stops_the_run() -> None:
    with pytest.raises(ImageError, match=r"b\.jpg does not exist"):
        run({"a.jpg": [], "c.jpg": []}, SCENES)
    with pytest.raises(AnnotationError, match="line 2"):
        run(FOUND, [SCENES[0], broken(2), SCENES[1]])


def test_broken_ones_are_passed_on_in_order_and_counted() -> None:
    items = [broken(1), SCENES[0], SCENES[1], broken(4), SCENES[2], broken(6)]
    score, _, told = run({"a.jpg": [box(0.9)], "c.jpg": [box(0.9)]}, items, SKIPPING)
    assert told == [
        "broken: scenes.txt, line 1: expected JSON",
        "a.jpg",
        "broken: the image b.jpg does not exist",
        "broken: scenes.txt, line 4: expected JSON",
        "c.jpg",
        "broken: scenes.txt, line 6: expected JSON",
    ]
    assert (score.images, score.broken) == (2, 4)
    assert score.metrics["hmean-iou:hmean"] == 1


def test_words_are_scored_by_their_metric_and_annotations_of_another_task_refused() -> None:
    items: list[Item] = [word("a.jpg", "one"), word("b.jpg", "two")]
    results: dict[str, Result] = {"a.jpg": reading("one"), "b.jpg": reading("tow")}
    score, *_ = run(results, items, settings=RECOGNITION)
    assert score.metrics["word_acc"] == 0.5
    with pytest.raises(UsageError, match=r"the annotation of a\.jpg is not for this model's task"):
        run(FOUND, items)


def earlier_result(name: str, result: Result | None, state: str = "") -> Stored:
    return Stored(Prediction(name, "m.onnx", "torch", result, f"p.jsonl.part, line of {name}"), state)


def test_what_was_run_earlier_is_scored_and_not_run_again() -> None:
    earlier = [earlier_result("a.jpg", FOUND["a.jpg"]), earlier_result("b.jpg", FOUND["b.jpg"])]
    score, asked, told = run(FOUND, SCENES, earlier=earlier)
    assert asked == told == ["c.jpg"]
    assert (score.images, score.resumed) == (3, 2)
    assert score.metrics == run(FOUND, SCENES)[0].metrics
    assert score.images_per_second == pytest.approx(1 / score.seconds)


def test_where_all_was_run_earlier_there_is_no_throughput() -> None:
    earlier = [earlier_result(name, result) for name, result in FOUND.items()]
    score, asked, _ = run({}, SCENES, earlier=earlier)
    assert (asked, score.images_per_second) == ([], None)
    assert score.metrics == run(FOUND, SCENES)[0].metrics


def test_what_was_skipped_or_replaced_is_run_again_in_its_place() -> None:
    earlier = [earlier_result("a.jpg", None), earlier_result("b.jpg", []), earlier_result("c.jpg", [], "other state")]
    score, asked, told = run(FOUND, SCENES, SKIPPING, earlier=earlier)
    assert asked == told == ["a.jpg", "c.jpg"]
    assert (score.images, score.broken, score.resumed) == (3, 0, 1)
    score, asked, _ = run(FOUND, [broken(1), *SCENES], SKIPPING, earlier=[earlier_result("", None)])
    assert (score.images, score.broken, len(asked)) == (3, 1, 3)


BATCHED = EvaluationOptions(batch_size=2, skip_broken=True)


@pytest.mark.parametrize(
    ("earlier", "asked"),
    [
        ("", "abcde"),
        ("a", "abcde"),
        ("ab", "cde"),
        ("abc", "cde"),
        ("abcd", "e"),
        ("abcde", ""),
        ("aXcd", "de"),  # a window is two images that can be read
        ("aXc", "de"),
        ("Xbcd", "de"),
        ("aX", "abcde"),
    ],
)
def test_where_images_run_together_whole_windows_of_readable_ones_count(earlier: str, asked: str) -> None:
    """X: an image that could not be read in the earlier run, and still cannot."""
    items: list[Item] = [scene(f"{name}.jpg") for name in "abcde"]
    lost = "abcde"[earlier.index("X")] if "X" in earlier else ""
    results: dict[str, Result] = {f"{name}.jpg": [box(0.9)] for name in "abcde" if name != lost}
    stored = [
        earlier_result(f"{name}.jpg", None if mark == "X" else [box(0.9)])
        for name, mark in zip("abcde", earlier, strict=False)
    ]
    score, found, _ = run(results, items, BATCHED, earlier=stored)
    assert "".join(name.removesuffix(".jpg") for name in found) == asked
    assert (score.images, score.broken) == (5 - bool(lost), bool(lost))


def test_an_image_that_was_mended_changes_the_windows_behind_it() -> None:
    items: list[Item] = [scene(f"{name}.jpg") for name in "abcde"]
    stored = [earlier_result(f"{name}.jpg", None if name == "c" else [box(0.9)]) for name in "abcde"]
    results: dict[str, Result] = {f"{name}.jpg": [box(0.9)] for name in "abcde"}
    score, found, _ = run(results, items, BATCHED, earlier=stored)
    assert found == ["c.jpg", "d.jpg", "e.jpg"]
    assert (score.images, score.resumed) == (5, 2)


def test_the_state_of_a_file_is_its_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert file_state(ImageFile(path)) == ""
    path.write_bytes(b"1")
    first = file_state(ImageFile(path))
    os.utime(path, ns=(0, 0))
    second = file_state(ImageFile(path))
    path.write_bytes(b"12")
    os.utime(path, ns=(0, 0))
    assert len({first, second, file_state(ImageFile(path))}) == 3


def test_an_image_on_which_the_model_fails_costs_that_image_alone() -> None:
    results: dict[str, Any] = FOUND | {"b.jpg": NonFiniteError("b.jpg: an output holds NaN")}
    score, _, told = run(results, SCENES)
    assert told == ["a.jpg", "broken: b.jpg: an output holds NaN", "c.jpg"]
    assert (score.images, score.failed, score.broken) == (2, 1, 0)
    assert str(score.failure) == "b.jpg: an output holds NaN"


def test_earlier_results_of_other_images_are_refused() -> None:
    with pytest.raises(InputError, match=r"a result for 'b\.jpg', and the data set has 'a\.jpg' there"):
        run(FOUND, SCENES, earlier=[earlier_result("b.jpg", [])])
    with pytest.raises(InputError, match=r"a result for 'b\.jpg', and the data set has none there"):
        run(FOUND, [broken(1)], SKIPPING, earlier=[earlier_result("b.jpg", [])])


def reader_of(lines: Sequence[tuple[str, Result]], model: str = "m.onnx") -> PredictionReader:
    texts = [json.dumps(prediction_document(name, model, "torch", result)).encode() for name, result in lines]
    return PredictionReader(Path("p.jsonl"), iter(texts))


def test_predictions_score_as_the_run_that_made_them() -> None:
    reader = reader_of(list(FOUND.items()))
    score = evaluate_predictions(reader, SCENES, DETECTION, EvaluationOptions())
    assert score.metrics == run(FOUND, SCENES)[0].metrics
    assert (score.images, score.resumed, score.images_per_second) == (3, 3, None)
    assert reader.peek() is None


def test_two_data_sets_follow_each_other_in_one_file() -> None:
    reader = reader_of(list(FOUND.items()) * 2)
    scores = [evaluate_predictions(reader, SCENES, DETECTION, EvaluationOptions()) for _ in range(2)]
    assert scores[0].metrics == scores[1].metrics
    assert reader.peek() is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["a.jpg", "c.jpg"],
            (
                r"p\.jsonl, line 2: a prediction for 'b\.jpg' \(scenes\.json, image 'b\.jpg'\) was "
                r"expected, got one for 'c\.jpg' by m\.onnx on torch"
            ),
        ),
        (["a.jpg", "b.jpg"], r"p\.jsonl, line 3: a prediction for 'c\.jpg' .* was expected, and the file ends"),
        (["x.jpg", "a.jpg"], r"p\.jsonl, line 1: a prediction for 'a\.jpg'"),
    ],
)
def test_lines_that_do_not_fit_are_refused_with_their_number(lines: list[str], message: str) -> None:
    reader = reader_of([(name, []) for name in lines])
    with pytest.raises(InputError, match=message):
        evaluate_predictions(reader, SCENES, DETECTION, EvaluationOptions())


def test_images_that_were_skipped_have_a_line_too() -> None:
    def reader() -> PredictionReader:
        documents = [
            prediction_document("a.jpg", "m", "torch", FOUND["a.jpg"]), failure_document("", "m", "torch", "line 2"),
            failure_document("b.jpg", "m", "torch", "it is gone"),
            prediction_document("c.jpg", "m", "torch", FOUND["c.jpg"]),
        ]  # fmt: skip
        return PredictionReader(Path("p.jsonl"), iter(json.dumps(each).encode() for each in documents))

    items = [SCENES[0], broken(2), *SCENES[1:]]
    whole = reader()
    score = evaluate_predictions(whole, items, DETECTION, SKIPPING)
    assert (score.images, score.broken) == (2, 2)
    assert whole.peek() is None
    with pytest.raises(InputError, match=r"p\.jsonl, line 2: line 2"):
        evaluate_predictions(reader(), items, DETECTION, EvaluationOptions())
    with pytest.raises(InputError, match=r"p\.jsonl, line 2: a prediction for 'b\.jpg'"):
        evaluate_predictions(reader(), SCENES, DETECTION, SKIPPING)


def test_a_line_that_is_missing_is_no_skipped_image() -> None:
    with pytest.raises(InputError, match="and the file ends"):
        evaluate_predictions(reader_of([("a.jpg", [])]), SCENES, DETECTION, SKIPPING)


def test_a_broken_line_is_no_skipped_image() -> None:
    reader = PredictionReader(Path("p.jsonl"), iter([b"{}", b"{}"]))
    with pytest.raises(InputError, match=r"p\.jsonl, line 1: expected a prediction"):
        evaluate_predictions(reader, SCENES, DETECTION, SKIPPING)


def test_predictions_for_another_task_are_refused_with_their_line() -> None:
    reader = reader_of([("a.jpg", reading("one"))])
    with pytest.raises(InputError, match=r"p\.jsonl, line 1: 'a\.jpg' has polygons in the data set"):
        evaluate_predictions(reader, SCENES, DETECTION, EvaluationOptions())
    reader = reader_of([("a.jpg", [])])
    with pytest.raises(InputError, match=r"line 1: 'a\.jpg' has a text in the data set"):
        evaluate_predictions(reader, [word("a.jpg", "one")], RECOGNITION, EvaluationOptions())


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_an_impossible_score_threshold_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        EvaluationOptions(score_thr=value)


def test_samples_are_taken_one_by_one() -> None:
    taken: list[str] = []

    def items() -> Iterator[Item]:
        for item in SCENES:
            taken.append(str(item))
            yield item

    order: list[str] = []
    evaluate(
        FakePredictor(FOUND),  # type: ignore[arg-type]
        items(),
        DETECTION,
        EvaluationOptions(),
        lambda outcome: order.append(f"{outcome.index} of {len(taken)}"),
    )
    assert order == ["0 of 1", "1 of 2", "2 of 3"]
