"""Runs the real MMOCR 0.6.3 for ocrdeploy: a script for the interpreter that holds it, which imports nothing of ours.

It reads requests from standard input and answers on standard output, each a line of JSON; arrays go through .npy files
that the requests name, images too where they are no files (H x W x 3 uint8, channels in the order BGR). What libraries
print goes to standard error. Python 3.8 and newer run it.

    {"command": "open", "config": FILE, "checkpoint": FILE, "trust": false}
    {"command": "prepare", "image": FILE, "tensor": FILE}
    {"command": "infer", "batch": FILE, "output": FILE, "metas": {"valid_ratio": [RATIO]}}
    {"command": "decode", "output": FILE, "metas": [{"scale_factor": [W, H], "resize_shape": [H, W]}], "width": N}
    {"command": "predict", "image": FILE}
    {"command": "export", "file": FILE, "shape": [N, C, H, W], "opset": N, "input": NAME, "output": NAME,
     "dynamic_axes": {NAME: {AXIS: NAME}}, "all_outputs": BOOL}

The first line it writes is {"ready": VERSIONS}, an answer {"result": ...} or {"error": {"kind": ..., "message": ...}}.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import pickle
import sys
from collections import OrderedDict
from typing import Any


class WorkerError(Exception):
    """A request cannot be fulfilled; `kind` says what is at fault, such as config or checkpoint."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Inert:
    """Stands for whatever a checkpoint holds beside tensors, so that reading one runs nothing."""

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def forget(self, *_values: Any) -> None:
        """Take what the pickle puts into an object of its own, and leave it."""

    append = extend = __setitem__ = __setstate__ = forget


class TensorUnpickler(pickle.Unpickler):
    """An unpickler that makes tensors and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the builders of tensors, or a placeholder."""
        import torch

        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"):
            return getattr(torch._utils, name)  # noqa: SLF001  (where PyTorch keeps them)
        found = getattr(torch, name, Inert) if module == "torch" else Inert
        return found if name == "Size" or name.endswith("Storage") or isinstance(found, torch.dtype) else Inert


class TensorPickle:
    """What `torch.load` takes for the module `pickle`."""

    __name__ = "TensorPickle"
    Unpickler = TensorUnpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        """Unpickle one object of a checkpoint in PyTorch's older format."""
        return TensorUnpickler(file, **options).load()


