"""Compare an exported graph with the one that MMOCR's script writes: nodes, and time in ONNX Runtime.

    python benchmarks/graphs.py dbnet.py dbnet.pth imgs/

MMOCR 0.6.3's tools/deployment/pytorch2onnx.py runs in its own interpreter, with --dynamic-export. Both graphs run on
the same tensors, those of the images, in sessions with the same settings and all cores. Nodes are counted as written,
and after ONNX Runtime's own optimisation.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from timing import interleaved, ratios, spread
from worker import Worker

from ocrdeploy import open_predictor
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.hardware import core_count
from ocrdeploy.images.arguments import find_images
from ocrdeploy.mmocr_reference.interpreter import find_mmocr_python

SCRIPT = Path(__file__).with_name("mmocr_worker.py")

Tensor = NDArray[np.float32]


def main() -> None:
    """Export, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="MMOCR 0.x config")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("images", nargs="+", help="image files, or folders of them")
    parser.add_argument("--count", type=int, default=10, help="images a round; taken again and again (default: 10)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds after one to warm up (default: 7)")
    parser.add_argument("--mmocr-python", type=Path, help="interpreter that holds MMOCR and onnx")
    options = parser.parse_args()
    images = find_images(options.images)
    images = [images[index % len(images)] for index in range(options.count)]
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name, "model.onnx"), Path(name, "mmocr.onnx")
        spec = export_model(ExportRequest(options.config, options.checkpoint, ours, dynamic=True)).spec
        request = {"config": str(options.config), "checkpoint": str(options.checkpoint), "task": spec.task}
        with Worker(find_mmocr_python(options.mmocr_python), SCRIPT) as mmocr:
            mmocr.ask(request | {"do": "export", "image": str(images[0]), "file": str(theirs)})
        with open_predictor(ours, device="cpu") as predictor:
            tensors = [predictor.prepare(image).tensor[None] for image in images]
        files = {"ocrdeploy": ours, "MMOCR": theirs}
        report(options.config.stem, files, tensors, options.rounds)


def report(model: str, files: dict[str, Path], tensors: Sequence[Tensor], rounds: int) -> None:
    """Measure and print."""
    sessions = {name: open_session(file) for name, file in files.items()}
    outputs = [session.run(None, {"input": tensors[0]})[0] for session in sessions.values()]
    channels = outputs[0].shape[1]
    difference = float(np.abs(outputs[0] - outputs[1][:, :channels]).max())
    works: dict[str, Callable[[], None]] = {
        name: partial(run_all, session, tensors) for name, session in sessions.items()
    }
    times = interleaved(works, rounds)
    print(f"{model}: {len(tensors)} images, {rounds} rounds, {core_count()} cores; outputs differ by {difference:.1g}")
    for name, file in files.items():
        optimised = file.with_suffix(".optimised.onnx")
        counts = f"{count_nodes(file)} nodes, {count_nodes(optimised)} once ONNX Runtime has optimised them"
        print(f"{name}: {counts}; {spread(times[name], 3)} s")
    print(f"MMOCR's graph takes {spread(ratios(times['MMOCR'], times['ocrdeploy']))} times as long")


def open_session(file: Path) -> ort.InferenceSession:
    """Open a session on all cores, and write the graph that ONNX Runtime has made of the file beside it."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = core_count()
    settings.log_severity_level = 3
    settings.optimized_model_filepath = str(file.with_suffix(".optimised.onnx"))
    return ort.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])


def run_all(session: ort.InferenceSession, tensors: Sequence[Tensor]) -> None:
    """Run a session on each tensor."""
    for tensor in tensors:
        session.run(None, {"input": tensor})


def count_nodes(file: Path) -> int:
    """Return the number of nodes of a graph."""
    return len(onnx.load(file, load_external_data=False).graph.node)


if __name__ == "__main__":
    main()
