"""Print what a GPU gives: equality with the CPU, where an image's time goes, and images a second.

    python benchmarks/gpu/run.py MODEL.onnx... --images IMAGES

Runs with PyTorch, with ONNX Runtime on CUDA, or with both; what is not installed is named and left out. PyTorch takes
the config and checkpoint that the model records. An engine (MODEL.engine) is run where its TensorRT is there.
"""

import argparse
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from timing import interleaved, seconds, spread

from ocrdeploy import open_predictor
from ocrdeploy.errors import OcrDeployError
from ocrdeploy.images.arguments import find_images
from ocrdeploy.predictor import Predictor

RUNS = 25
BATCHES = (1, 4, 8)
PACKAGES = ("onnxruntime-gpu", "torch", "tensorrt", "tensorrt-rtx")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help="ONNX models or engines")
    parser.add_argument("--images", nargs="+", required=True, help="image files, or folders of them")
    parser.add_argument("--count", type=int, default=400, help="images of the stream; taken again and again")
    options = parser.parse_args()
    print_machine()
    images = find_images(options.images)
    for model in options.models:
        with open_predictor(model, device="cpu", backend=None if model.suffix == ".onnx" else "tensorrt") as reference:
            for backend in ("onnxruntime", "torch") if model.suffix == ".onnx" else ("tensorrt",):
                measure(model, backend, reference, images, options.count)


def print_machine() -> None:
    """Print GPU, driver, cores and versions."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        print(subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip())
    except (OSError, subprocess.CalledProcessError):
        sys.exit("this machine shows no NVIDIA GPU: nvidia-smi did not answer")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, " + ", ".join(versions()))


def versions() -> Iterator[str]:
    """Yield each package that runs models, with its version."""
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} is not installed"


def measure(model: Path, backend: str, reference: Predictor, images: Sequence[Path], count: int) -> None:
    """Print a model's numbers on one backend, with and without TF32."""
    for tf32 in (False, True):
        name = f"{model.name} on {backend}, TF32 {'on' if tf32 else 'off'}"
        try:
            predictor = open_predictor(model, backend=backend, device="cuda", tf32=tf32)
        except OcrDeployError as error:
            print(f"{name}: left out: {error}")
            return
        with predictor:
            print(f"{name}: {differences(predictor, reference, images)}")
            print(f"  an image's milliseconds: {stages(predictor, images[0])}")
            if not tf32:
                print(f"  images/s by batch size: {stream(predictor, images, count)}")
    if backend == "torch":
        print(f"  upload, ms: {uploads(reference, images[0])}")


def differences(predictor: Predictor, reference: Predictor, images: Sequence[Path]) -> str:
    """Return how far the network's outputs and the results are from the CPU's."""
    largest, results = 0.0, 0
    for image in images:
        batch = reference.prepare(image).tensor[None]
        ours, theirs = predictor.infer(batch), reference.infer(batch)
        largest = max(largest, *(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs))
        results += repr(predictor(image)) != repr(reference(image))
    return f"largest difference to the CPU {largest:.2g}, images with another result {results} of {len(images)}"


def stages(predictor: Predictor, image: Path) -> str:
    """Return the time of each stage, one after the other."""
    prepared = predictor.prepare(image)
    output = predictor.infer_prepared([prepared])
    works: dict[str, Callable[[], object]] = {
        "prepare": lambda: predictor.prepare(image),
        "network": lambda: predictor.infer_prepared([prepared]),
        "decode": lambda: predictor.decode(output, [prepared]),
    }
    times = interleaved(works, RUNS)
    return ", ".join(f"{name} {spread([each * 1e3 for each in taken])}" for name, taken in times.items())


def stream(predictor: Predictor, images: Sequence[Path], count: int) -> str:
    """Return images a second, end to end, by batch size."""

    def run(size: int, number: int = count) -> None:
        for _ in predictor.stream(islice(cycle(images), number), size):
            pass

    parts = []
    for size in BATCHES:
        run(size, len(images) * size)
        parts.append(f"{size}: {count / seconds(partial(run, size)):.0f}")
    return ", ".join(parts)


def uploads(reference: Predictor, image: Path) -> str:
    """Return how long PyTorch takes to bring an image to the GPU, by where it lies and what it is."""
    import torch

    tensor = torch.from_numpy(reference.prepare(image).tensor[None])
    sources = {"float32": tensor, "pinned float32": tensor.pin_memory(), "uint8": tensor.to(torch.uint8)}

    def upload(source: torch.Tensor) -> None:
        source.cuda(non_blocking=True)
        torch.cuda.synchronize()

    works: dict[str, Callable[[], object]] = {name: partial(upload, source) for name, source in sources.items()}
    times = interleaved(works, RUNS)
    return ", ".join(f"{name} {spread([each * 1e3 for each in taken])}" for name, taken in times.items())


if __name__ == "__main__":
    main()
