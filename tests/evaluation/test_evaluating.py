import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ocrdeploy.datasets import Item
from ocrdeploy.errors import AnnotationError, ImageError, InputError, OcrDeployError, UsageError
from ocrdeploy.evaluation.evaluating import EvaluationOptions, evaluate, evaluate_predictions
from ocrdeploy.evaluation.scores import Evaluation
from ocrdeploy.model_spec import EvaluationSettings
from ocrdeploy.predictions.records import Prediction, PredictionReader, prediction_document
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
    settings: EvaluationSettings = DETECTION, earlier: Sequence[Prediction] = (),
) -> tuple[Evaluation, list[str], list[str]]:  # fmt: skip
    """Return the evaluation, the images it ran, and what was told of each image, in order."""
    predictor = FakePredictor(results)
    told: list[str] = []

    def on_broken(item: Item, error: OcrDeployError) -> None:
        told.append(f"broken: {error.message}")

    score = evaluate(
        predictor,  # type: ignore[arg-type]
        items,
        settings,
        options,
        lambda sample, _result: told.append(sample.name),
        on_broken,
        earlier,
    )
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


def earlier_result(name: str, result: Result | None) -> Prediction:
    return Prediction(name, "m.onnx", "torch", result, f"p.jsonl.part, line of {name}")


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


def test_what_was_skipped_earlier_stays_skipped() -> None:
    earlier = [earlier_result("a.jpg", None), earlier_result("b.jpg", FOUND["b.jpg"])]
    score, asked, _ = run(FOUND, SCENES, SKIPPING, earlier=earlier)
    assert (score.images, score.broken, asked) == (2, 1, ["c.jpg"])


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [(["b.jpg"], "'a.jpg'"), (["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "none")],
)
def test_earlier_results_of_other_images_are_refused(earlier: list[str], expected: str) -> None:
    results = [earlier_result(name, []) for name in earlier]
    with pytest.raises(InputError, match=f"a result for '{earlier[-1]}', and the data set has {expected} there"):
        run(FOUND, SCENES, earlier=results)


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


def test_images_that_were_skipped_have_no_line() -> None:
    reader = reader_of([("a.jpg", FOUND["a.jpg"]), ("c.jpg", FOUND["c.jpg"])])
    items = [SCENES[0], broken(2), *SCENES[1:]]
    score = evaluate_predictions(reader, items, DETECTION, SKIPPING)
    assert (score.images, score.broken) == (2, 2)
    assert reader.peek() is None
    with pytest.raises(AnnotationError):
        evaluate_predictions(reader_of([("a.jpg", [])]), items, DETECTION, EvaluationOptions())


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
        lambda sample, _result: order.append(f"{sample.name} of {len(taken)}"),
    )
    assert order == ["a.jpg of 1", "b.jpg of 2", "c.jpg of 3"]
