"""Record what MMOCR 0.6.3 computes of made-up detections and words, for tests/data/metrics.

Run with an interpreter that holds MMOCR 0.x: `python tests/support/record_metrics.py OUTPUT_FOLDER`.
"""

import gzip
import importlib
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

Box = list[float]
Image = dict[str, Any]

SCORES = [0.1, 0.3, 0.30001, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95]
SWEEPS = [(0.3, 0.9, 0.1), (0.3, 0.3, 0.1), (0.0, 1.0, 0.25), (0.5, 0.9, 0.05)]
WORDS = [
    "Hotel",
    "HOTEL",
    "hotel!",
    "PACIFIC",
    "03/09/2009",
    "it's",
    "A^B",
    "^",
    "!!!",
    "",
    "café",
    "中文字",
    "中文",
    "é",
    "ﬁne",
    "İst",
]
LETTERS = "abcXYZ019^'!- é中文"


def make_box(rng: random.Random, corners: int) -> Box:
    """Return a polygon around a random centre, which may cross itself."""
    x, y, w, h = rng.uniform(20, 180), rng.uniform(20, 120), rng.uniform(5, 60), rng.uniform(4, 25)
    kind = rng.random()
    if kind < 0.1:  # corners in any order: often invalid
        points = [(rng.uniform(x - w, x + w), rng.uniform(y - h, y + h)) for _ in range(corners)]
    elif kind < 0.15:  # no area
        points = [(x + i, y) for i in range(corners)]
    elif kind < 0.5 and corners == 4:  # whole numbers, where overlaps are exactly a half
        x, y, w, h = float(round(x)), float(round(y)), float(2 * round(w)), float(2 * round(h))
        points = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    else:
        turn = rng.uniform(0, 0.5)
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + np.pi / 4 + turn
        points = [(x + w * float(np.cos(a)), y + h * float(np.sin(a))) for a in angles]
    return [round(v, 2) for point in points for v in point]


def vary(rng: random.Random, box: Box) -> list[Box]:
    """Return predictions of a truth: near it, half of it, or its two halves."""
    points = np.array(box).reshape(-1, 2)
    kind = rng.random()
    if kind < 0.15:
        return []
    if kind < 0.3 and len(points) == 4:
        half = points.copy()
        half[1:3] = (points[1:3] + points[[0, 3]]) / 2
        return [half.ravel().tolist()]
    if kind < 0.5 and len(points) == 4:
        middle = (points[[1, 2]] + points[[0, 3]]) / 2
        left = np.array([points[0], middle[0], middle[1], points[3]])
        right = np.array([middle[0], points[1], points[2], middle[1]])
        return [left.ravel().tolist(), right.ravel().tolist()]
    moved = points + np.array([rng.uniform(-3, 3), rng.uniform(-2, 2)])
    boxes = [[round(v, 2) for v in moved.ravel().tolist()]]
    return boxes * 2 if kind > 0.92 else boxes


def merge(first: Box, second: Box) -> Box:
    """Return the upright box around two."""
    points = np.array(first + second).reshape(-1, 2)
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def make_image(rng: random.Random, quads_only: bool) -> Image:
    """Return truths, ignored truths, and predictions with their score as the last number."""

    def corners() -> int:
        return 4 if quads_only or rng.random() < 0.6 else rng.randint(5, 12)

    truths = [make_box(rng, corners()) for _ in range(rng.randint(0, 7))]
    ignored = [make_box(rng, corners()) for _ in range(rng.randint(0, 3))]
    boxes = [box for truth in truths + ignored for box in vary(rng, truth)]
    if len(truths) > 1 and rng.random() < 0.6:
        boxes.append(merge(truths[0], truths[1]))
    boxes += [make_box(rng, corners()) for _ in range(rng.randint(0, 3))]
    rng.shuffle(boxes)
    return {"gt": truths, "ignored": ignored, "pred": [[*box, rng.choice(SCORES)] for box in boxes]}


def record_detection() -> list[dict[str, Any]]:
    """Return cases of a few images each, with MMOCR's numbers."""
    hmean = importlib.import_module("mmocr.core.evaluation.hmean")
    iou = importlib.import_module("mmocr.core.evaluation.hmean_iou")
    ic13 = importlib.import_module("mmocr.core.evaluation.hmean_ic13")
    cases = []
    for seed in range(40):
        rng = random.Random(seed)  # noqa: S311
        metric = "hmean-iou" if seed % 2 else "hmean-ic13"
        images = [make_image(rng, metric == "hmean-ic13") for _ in range(rng.randint(1, 4))]
        low, high, step = SWEEPS[rng.randrange(len(SWEEPS))]
        infos = [{"masks": [[b] for b in i["gt"]], "masks_ignore": [[b] for b in i["ignored"]]} for i in images]
        results = [{"boundary_result": image["pred"]} for image in images]
        swept = hmean.eval_hmean(
            results, [{}] * len(images), infos, {metric}, min_score_thr=low, max_score_thr=high, step=step
        )
        lists = (
            [[box[:-1] for box in i["pred"]] for i in images],
            [i["gt"] for i in images],
            [i["ignored"] for i in images],
        )
        evaluate = iou.eval_hmean_iou if metric == "hmean-iou" else ic13.eval_hmean_ic13
        total, per_image = evaluate(*lists)
        sweep = {"min_score_thr": low, "max_score_thr": high, "step": step}
        cases.append({
            "metric": metric, "images": images, "sweep": sweep, "swept": swept, "unfiltered": total,
            "unfiltered_per_image": per_image,
        })  # fmt: skip
    return cases


def record_recognition() -> list[dict[str, Any]]:
    """Return lists of predicted and true words with MMOCR's numbers."""
    ocr_metric = importlib.import_module("mmocr.core.evaluation.ocr_metric")
    pairs: list[tuple[str, str]] = [(predicted, truth) for predicted in WORDS for truth in WORDS]
    lists = [[], [("", "")], [("", "a")], [("a", "")], [("!", "?")], pairs]
    # Longer than the 200 characters from which on difflib passes over frequent ones.
    lists.append([("ab" * 120 + "c", "b" + "ab" * 120), ("x" * 250, "x" * 249 + "y")])
    rng = random.Random(0)  # noqa: S311
    for _ in range(10):
        texts = ["".join(rng.choices(LETTERS, k=rng.randint(0, 9))) for _ in range(12)]
        lists.append(
            [(text if rng.random() < 0.5 else text[1:].swapcase() + rng.choice(LETTERS), text) for text in texts]
        )
    cases = []
    for words in lists:
        predicted, true = [pair[0] for pair in words], [pair[1] for pair in words]
        cases.append({"pred": predicted, "gt": true, "result": ocr_metric.eval_ocr_metric(predicted, true)})
    return cases


def main() -> None:
    """Write `detection.json.gz` and `recognition.json.gz` to the folder that is given."""
    folder = Path(sys.argv[1])
    for name, cases in (("detection", record_detection()), ("recognition", record_recognition())):
        packed = gzip.compress(json.dumps(cases).encode(), mtime=0)
        (folder / f"{name}.json.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
