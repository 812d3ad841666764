"""Time a DBNet from image files to boxes against MMDeploy's C++ SDK, on the same ONNX model, images and machine.

    python benchmarks/mmdeploy_loop.py dbnet.onnx imgs/ --mmdeploy-python /path/to/python

The SDK (`pip install mmdeploy-runtime==1.3.1 opencv-python-headless "numpy<2"`) runs in its own interpreter, kept
running; loading is not timed, each may use all cores, and one runs at a time. A model folder is made for it that says
what the ONNX model's spec does: resizing, normalising and padding with the same numbers, and DBHead with the same
thresholds; the map loses its channel, as DBHead wants it. The SDK takes one image at a time, which OpenCV reads for it.
It does not decode as MMOCR 0.6.3 does, so it finds other boxes.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from timing import interleaved, ratios, spread
from worker import Worker

from ocrdeploy import open_predictor
from ocrdeploy.decoders import DBPostprocessor
from ocrdeploy.images.arguments import find_images
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.predictor import Predictor
from ocrdeploy.steps import Normalize, Pad, Resize, Step

SCRIPT = Path(__file__).with_name("mmdeploy_worker.py")
NET_FILE = "end2end.onnx"
OUTPUT = "output"
"""What the SDK's DBHead calls the map."""

Task = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a DBNet")
    parser.add_argument("images", nargs="+", help="image files, or folders of them")
    parser.add_argument("--mmdeploy-python", type=Path, required=True, help="interpreter that holds the SDK")
    parser.add_argument("--count", type=int, default=30, help="images a round; taken again and again (default: 30)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds after one to warm up (default: 5)")
    options = parser.parse_args()
    images = find_images(options.images)
    paths = [images[index % len(images)] for index in range(options.count)]
    with tempfile.TemporaryDirectory() as folder, open_predictor(options.model, device="cpu") as predictor:
        write_sdk_model(Path(folder), options.model, predictor.spec)
        with Worker(options.mmdeploy_python, SCRIPT, arguments=[folder]) as sdk:
            measure(predictor, sdk, paths, options.rounds)


def measure(predictor: Predictor, sdk: Worker, paths: list[Path], rounds: int) -> None:
    """Run both in turn, and print their times and how many boxes they find."""
    boxes: dict[str, int] = {}
    request = {"images": [str(path) for path in paths]}

    def ours() -> None:
        boxes["ocrdeploy"] = sum(len(found) for found in predictor.stream(paths) if isinstance(found, list))

    def theirs() -> None:
        boxes["MMDeploy"] = sum(sdk.ask(request))

    works: dict[str, Callable[[], None]] = {"ocrdeploy": ours, "MMDeploy": theirs}
    times = interleaved(works, rounds)
    print(f"{len(paths)} images, {rounds} rounds, {predictor.threads} cores")
    for name, taken in times.items():
        print(f"{name}: {spread(taken)} s, {boxes[name]} boxes")
    print(f"ocrdeploy is {spread(ratios(times['MMDeploy'], times['ocrdeploy']))} times as fast")


def write_sdk_model(folder: Path, model: Path, spec: ModelSpec) -> None:
    """Write the folder that the SDK takes for a model."""
    write_net(folder / NET_FILE, model)
    net: Task = {"name": "dbnet", "net": NET_FILE, "weights": "", "backend": "onnxruntime"}
    net |= {"precision": "FP32", "batch_size": 1, "dynamic_shape": True}
    deploy = {"version": "1.3.1", "task": "TextDetector", "models": [net], "customs": []}
    documents = {"deploy": deploy, "pipeline": {"pipeline": pipeline(spec)}, "detail": {"version": "1.3.1"}}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def write_net(file: Path, model: Path) -> None:
    """Write the model with a map N×H×W in place of N×1×H×W, which the SDK's DBHead takes."""
    network = onnx.load(model)
    graph = network.graph
    output = graph.output.pop()
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "axes"))
    graph.node.append(onnx.helper.make_node("Squeeze", [output.name, "axes"], [OUTPUT]))
    graph.output.append(
        onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", "height", "width"])
    )
    onnx.save(network, file)


def pipeline(spec: ModelSpec) -> Task:
    """Return the three tasks of the SDK's pipeline: the transforms, the network, and DBHead."""
    head = spec.postprocessing
    if not isinstance(head, DBPostprocessor):
        raise TypeError(f"the SDK's DBHead decodes DBNet, got {spec.architecture}")
    transforms: list[Task] = [{"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"}]
    transforms += [entry for step in spec.preprocessing for entry in transform(step)]
    transforms += [
        {"type": "ImageToTensor", "keys": ["img"]},
        {"type": "Collect", "keys": ["img"], "meta_keys": ["img_shape", "ori_shape", "pad_shape", "scale_factor"]},
    ]
    names = ("text_repr_type", "mask_thr", "min_text_score", "min_text_width", "unclip_ratio", "downsample_ratio")
    params = {name: getattr(head, name) for name in names}
    params |= {"min_text_width": int(head.min_text_width), "max_candidate": head.max_candidates}
    tasks: list[Task] = [
        {"module": "Transform", "name": "Preprocess", "input": ["img"], "transforms": transforms},
        {"module": "Net", "name": "dbnet", "input": ["prep_output"]},
        {"module": "mmocr", "name": "postprocess", "input": ["prep_output", "infer_output"]},
    ]
    outputs = (["prep_output"], ["infer_output"], ["post_output"])
    for task, output in zip(tasks, outputs, strict=True):
        task |= {"type": "Task", "output": output}
    tasks[1] |= {"is_batched": False, "input_map": {"img": spec.input.name}}
    tasks[2] |= {"component": "DBHead", "params": params}
    return {"input": ["img"], "output": ["post_output"], "tasks": tasks}


def transform(step: Step) -> list[Task]:
    """Return the SDK's counterpart of a step."""
    match step:
        case Resize(scale=scale, keep_ratio=keep_ratio):
            return [{"type": "Resize", "size": list(scale), "keep_ratio": keep_ratio}]
        case Normalize(mean=mean, std=std, to_rgb=to_rgb):
            return [{"type": "Normalize", "mean": list(mean), "std": list(std), "to_rgb": to_rgb}]
        case Pad(size_divisor=int(divisor)):
            return [{"type": "Pad", "size_divisor": divisor}]
    return []


if __name__ == "__main__":
    main()