class Worker:
    """MMOCR with one model."""

    def __init__(self) -> None:
        self.model: Any = None
        self.task = ""
        self.pipelines: dict[bool, Any] = {}

    def answer(self, request: dict[str, Any]) -> Any:
        """Do what a request asks for and return its result."""
        command = request["command"]
        if command == "open":
            return self.open(request["config"], request["checkpoint"], request.get("trust", False))
        if command == "prepare":
            return self.prepare(request["image"], request["tensor"])
        if command == "infer":
            return self.infer(request["batch"], request["output"], request.get("metas", {}))
        if command == "decode":
            return self.decode(request["output"], request["metas"], request["width"])
        if command == "predict":
            return self.predict(request["image"])
        if command == "export":
            return self.export(request)
        raise WorkerError("mmocr", f"unknown command {command!r}")

    def open(self, config_file: str, checkpoint: str, trust: bool) -> dict[str, str]:
        """Build the config's model with the checkpoint's weights, on the CPU."""
        from mmcv import Config
        from mmdet.datasets.pipelines import Compose
        from mmocr.apis import disable_text_recog_aug_test, init_detector
        from mmocr.utils import revert_sync_batchnorm

        try:
            config = disable_text_recog_aug_test(Config.fromfile(config_file), ["test"])
            pipeline = test_pipeline(config)
            config.data.test.pipeline = pipeline
            self.pipelines = {False: Compose(pipeline), True: Compose(from_arrays(pipeline))}
            model = revert_sync_batchnorm(init_detector(config, None, "cpu")).eval()
        except Exception as error:
            raise WorkerError("config", describe(error)) from error
        self.task = "det" if hasattr(model, "bbox_head") else "recog"
        if self.task == "recog" and not (hasattr(model, "label_convertor") and hasattr(model, "decoder")):
            raise WorkerError("config", f"{type(model).__name__} is no network with one head that gives one tensor")
        load_weights(model, checkpoint, trust)
        self.model = model
        return {"task": self.task, "architecture": type(model).__name__}

    def prepare(self, image: str, tensor: str) -> dict[str, Any]:
        """Bring an image through the config's test pipeline, and write the tensor C x H x W."""
        import numpy as np

        data = self.load(image)
        pixels, meta = (single(data[key]) for key in ("img", "img_metas"))
        meta = getattr(meta, "data", meta)
        np.save(tensor, np.ascontiguousarray(getattr(pixels, "data", pixels), np.float32))
        scale = np.atleast_1d(meta.get("scale_factor", 1.0))
        resized = meta.get("resize_shape", meta.get("img_shape"))
        return {
            "scale_factor": [float(scale[0]), float(scale[1])] if len(scale) == 4 else None,
            "resize_shape": [int(length) for length in resized[:2]],
            "valid_ratio": meta.get("valid_ratio"),
            "original_shape": [int(length) for length in data["original_shape"]],
        }

    def load(self, image: str) -> dict[str, Any]:
        """Return what the test pipeline makes of an image, and the image's own height and width."""
        try:
            loader, *steps = self.pipelines[image.endswith(".npy")].transforms
            data = loader(pipeline_input(image))
            original = data["ori_shape"][:2]
            for step in steps:
                data = step(data)
        except Exception as error:
            raise WorkerError("image", describe(error)) from error
        return dict(data, original_shape=original)

    def infer(self, batch: str, output: str, metas: dict[str, list[float]]) -> dict[str, Any]:
        """Write what the head gives for a batch: N x C x H x W maps, or N x T x C logits."""
        import numpy as np
        import torch

        with torch.no_grad():
            result = self.head_output(torch.from_numpy(np.load(batch)), True, metas)
        np.save(output, result.numpy())
        return {"shape": list(result.shape)}

    def head_output(self, images: Any, all_outputs: bool, values: dict[str, list[float]] | None = None) -> Any:
        """Return the head's output as `simple_test` has it before decoding; of DBNet without its training aids too.

        `values` are what each image's meta data is to hold, by name.
        """
        import torch

        features = self.model.extract_feat(images)
        if self.task == "det":
            head = self.model.bbox_head
            result = head(features) if all_outputs or not hasattr(head, "binarize") else head.binarize(features)
        else:
            metas = [
                {"valid_ratio": 1.0, **{name: numbers[index] for name, numbers in (values or {}).items()}}
                for index in range(len(images))
            ]
            encoder = self.model.encoder
            encoded = None if encoder is None else encoder(features, metas)
            result = self.model.decoder(features, encoded, None, metas, train_mode=False)
        if not isinstance(result, torch.Tensor):
            raise WorkerError("config", f"the head of {type(self.model).__name__} gives no single tensor")
        return result

    def decode(self, output: str, metas: list[dict[str, Any]], width: int) -> list[Any]:
        """Decode a batch's output with MMOCR's own post-processing, polygons in pixels of the original images."""
        import numpy as np
        import torch

        tensor = torch.from_numpy(np.load(output))
        if self.task == "det":
            if tensor.shape[1] == 1:
                # Of DBNet's three channels get_boundary reads the first one; of one alone it would lose the dimension.
                tensor = torch.cat((tensor, torch.zeros_like(tensor), torch.zeros_like(tensor)), 1)
            return [self.boundaries(tensor[index], meta) for index, meta in enumerate(metas)]
        ratios = [{"valid_ratio": 1.0 * meta["resize_shape"][1] / width} for meta in metas]
        convertor = self.model.label_convertor
        indexes, scores = convertor.tensor2idx(tensor, ratios)
        texts = convertor.idx2str(indexes)
        return [result_document({"text": text, "score": scores[index]}) for index, text in enumerate(texts)]

    def boundaries(self, maps: Any, meta: dict[str, Any]) -> Any:
        """Return the polygons with scores of one image's maps C x H x W."""
        import numpy as np

        scale = np.array((meta["scale_factor"] or [1.0, 1.0]) * 2, np.float32)
        found = self.model.bbox_head.get_boundary(maps, [{"scale_factor": scale, "filename": ""}], True)
        return result_document(found)

    def predict(self, image: str) -> Any:
        """Return the result that MMOCR's own test loop (`single_gpu_test`) gets for an image."""
        import torch
        from mmcv.parallel import MMDataParallel, collate

        data = self.load(image)
        del data["original_shape"]
        with torch.no_grad():
            results = MMDataParallel(self.model, device_ids=[-1])(return_loss=False, rescale=True, **collate([data]))
        return result_document(results[0])

    def export(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write the network up to its head as ONNX."""
        import torch

        if importlib.util.find_spec("onnx") is None:
            raise WorkerError("onnx", "PyTorch's exporter needs onnx")
        refuse_deformable(self.model)
        worker, all_outputs = self, request["all_outputs"]

        class Network(torch.nn.Module):
            """The model up to its head, as a function of one tensor."""

            def __init__(self) -> None:
                super().__init__()
                self.model = worker.model

            def forward(self, images: Any) -> Any:
                """Return the head's output."""
                return worker.head_output(images, all_outputs)

        network, example = Network().eval(), torch.zeros(request["shape"])
        axes = {
            name: {int(axis): text for axis, text in axes.items()} for name, axes in request["dynamic_axes"].items()
        }
        # Newer versions have a second exporter, and a parameter that chooses the first.
        has_two = "dynamo" in inspect.signature(torch.onnx.export).parameters
        options: dict[str, Any] = {"dynamo": False} if has_two else {}
        with torch.no_grad():
            shape = list(network(example).shape)
            torch.onnx.export(
                network,
                (example,),
                request["file"],
                opset_version=request["opset"],
                input_names=[request["input"]],
                output_names=[request["output"]],
                dynamic_axes=axes,
                **options,
            )
        return {"output_shape": shape, "network": str(self.model)}


def test_pipeline(config: Any) -> Any:
    """Return the test pipeline of a config as MMOCR's `model_inference` picks it."""
    from mmdet.datasets import replace_ImageToTensor
    from mmocr.utils import is_2dlist

    test = config.data.test
    pipeline = test.get("pipeline")
    if pipeline is None:
        pipeline = (test.datasets[0][0] if is_2dlist(test.datasets) else test.datasets[0]).pipeline
    if is_2dlist(pipeline):
        pipeline = pipeline[0]
    if pipeline[0]["type"] == "LoadImageFromLMDB":
        # The images come as files here; what is done with their bytes is the same.
        pipeline[0] = {"type": "LoadImageFromFile", "color_type": pipeline[0].get("color_type", "color")}
    return replace_ImageToTensor(pipeline)


def from_arrays(pipeline: Any) -> Any:
    """Return the pipeline for images that are arrays, as MMOCR's `model_inference` changes it."""
    first = dict(pipeline[0])
    first["type"] = "LoadImageFromNdarray"
    return [first, *pipeline[1:]]


def pipeline_input(image: str) -> dict[str, Any]:
    """Return what a pipeline starts from, as in MMOCR's `model_inference`."""
    import numpy as np

    if not image.endswith(".npy"):
        return {"img_info": {"filename": image}, "img_prefix": None, "ann_info": None, "bbox_fields": []}
    array = np.load(image)
    info = {"width": array.shape[1], "height": array.shape[0]}
    return {"img": array, "ann_info": None, "img_info": info, "bbox_fields": []}


def single(value: Any) -> Any:
    """Return the one item of what a test-time augmentation gives, or the value itself."""
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise WorkerError("config", f"the test pipeline makes {len(value)} tensors of an image, not one")
    return value[0]


def result_document(result: dict[str, Any]) -> Any:
    """Return one of MMOCR's results as what JSON can hold."""
    if "boundary_result" in result:
        return {"boundaries": [[float(number) for number in boundary] for boundary in result["boundary_result"]]}
    return {"text": result["text"], "scores": [float(score) for score in result["score"]]}


def load_weights(model: Any, checkpoint: str, trust: bool = False) -> None:
    """Load a checkpoint as MMOCR does, but refuse one that leaves weights as they were.

    Nothing that it holds is run unless it is trusted.
    """
    import torch

    try:
        module = pickle if trust else TensorPickle
        content = torch.load(checkpoint, map_location="cpu", pickle_module=module, weights_only=False)
        state = content["state_dict"] if isinstance(content.get("state_dict"), dict) else content
        tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
        if tensors and all(key.startswith("module.") for key in tensors):
            tensors = {key[len("module.") :]: value for key, value in tensors.items()}
        missing = model.load_state_dict(tensors, strict=False).missing_keys
    except Exception as error:
        raise WorkerError("checkpoint", describe(error)) from error
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing:
        raise WorkerError("checkpoint", f"{len(missing)} weights of the network are missing, the first is {missing[0]}")


def refuse_deformable(model: Any) -> None:
    """Refuse networks with deformable convolutions, which the exporter has no operator for."""
    for name, module in model.named_modules():
        if "DeformConv" in type(module).__name__:
            raise WorkerError("operator", f"{name} is a {type(module).__name__}, which needs a custom operator")


def describe(error: BaseException) -> str:
    """Return an exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


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

    modules = {"mmocr": mmocr, "mmdet": mmdet, "mmcv-full": mmcv, "torch": torch, "numpy": np, "opencv": cv2}
    return {name: module.__version__ for name, module in modules.items()}


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
    worker = Worker()
    for line in sys.stdin:
        try:
            reply({"result": worker.answer(json.loads(line))})
        except WorkerError as error:
            reply({"error": {"kind": error.kind, "message": str(error)}})
        except Exception as error:  # noqa: BLE001  (whatever MMOCR raises)
            reply({"error": {"kind": "mmocr", "message": describe(error)}})


if __name__ == "__main__":
    main()
