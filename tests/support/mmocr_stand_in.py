"""Run in place of MMOCR's worker: speaks its protocol, in the mode that the command line names.

`honest` and `shifted` answer with this package's own PyTorch networks, the second with an input that is wrong; `nan`
gives outputs that are none. The other modes know no model: `echo` and `newer` (of MMOCR 1.x) give requests back, the
rest fail as named.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

VERSIONS = {"mmocr": "0.6.3", "mmdet": "2.28.2", "mmcv-full": "1.7.2", "torch": "2.14.1", "numpy": "1.23.5"}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def reply(document: Any) -> None:
    say(json.dumps(document))


class Model:
    """What the worker does, done with this package."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.predictor: Any = None

    def answer(self, request: dict[str, Any]) -> Any:
        import numpy as np

        match request:
            case {"command": "open"}:
                return self.open(Path(request["config"]), Path(request["checkpoint"]))
            case {"command": "prepare", "image": image, "tensor": file}:
                prepared = self.predictor.prepare(self.image(image))
                np.save(file, prepared.tensor + (0.5 if self.mode == "shifted" else 0))
                scale = prepared.scale_factor
                return {
                    "scale_factor": None if scale is None else scale.tolist(),
                    "resize_shape": prepared.resized_shape,
                    "valid_ratio": prepared.valid_ratio,
                    "original_shape": prepared.original_shape,
                }
            case {"command": "infer", "batch": batch, "output": file}:
                given = {name: np.array(values, np.float32) for name, values in request.get("metas", {}).items()}
                images = {self.predictor.spec.input.name: np.load(batch)}
                taken = {tensor.name for tensor in self.predictor.spec.further_inputs}
                further = {name: values for name, values in given.items() if name in taken}
                (output,) = self.predictor.infer(images | further).values()
                np.save(file, output * (np.nan if self.mode == "nan" else 1))
                return {"shape": output.shape}
            case {"command": "decode"}:
                files = [request["output"], *request["further"]]
                return self.decode({file: np.load(file) for file in files}, request["metas"])
            case {"command": "predict", "image": image}:
                return self.document(self.predictor(self.image(image)))
            case {"command": "export"}:
                return self.export(request)
        raise ValueError(request)

    def open(self, config: Path, checkpoint: Path) -> dict[str, str]:
        from ocrdeploy.model_spec import ExportOptions
        from ocrdeploy.running.models import open_torch

        # MMOCR's head gives all three channels of DBNet.
        export = ExportOptions(opset=17, dynamic=True, all_outputs=True)
        self.predictor = open_torch(config, checkpoint, export)
        return {"task": self.predictor.spec.task, "architecture": self.predictor.spec.architecture}

    def image(self, file: str) -> Any:
        import numpy as np

        return np.load(file) if file.endswith(".npy") else file

    def decode(self, outputs: Any, metas: list[dict[str, Any]]) -> list[Any]:
        import numpy as np

        from ocrdeploy.steps import Preprocessed

        prepared = [
            Preprocessed(
                tensor=np.zeros((1, 1, round(meta["resize_shape"][1] / meta["valid_ratio"])), np.float32),
                scale_factor=None if meta["scale_factor"] is None else np.array(meta["scale_factor"], np.float32),
                valid_ratio=None,
                original_shape=(1, 1),
                resized_shape=(meta["resize_shape"][0], meta["resize_shape"][1]),
            )
            for meta in metas
        ]
        return [self.document(result) for result in self.predictor.decode(outputs, prepared)]

    def document(self, result: Any) -> Any:
        if isinstance(result, list):
            return {"boundaries": [[*item.polygon.ravel().tolist(), item.score] for item in result]}
        return {"text": result.text, "scores": result.char_scores}

    def export(self, request: dict[str, Any]) -> Any:
        import warnings

        import torch

        warnings.simplefilter("ignore")
        first_channel = self.predictor.spec.architecture == "DBNet" and not request["all_outputs"]

        class Network(torch.nn.Module):
            def __init__(self, network: torch.nn.Module) -> None:
                super().__init__()
                self.network = network

            def forward(self, images: torch.Tensor) -> Any:
                output = self.network(images)
                return output[:, :1] if first_channel else output

        network, example = Network(self.predictor.backend.network).eval(), torch.zeros(request["shape"])
        axes = {
            name: {int(axis): text for axis, text in axes.items()} for name, axes in request["dynamic_axes"].items()
        }
        torch.onnx.export(
            network, (example,), request["file"], dynamo=False, opset_version=request["opset"],
            input_names=[request["input"]], output_names=[request["output"]], dynamic_axes=axes,
        )  # fmt: skip
        return {"output_shape": list(network(example).shape), "network": str(network)}


def start(mode: str) -> None:
    """Do what happens before the first request."""
    match mode:
        case "chatty":
            say("a site's greeting\n{}\n[1, 2]")
        case "endless":
            while True:
                say("y")
        case "hangs-at-start":
            time.sleep(60)
        case "dies-at-start":
            complain("ImportError: libGL.so.1: cannot open shared object file")
            sys.exit(1)
        case "lacks":
            reply({"error": {"kind": "stack", "message": "ModuleNotFoundError: No module named 'mmocr'"}})
            sys.exit(0)
    reply({"ready": VERSIONS | ({"mmocr": "1.0.1"} if mode == "newer" else {})})


def main(mode: str) -> None:
    """Answer requests."""
    start(mode)
    model = Model(mode)
    for line in sys.stdin:
        request = json.loads(line)
        match mode:
            case "honest" | "shifted" | "nan":
                reply({"result": model.answer(request)})
            case "dies":
                complain("terminate called after throwing\n")
                os._exit(3)
            case "hangs":
                time.sleep(60)
            case "slow":
                time.sleep(request.get("sleep", 0))
                reply({"result": request})
            case "garbage":
                say("Killed by nobody")
            case "no-array":
                reply({"result": {"shape": [1]}})
            case failing if failing.startswith("fails-"):
                reply({"error": {"kind": failing.removeprefix("fails-"), "message": "ValueError: so it is"}})
            case _:
                reply({"result": request})


if __name__ == "__main__":
    main(sys.argv[1])
