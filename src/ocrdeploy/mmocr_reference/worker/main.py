"""The conversation with ocrdeploy: requests from standard input, answers on standard output, each a line of JSON.

Arrays go through .npy files that the requests name, images too where they are no files (H x W x 3 uint8, channels in
the order BGR). What libraries print goes to standard error.

    {"command": "open", "config": FILE, "checkpoint": FILE, "trust": false}
    {"command": "prepare", "image": FILE, "tensor": FILE}
    {"command": "infer", "batch": FILE, "output": FILE, "further": [FILE], "metas": {"valid_ratio": [RATIO]},
     "all_outputs": BOOL, "logits": BOOL}
    {"command": "decode", "output": FILE, "further": [FILE], "logits": BOOL,
     "metas": [{"scale_factor": [W, H], "resize_shape": [H, W], "valid_ratio": RATIO}]}
    {"command": "predict", "image": FILE}
    {"command": "export", "file": FILE, "shape": [N, C, H, W], "opset": N, "input": NAME, "output": NAME,
     "further": [NAME], "dynamic_axes": {NAME: {AXIS: NAME}}, "all_outputs": BOOL, "logits": BOOL}

The first line it writes is {"ready": VERSIONS}, an answer {"result": ...} or {"error": {"kind": ..., "message": ...}}.
`logits` asks for what comes before the softmax that recognisers of MMOCR 1.x end with, or says that `output` is that.
FCENet has several outputs: `further` are those behind the first.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from .errors import WorkerError, describe
from .exporting import export
from .outputs import files_of


class Worker:
    """MMOCR with one model.

    Args:
        generation: The module that knows the version of MMOCR that is here.
    """

    def __init__(self, generation: Any) -> None:
        self.generation = generation
        self.model: Any = None

    def answer(self, request: dict[str, Any]) -> Any:
        """Do what a request asks for and return its result."""
        command = request["command"]
        if command == "open":
            self.model = self.generation.Model(request["config"], request["checkpoint"], request.get("trust", False))
            return {"task": self.model.task, "architecture": type(self.model.network).__name__}
        if command == "prepare":
            return self.model.prepare(request["image"], request["tensor"])
        if command == "infer":
            return self.infer(request)
        if command == "decode":
            return self.decode(request)
        if command == "predict":
            return self.model.predict(request["image"])
        if command == "export":
            return export(self.model, request)
        raise WorkerError("mmocr", f"unknown command {command!r}")

    def infer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write what the head gives for a batch: N x C x H x W maps, or N x T x C logits or probabilities."""
        import numpy as np
        import torch

        with torch.no_grad():
            tensors = self.model.head_output(torch.from_numpy(np.load(request["batch"])), request)
        files = files_of(request)
        if len(tensors) != len(files):
            raise WorkerError("config", f"the head gives {len(tensors)} tensors, and {len(files)} are read")
        for index, file in enumerate(files):
            np.save(file, tensors[index].numpy())
        return {"shape": list(tensors[0].shape)}

    def decode(self, request: dict[str, Any]) -> Any:
        """Decode a batch's outputs with MMOCR's own post-processing."""
        import numpy as np
        import torch

        return self.model.decode([torch.from_numpy(np.load(file)) for file in files_of(request)], request)


def versions() -> dict[str, str]:
    """Return the versions of the stack, having imported all of it that matters."""
    import cv2
    import mmcv
    import mmcv.ops
    import mmdet
    import mmocr
    import mmocr.apis
    import mmocr.datasets
    import numpy as np
    import torch

    modules = {"mmocr": mmocr, "mmdet": mmdet, "torch": torch, "numpy": np, "opencv": cv2}
    if is_newer(mmocr.__version__):
        modules.update({"mmcv": mmcv, "mmengine": importlib.import_module("mmengine")})
    else:
        modules["mmcv-full"] = mmcv
    return {name: module.__version__ for name, module in modules.items()}


def is_newer(version: str) -> bool:
    """Tell whether a version of MMOCR is of generation 1.x."""
    return not version.startswith("0.")


def use_full_precision() -> None:
    """Let PyTorch compute float32 products in float32, not in TF32, whatever the device."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def main() -> None:
    """Answer requests until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(document: dict[str, Any]) -> None:
        replies.write(json.dumps(document, allow_nan=False) + "\n")
        replies.flush()

    try:
        found = versions()
        use_full_precision()
        reply({"ready": found})
    except Exception as error:  # noqa: BLE001  (whatever an import of the stack raises)
        reply({"error": {"kind": "stack", "message": describe(error)}})
        return
    name = "mmocr1" if is_newer(found["mmocr"]) else "mmocr0"
    worker = Worker(importlib.import_module("." + name, __package__))
    for line in sys.stdin:
        try:
            reply({"result": worker.answer(json.loads(line))})
        except WorkerError as error:
            reply({"error": {"kind": error.kind, "message": str(error)}})
        except Exception as error:  # noqa: BLE001  (whatever MMOCR raises)
            reply({"error": {"kind": "mmocr", "message": describe(error)}})
