"""Compare the two forms that a graph with deformable convolutions has: DeformConv and GridSample.

    python benchmarks/deformable.py dbnetpp_r50dcnv2_fpnc_1200e_icdar2015.py seeded.pth image.jpg

Both run in ONNX Runtime on the same tensor, that of the image, with all cores. With --mmocr-python the network of
MMOCR 0.6.3, which has mmcv's own operator, runs beside them in PyTorch. Where TensorRT for RTX is installed, engines of
both models are built, in FP32 and FP16; no GPU is needed for that, and nothing runs them.
"""

import argparse
import platform
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from timing import interleaved, ratios, spread
from worker import Worker

from ocrdeploy import open_predictor
from ocrdeploy.backends.trt import is_installed
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.hardware import core_count

SCRIPT = Path(__file__).with_name("mmocr_worker.py")
OPSETS = {"GridSample": 17, "DeformConv": 19}
MIB = 2**20


def main() -> None:
    """Export, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="MMOCR config of a detector with deformable convolutions")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--rounds", type=int, default=5, help="rounds after one to warm up (default: 5)")
    parser.add_argument("--mmocr-python", type=Path, help="interpreter that holds MMOCR 0.6.3")
    parser.add_argument("--no-engines", action="store_true", help="build no engines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {form: folder / f"{form}.onnx" for form in OPSETS}
        for form, opset in OPSETS.items():
            export_model(ExportRequest(options.config, options.checkpoint, files[form], dynamic=True, opset=opset))
        with open_predictor(files["GridSample"], device="cpu") as predictor:
            tensor = predictor.prepare(options.image).tensor[None]
        print(f"{options.config.stem}: {' x '.join(map(str, tensor.shape))}, {options.rounds} rounds")
        print(f"{cpu_name()}, {core_count()} cores, ONNX Runtime {ort.__version__}")
        compare(files, tensor, options.rounds, options)
        if not options.no_engines:
            build_engines(files, folder)


def compare(files: dict[str, Path], tensor: NDArray[np.float32], rounds: int, options: argparse.Namespace) -> None:
    """Run both forms in turn, and MMOCR's network where there is an interpreter for it."""
    sessions = {form: open_session(file) for form, file in files.items()}
    outputs = [np.asarray(session.run(None, {"input": tensor})[0]) for session in sessions.values()]
    works: dict[str, Callable[[], object]] = {
        form: partial(session.run, None, {"input": tensor}) for form, session in sessions.items()
    }
    if options.mmocr_python is None:
        report(files, interleaved(works, rounds), outputs)
        return
    stored = files["GridSample"].with_name("tensor.npy")
    np.save(stored, tensor)
    request = {"config": str(options.config), "model": str(options.checkpoint), "tensor": str(stored)}
    with Worker(options.mmocr_python, SCRIPT) as mmocr:
        mmocr.ask(request | {"do": "open", "loop": "network"})
        works["mmcv's operator, PyTorch"] = partial(mmocr.ask, {"do": "run", "loop": "network"})
        report(files, interleaved(works, rounds), outputs)


def report(files: dict[str, Path], times: dict[str, list[float]], outputs: list[NDArray[np.float32]]) -> None:
    """Print times, and how they compare with DeformConv's."""
    print(f"the outputs of both forms differ by {float(np.abs(outputs[0] - outputs[1]).max()):.1g}")
    for name, taken in times.items():
        nodes = ""
        if name in files:
            counts = Counter(node.op_type for node in onnx.load(files[name], load_external_data=False).graph.node)
            nodes = f", {sum(counts.values())} nodes, {counts[name]} of them {name}"
        beside = "" if name == "DeformConv" else f", {spread(ratios(taken, times['DeformConv']))} times DeformConv's"
        print(f"{name}: {spread(taken, 3)} s{beside}{nodes}")


def build_engines(files: dict[str, Path], folder: Path) -> None:
    """Build an engine of each form in each precision."""
    if not is_installed("tensorrt-rtx"):
        print("TensorRT for RTX is not installed: no engines")
        return
    for form, file in files.items():
        for fp16 in (False, True):
            built = build_engine(BuildRequest(file, folder / "m.engine", "tensorrt-rtx", ("sm86",), fp16=fp16))
            record = built.record
            written = f", {built.written_out} DeformConv written as GridSample" if built.written_out else ""
            size = f"{built.size / MIB:.1f} MiB in {built.seconds:.0f} s"
            print(f"TensorRT for RTX {record.version}, sm86, from {form}, {record.precision}: {size}{written}")


def open_session(file: Path) -> ort.InferenceSession:
    """Open a session on all cores."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = core_count()
    settings.log_severity_level = 3
    return ort.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])


def cpu_name() -> str:
    """Return what the CPU calls itself."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    main()
