"""Time a model from image files to results against its bare network in ONNX Runtime, on the same tensors.

    python benchmarks/pipeline.py MODEL.onnx IMAGE_FOLDER
    python benchmarks/pipeline.py CRNN.onnx --words 300

With n the time of the bare network (`session.run` in a loop, on all cores), s that of all other stages in a loop on one
core, and c cores, no pipeline takes less than max(n, (c n + s) / c) if the network uses its cores well. What is
printed is how many times that bound the stream of ocrdeploy takes. A network of small layers does not use several cores
well one image at a time; with an image a core it does, and the ratio falls below 1. Rounds are interleaved: each
measures all three once.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from ocrdeploy import open_predictor
from ocrdeploy.images.arguments import find_images
from ocrdeploy.predictor import Predictor

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", nargs="*", help="image files, or folders of them")
    parser.add_argument("--words", type=int, default=0, help="draw this many words of natural widths instead")
    parser.add_argument("--count", type=int, default=30, help="images a round; taken again and again (default: 30)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds after one to warm up (default: 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="cores (default: all)")
    options = parser.parse_args()
    with given_images(options.images, options.words) as images:
        paths = [images[index % len(images)] for index in range(options.words or options.count)]
        with open_predictor(options.model, device="cpu", threads=options.threads) as predictor:
            rows = measure(predictor, options.model, paths, options.rounds, options.threads)
    report(options.model, len(paths), rows, options.threads)


@contextmanager
def given_images(names: Sequence[str], words: int) -> Iterator[list[Path]]:
    """Give the images that are named, or words that are drawn."""
    if not words:
        yield find_images(names)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield draw_words(Path(folder), words)


def draw_words(folder: Path, count: int) -> list[Path]:
    """Write words of 2 to 14 characters, tightly cut, in heights from 20 to 60 pixels."""
    generator = np.random.default_rng(0)
    paths = []
    for index in range(count):
        text = "".join(generator.choice(list(LETTERS), int(generator.integers(2, 15))))
        scale = float(generator.uniform(0.7, 2))
        (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
        image = np.full((height + base + 4, width + 8, 3), 220, np.uint8)
        cv2.putText(image, text, (4, height + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, (30, 30, 30), 2, cv2.LINE_AA)
        paths.append(folder / f"word_{index}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths


def measure(
    predictor: Predictor, model: Path, paths: Sequence[Path], rounds: int, threads: int
) -> list[tuple[float, float, float]]:
    """Return seconds of the bare network, of the other stages, and of the stream, a row a round."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    session = ort.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    prepared = [predictor.prepare(path) for path in paths]
    outputs = [session.run(None, {name: item.tensor[None]})[0] for item in prepared]

    def network() -> None:
        for item in prepared:
            session.run(None, {name: item.tensor[None]})

    def other_stages() -> None:
        for path, output in zip(paths, outputs, strict=True):
            predictor.decode_prepared(output, [predictor.prepare(path)])

    def stream() -> None:
        for _ in predictor.stream(paths):
            pass

    rows = []
    for done in range(-1, rounds):
        row = (seconds(network), on_one_core(other_stages), seconds(stream))
        if done >= 0:
            rows.append(row)
    return rows


def on_one_core(work: Callable[[], None]) -> float:
    """Return how long a function takes without OpenCV's threads."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    taken = seconds(work)
    cv2.setNumThreads(before)
    return taken


def seconds(work: Callable[[], None]) -> float:
    """Return how long a function takes, after ONNX Runtime's threads have stopped looking for work."""
    time.sleep(0.3)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(model: Path, count: int, rows: Sequence[tuple[float, float, float]], threads: int) -> None:
    """Print medians, and the ratio to the bound with its spread."""
    bounds = [max(n, (threads * n + s) / threads) for n, s, _ in rows]
    ratios = [e / bound for (_, _, e), bound in zip(rows, bounds, strict=True)]
    n, s, e = np.median(rows, axis=0)
    print(
        f"{model.stem}: {count} images, {len(rows)} rounds, {threads} cores: network {n:.2f} s, other stages "
        f"{s:.2f} s, stream {e:.2f} s; {np.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) times the "
        f"bound of {np.median(bounds):.2f} s"
    )


if __name__ == "__main__":
    main()
