"""A model in MMOCR 1.0.1."""

from __future__ import annotations

from typing import Any

from .errors import WorkerError, describe
from .outputs import tensors_of
from .weights import load_weights

OF_LABELS = ("LoadOCRAnnotations", "FixInvalidPolygon")
"""Steps of a pipeline that images without labels do not go through, as in MMOCR's own inferencers."""
FACTS = ("ori_shape", "img_shape", "scale_factor", "valid_ratio")
"""What is told of an image, as the pipeline leaves it."""


class Model:
    """A config's model with the checkpoint's weights, on the CPU.

    Attributes:
        network: The network.
        task: Text detection (`det`) or recognition (`recog`).
    """

    def __init__(self, config_file: str, checkpoint: str, trust: bool) -> None:
        from mmengine.config import Config
        from mmengine.dataset import Compose
        from mmengine.model.utils import revert_sync_batchnorm
        from mmengine.registry import init_default_scope
        from mmocr.registry import MODELS

        try:
            config = Config.fromfile(config_file)
            init_default_scope(config.get("default_scope") or "mmocr")
            loader, *steps = test_pipeline(config)
            self.color_type = loader.get("color_type", "color")
            self.number_type = "float32" if loader.get("to_float32") else "uint8"
            self.steps = Compose([loader, *steps]).transforms
            network = revert_sync_batchnorm(MODELS.build(config.model)).eval()
        except Exception as error:
            raise WorkerError("config", describe(error)) from error
        self.task = "det" if hasattr(network, "det_head") else "recog"
        if self.task == "recog" and not hasattr(network, "decoder"):
            raise WorkerError("config", f"{type(network).__name__} is no network with one head that gives one tensor")
        load_weights(network, checkpoint, trust)
        self.network = network

    def load(self, image: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a batch of one image for the network's test step, and the facts of the image."""
        from mmengine.dataset import pseudo_collate

        try:
            *steps, pack = self.steps
            data = self.from_array(image) if image.endswith(".npy") else steps[0]({"img_path": image})
            facts = {"ori_shape": data["ori_shape"]}
            for step in steps[1:]:
                data = step(data)
            facts.update({key: data[key] for key in FACTS[1:] if key in data})
            return pseudo_collate([pack(data)]), facts
        except Exception as error:
            raise WorkerError("image", describe(error)) from error

    def from_array(self, image: str) -> dict[str, Any]:
        """Return what reading a file of these pixels gives.

        MMOCR 1.0.1's LoadImageFromNDArray takes the order BGR for RGB where the pipeline reads in grey; here it is BGR.
        """
        import mmcv
        import numpy as np

        pixels = np.load(image)
        if self.color_type.startswith("grayscale"):
            pixels = mmcv.bgr2gray(pixels)
        shape = pixels.shape[:2]
        return {"img": pixels.astype(self.number_type), "img_path": image, "img_shape": shape, "ori_shape": shape}

    def prepare(self, image: str, tensor: str) -> dict[str, Any]:
        """Bring an image through the test pipeline and the model's preprocessor, and write the tensor C x H x W."""
        import numpy as np
        import torch

        batch, facts = self.load(image)
        with torch.no_grad():
            prepared = self.network.data_preprocessor(batch, False)
        np.save(tensor, np.ascontiguousarray(prepared["inputs"][0].numpy(), np.float32))
        scale = facts.get("scale_factor") if self.task == "det" else None
        return {
            "scale_factor": None if scale is None else [float(number) for number in scale[:2]],
            "resize_shape": [int(length) for length in facts["img_shape"][:2]],
            "valid_ratio": facts.get("valid_ratio"),
            "original_shape": [int(length) for length in facts["ori_shape"][:2]],
        }

    def head_output(self, images: Any, request: dict[str, Any]) -> list[Any]:
        """Return the head's outputs as it is before post-processing."""
        features = self.network.extract_feat(images)
        if self.task == "det":
            result = self.maps(features, request["all_outputs"])
        else:
            samples = samples_of(len(images), request.get("metas", {}))
            encoded = self.network.encoder(features, samples) if self.network.with_encoder else None
            decoder = self.network.decoder
            # What comes before the softmax is what is trained on.
            forward = decoder.forward_train if request["logits"] else decoder
            result = forward(features, encoded, samples)
        return tensors_of(result)

    def maps(self, features: Any, all_outputs: bool) -> Any:
        """Return a detector's maps, of DBNet with its training aids too if they are asked for."""
        import torch

        head = self.network.det_head
        if not hasattr(head, "binarize"):
            return head(features)
        if not all_outputs:
            return head(features, mode="predict").unsqueeze(1)
        _, thresholds, binary, probabilities = head(features, mode="both")
        return torch.stack((probabilities, thresholds, binary), 1)

    def decode(self, tensors: list[Any], request: dict[str, Any]) -> list[Any]:
        """Decode a batch's outputs with MMOCR's own post-processing, polygons in pixels of the original images."""
        from mmocr.structures import TextDetDataSample, TextRecogDataSample

        tensor = tensors[0]
        if self.task == "recog":
            samples = [TextRecogDataSample(metainfo={"valid_ratio": meta["valid_ratio"]}) for meta in request["metas"]]
            return texts(
                self.network.decoder.postprocessor(tensor.softmax(-1) if request["logits"] else tensor, samples)
            )
        head = self.network.det_head
        samples = [
            TextDetDataSample(
                metainfo={"scale_factor": meta["scale_factor"] or [1.0, 1.0], "img_shape": meta["resize_shape"]}
            )
            for meta in request["metas"]
        ]
        if len(tensors) > 1:
            pairs = [tensors[place : place + 2] for place in range(0, len(tensors), 2)]
            levels = [{"cls_res": classes, "reg_res": fourier} for classes, fourier in pairs]
            return boundaries(head.postprocessor(levels, samples))
        # Of DBNet the probability alone; post-processors write to what they are given.
        return boundaries(head.postprocessor(tensor[:, 0] if hasattr(head, "binarize") else tensor.clone(), samples))

    def predict(self, image: str) -> Any:
        """Return the result that MMOCR's own test loop gets for an image."""
        import torch

        batch, _ = self.load(image)
        with torch.no_grad():
            samples = self.network.test_step(batch)
        return (boundaries if self.task == "det" else texts)(samples)[0]


def test_pipeline(config: Any) -> list[Any]:
    """Return the steps of a config's test pipeline, without those that read labels."""
    loader = config.get("test_dataloader") or config.get("val_dataloader")
    if isinstance(loader, (list, tuple)):
        loader = loader[0]
    pipeline = None
    dataset = {} if loader is None else loader["dataset"]
    while not pipeline and dataset:
        pipeline = dataset.get("pipeline")
        dataset = (dataset.get("datasets") or [None])[0]
    steps = pipeline or config["test_pipeline"]
    return [step for step in steps if step["type"].rpartition(".")[2] not in OF_LABELS]


def samples_of(count: int, values: dict[str, list[float]]) -> list[Any]:
    """Return the data samples of a batch of words, with the values of the request by name."""
    from mmocr.structures import TextRecogDataSample

    return [
        TextRecogDataSample(metainfo={"valid_ratio": 1.0, **{name: numbers[index] for name, numbers in values.items()}})
        for index in range(count)
    ]


def boundaries(samples: list[Any]) -> list[Any]:
    """Return what was found in each image as what JSON can hold, `[x1, y1, ..., score]` a polygon."""
    results = []
    for sample in samples:
        found, scores = sample.pred_instances.polygons, sample.pred_instances.scores
        polygons = [[*map(float, polygon), float(scores[index])] for index, polygon in enumerate(found)]
        results.append({"boundaries": polygons})
    return results


def texts(samples: list[Any]) -> list[Any]:
    """Return what was read in each image as what JSON can hold."""
    return [
        {"text": sample.pred_text.item, "scores": [float(score) for score in sample.pred_text.score]}
        for sample in samples
    ]
