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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from drawn_words import draw_words
from timing import interleaved, ratios, spread

from ocrdeploy import open_predictor
from ocrdeploy.images.arguments import find_images
from ocrdeploy.predictor import Predictor

Times = dict[str, list[float]]


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
            times = measure(predictor, options.model, paths, options.rounds, options.threads)
    report(options.model, len(paths), times, options.threads)


@contextmanager
def given_images(names: Sequence[str], words: int) -> Iterator[list[Path]]:
    """Give the images that are named, or words that are drawn."""
    if not words:
        yield find_images(names)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield list(draw_words(Path(folder), words))


def measure(predictor: Predictor, model: Path, paths: Sequence[Path], rounds: int, threads: int) -> Times:
    """Return seconds of the bare network, of the other stages, and of the stream, by round."""
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
        before = cv2.getNumThreads()
        cv2.setNumThreads(1)
        for path, output in zip(paths, outputs, strict=True):
            predictor.decode(output, [predictor.prepare(path)])
        cv2.setNumThreads(before)

    def stream() -> None:
        for _ in predictor.stream(paths):
            pass

    return interleaved({"network": network, "other stages": other_stages, "stream": stream}, rounds)


def report(model: Path, count: int, times: Times, threads: int) -> None:
    """Print medians, and the ratio to the bound with its spread."""
    both = zip(times["network"], times["other stages"], strict=True)
    bounds = [max(n, (threads * n + s) / threads) for n, s in both]
    parts = ", ".join(f"{name} {np.median(taken):.2f} s" for name, taken in times.items())
    print(
        f"{model.stem}: {count} images, {len(bounds)} rounds, {threads} cores: {parts}; "
        f"{spread(ratios(times['stream'], bounds))} times the bound of {np.median(bounds):.2f} s"
    )


if __name__ == "__main__":
    main()
