"""What users of other tools mean by the words that they type: the hint that leads from theirs to ours."""

import re
from collections.abc import Sequence

COMMANDS: dict[str, str] = {
    "export": "convert pytorch2onnx torch2onnx to-onnx onnx onnx-export deploy",
    "build-engine": "build engine trt tensorrt onnx2tensorrt onnx2trt trtexec compile build_engine quantize",
    "verify": "compare check diff validate-model polygraphy equal bisect",
    "evaluate": "val validate test eval deploy_test score accuracy metrics evaluation",
    "predict": "detect recognize recognise infer inference run det recog demo-image show",
    "read": "ocr spot e2e end2end system readtext",
    "inspect": "show-model summary model-info metadata netron describe",
    "adopt": "import paddle ppocr add-spec",
    "benchmark": "bench speed profile time latency perf",
    "doctor": "info env environment check-env version list-devices collect-env system",
    "setup-mmocr": "setup install mmocr install-mmocr",
    "demo": "example sample quickstart try hello",
}
"""Our commands, each with words that other tools have for it."""

SIZE = "A model holds its own pre-processing. Its size is set once: ocrdeploy export ... --shape 1x3x640x640"
OPTIONS: dict[str, dict[str, str]] = {
    "": {
        "--conf": "Scores are asked for when results are made: --score-thr X of predict and evaluate.",
        "--half": "float16 is --fp16 of build-engine: ocrdeploy build-engine MODEL.onnx --fp16",
        "--fp16": "float16 is an option of build-engine: ocrdeploy build-engine MODEL.onnx --fp16",
        "--int8": "There is no int8. float16 is ocrdeploy build-engine MODEL.onnx --fp16",
        "--imgsz": SIZE,
        "--img-size": SIZE,
        "--input-shape": SIZE,
        "--shape": SIZE,
        "--gpu": "A GPU is --device cuda or --device cuda:0.",
        "--cuda": "A GPU is --device cuda or --device cuda:0.",
        "--cpu": "The CPU is --device cpu.",
        "--weights": "A checkpoint is --checkpoint FILE; a model's file is an argument.",
        "--model": "A model's file is an argument: it stands without an option.",
        "--source": "Images are arguments of predict: ocrdeploy predict MODEL IMAGE...",
        "--img": "Images are arguments of predict, and --images of verify and benchmark.",
        "--image": "Images are arguments of predict, and --images of verify and benchmark.",
        "--batch": "The batch size is --batch-size N.",
        "--workers": "CPU cores are --threads N, for reading, network and decoding together.",
        "--num-workers": "CPU cores are --threads N, for reading, network and decoding together.",
        "--save-dir": "predict writes pictures with --draw FOLDER, and results with --json FILE.",
        "--out": "Results are written with --json FILE.",
        "--show-dir": "predict writes pictures with --draw FOLDER.",
        "--work-dir": "Outputs are named one by one: --json FILE, --html FILE, --draw FOLDER.",
        "--metric": "Metrics are --eval METRIC.",
        "--metrics": "Metrics are --eval METRIC.",
        "--cfg-options": "A config is taken as it is: write another that has _base_ = the first.",
        "--simplify": "Exported graphs are tidy already: BatchNorm is folded, shape arithmetic is gone.",
        "--dynamic-axes": "Open sizes are --dynamic.",
        "--format": "export writes ONNX. An engine is built from it with: ocrdeploy build-engine MODEL.onnx",
        "--sm": "The GPU's architecture is --compute-capability sm86.",
        "--arch": "The GPU's architecture is --compute-capability sm86.",
        "--yes": "Nothing is ever asked, so there is nothing to confirm.",
        "--force": "Older outputs are written over without asking.",
        "--overwrite": "Older outputs are written over without asking.",
    },
    "predict": {
        "--conf": "Detections below a score are left out with --score-thr X.",
        "--output": "predict writes results with --json FILE and pictures with --draw FOLDER.",
        "-o": "predict writes results with --json FILE and pictures with --draw FOLDER.",
        "--images": "Images are arguments of predict: ocrdeploy predict MODEL IMAGE...",
        "--save": "predict writes pictures with --draw FOLDER, and results with --json FILE.",
    },
    "evaluate": {
        "--conf": "Detections above a score are counted with --score-thr X.",
        "--images": "Labelled images are --data LABELS, with --img-prefix FOLDER for their folder.",
        "--output": "The table is written with --markdown FILE or --csv FILE, the numbers with --json FILE.",
        "-o": "The table is written with --markdown FILE or --csv FILE, the numbers with --json FILE.",
    },
    "export": {
        "--fp16": "Models are exported in float32. float16 comes with: ocrdeploy build-engine MODEL.onnx --fp16",
        "--half": "Models are exported in float32. float16 comes with: ocrdeploy build-engine MODEL.onnx --fp16",
        "--imgsz": "The size of a static model is --shape N C H W, such as 1x3x640x640; --dynamic leaves it open.",
        "--img-size": "The size of a static model is --shape N C H W, such as 1x3x640x640; --dynamic leaves it open.",
        "--input-shape": "The size of a static model is --shape N C H W; --dynamic leaves it open.",
        "--batch-size": "The batch is the first number of --shape N C H W; --dynamic leaves it open.",
        "--batch": "The batch is the first number of --shape N C H W; --dynamic leaves it open.",
    },
    "build-engine": {
        "--half": "float16 is --fp16.",
        "--imgsz": "Sizes are --min-shape, --opt-shape and --max-shape, each N C H W.",
        "--shapes": "Sizes are --min-shape, --opt-shape and --max-shape, each N C H W.",
        "--shape": "Sizes are --min-shape, --opt-shape and --max-shape, each N C H W.",
        "--workspace": "The memory of layers is --workspace-size GIB.",
        "--calib": "There is no int8. float16 is --fp16.",
    },
}  # fmt: skip
"""Options of other tools or of other commands, by the command they were given to; the first group counts for all."""

BACKENDS = ("torch", "pytorch", "onnxruntime", "ort", "tensorrt", "trt", "openvino")


def command_for(word: str, commands: Sequence[str]) -> str | None:
    """Return the command that is meant by a word: one of another tool's, or one that is nearly typed so."""
    plain = word.lower().replace("_", "-")
    for name, others in COMMANDS.items():
        if name in commands and (plain == name or plain in others.replace("_", "-").split()):
            return name
    from difflib import get_close_matches

    return next(iter(get_close_matches(plain, commands, n=1, cutoff=0.6)), None)


def option_hint(command: str, option: str, arguments: Sequence[str]) -> str:
    """Return what is meant by an option that a command does not have; empty where nobody knows."""
    if command == "export" and option in ("--config", "--checkpoint"):
        given = {name: _value(arguments, name) for name in ("--config", "--checkpoint")}
        words = (given["--config"] or "CONFIG", given["--checkpoint"] or "CHECKPOINT")
        return f"Config and checkpoint stand without options: ocrdeploy export {' '.join(words)}"
    return OPTIONS.get(command, {}).get(option) or OPTIONS[""].get(option, "")


def _value(arguments: Sequence[str], option: str) -> str:
    """Return the value of an option on a command line; empty where it has none."""
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == option:
            return after
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return ""


def is_backend(word: str) -> bool:
    """Tell whether a word is the name of a backend."""
    return re.sub(r"[^a-z]", "", word.lower()) in BACKENDS
