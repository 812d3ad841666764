"""Time an evaluation against MMOCR's own, on the same checkpoint, images and machine, from files to metrics.

    python benchmarks/mmocr_loop.py dbnet.py dbnet.pth --ann-file instances_test.json --img-prefix imgs
    python benchmarks/mmocr_loop.py crnn.py crnn.pth --words 300

MMOCR runs in its own interpreter, by both of its tools: `deploy_test` runs the ONNX model that MMOCR's script writes in
ONNX Runtime, `test` the PyTorch model. Without onnxruntime in that interpreter, --mmocr-packages names a folder that
has it (pip install --target FOLDER --no-deps onnxruntime), best in the version that is used here. Each loop is MMOCR's:
the config's data loader with its worker process, the model, decoding, `dataset.evaluate`; the metrics must be ours.
Loading is done before. Each may use all cores, and one runs at a time.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drawn_words import draw_words
from timing import interleaved, ratios, spread
from worker import Worker

from ocrdeploy import open_predictor
from ocrdeploy.evaluation.evaluating import EvaluationOptions, evaluate
from ocrdeploy.evaluation.plan import DataChoice, choose_settings, open_data
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.mmocr_reference.interpreter import find_mmocr_python

SCRIPT = Path(__file__).with_name("mmocr_worker.py")
LOOPS = ("deploy_test", "test")
TOLERANCE = 1e-6
"""Metrics of the same results; MMOCR rounds those of recognition to four digits."""


@dataclass(frozen=True, slots=True)
class Data:
    """A labelled data set.

    Attributes:
        ann_file: Annotations in the layout that the config expects.
        img_prefix: Folder of the images.
        count: Number of images.
        image: One of them.
    """

    ann_file: Path
    img_prefix: Path
    count: int
    image: Path


def main() -> None:
    """Measure and print."""
    options = arguments()
    with (
        tempfile.TemporaryDirectory() as name,
        Worker(find_mmocr_python(options.mmocr_python), SCRIPT, packages=options.mmocr_packages) as mmocr,
    ):
        folder = Path(name)
        data = word_data(folder, options.words) if options.words else repeated(folder, options)
        model = folder / "model.onnx"
        spec = export_model(ExportRequest(options.config, options.checkpoint, model, dynamic=True)).spec
        request = {"config": str(options.config), "checkpoint": str(options.checkpoint), "task": spec.task}
        request |= {"ann_file": str(data.ann_file), "img_prefix": str(data.img_prefix), "image": str(data.image)}
        theirs = str(folder / "mmocr.onnx")
        mmocr.ask(request | {"do": "export", "file": theirs})
        for loop, file in zip(LOOPS, (theirs, str(options.checkpoint)), strict=True):
            if loop in options.loops:
                mmocr.ask(request | {"do": "open", "loop": loop, "model": file})
        measure(model, data, mmocr, options.loops, options.rounds)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="MMOCR 0.x config")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--ann-file", type=Path, help="annotations of an IcdarDataset")
    parser.add_argument("--img-prefix", type=Path, help="folder of its images")
    parser.add_argument("--repeat", type=int, default=3, help="how often each image comes in a round (default: 3)")
    parser.add_argument("--words", type=int, default=0, help="draw this many words of natural widths instead")
    parser.add_argument("--rounds", type=int, default=5, help="rounds after one to warm up (default: 5)")
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS, help="MMOCR's loops (default: both)")
    parser.add_argument("--mmocr-python", type=Path, help="interpreter that holds MMOCR")
    parser.add_argument("--mmocr-packages", type=Path, help="folder with packages that it lacks")
    options = parser.parse_args()
    if not options.words and (options.ann_file is None or options.img_prefix is None):
        parser.error("give --ann-file and --img-prefix, or --words")
    return options


def word_data(folder: Path, count: int) -> Data:
    """Return drawn words as a data set."""
    words = draw_words(folder, count)
    label = folder / "label.txt"
    label.write_text("".join(f"{path.name} {text}\n" for path, text in words.items()), encoding="utf-8")
    return Data(label, folder, count, next(iter(words)))


def repeated(folder: Path, options: argparse.Namespace) -> Data:
    """Return a data set in which each image comes several times, so that starting the loop counts for little."""
    document = json.loads(options.ann_file.read_text(encoding="utf-8"))
    images, annotations = document["images"], document["annotations"]
    document["images"], document["annotations"] = [], []
    for turn in range(options.repeat):
        document["images"] += [image | {"id": f"{turn}-{image['id']}"} for image in images]
        for item in annotations:
            document["annotations"].append(item | {name: f"{turn}-{item[name]}" for name in ("id", "image_id")})
    ann_file = folder / "instances.json"
    ann_file.write_text(json.dumps(document), encoding="utf-8")
    image = options.img_prefix / images[0]["file_name"]
    return Data(ann_file, options.img_prefix, len(document["images"]), image)


def measure(model: Path, data: Data, mmocr: Worker, loops: tuple[str, ...], rounds: int) -> None:
    """Run the loops in turn, compare their metrics and print their times."""
    metrics: dict[str, dict[str, float]] = {}
    with open_predictor(model, device="cpu") as predictor:
        choice = DataChoice(ann_file=str(data.ann_file), img_prefix=str(data.img_prefix))
        samples = open_data(predictor.spec, choice)[0].samples
        settings = choose_settings(predictor.spec, choice)

        def ours() -> None:
            metrics["ocrdeploy"] = evaluate(predictor, samples, settings, EvaluationOptions()).metrics

        def theirs(loop: str) -> Callable[[], None]:
            def run() -> None:
                answer: dict[str, float] = mmocr.ask({"do": "run", "loop": loop})
                metrics[loop] = {key.removeprefix("0_"): value for key, value in answer.items()}

            return run

        times = interleaved({"ocrdeploy": ours} | {loop: theirs(loop) for loop in loops}, rounds)
    print(f"{data.count} images, {rounds} rounds, {predictor.threads} cores; metrics: {metrics['ocrdeploy']}")
    print(f"ocrdeploy: {spread(times['ocrdeploy'])} s")
    for loop in loops:
        if not same(metrics[loop], metrics["ocrdeploy"]):
            sys.exit(f"{loop} of MMOCR has other metrics: {metrics[loop]}")
        factor = spread(ratios(times[loop], times["ocrdeploy"]))
        print(f"MMOCR, {loop}: {spread(times[loop])} s with the same metrics; ocrdeploy is {factor} times as fast")


def same(theirs: dict[str, float], ours: dict[str, float]) -> bool:
    """Tell whether two results of a metric are the same."""
    return theirs.keys() == ours.keys() and all(
        math.isclose(value, ours[key], abs_tol=TOLERANCE) for key, value in theirs.items()
    )


if __name__ == "__main__":
    main()
