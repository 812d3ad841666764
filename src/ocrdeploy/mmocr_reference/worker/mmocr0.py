"""A model in MMOCR 0.6.3."""

from __future__ import annotations

from typing import Any

from .errors import WorkerError, describe
from .outputs import tensors_of
from .weights import load_weights


class Model:
    """A config's model with the checkpoint's weights, on the CPU.

    Attributes:
        network: The network.
        task: Text detection (`det`) or recognition (`recog`).
    """

    def __init__(self, config_file: str, checkpoint: str, trust: bool) -> None:
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
        self.network = model

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

    def head_output(self, images: Any, request: dict[str, Any]) -> list[Any]:
        """Return the head's outputs as `simple_test` has it before decoding; of DBNet without its training aids too."""
        features = self.network.extract_feat(images)
        if self.task == "det":
            head = self.network.bbox_head
            whole = request["all_outputs"] or not hasattr(head, "binarize")
            result = head(features) if whole else head.binarize(features)
        else:
            metas = metas_of(len(images), request)
            encoder = self.network.encoder
            encoded = None if encoder is None else encoder(features, metas)
            result = self.network.decoder(features, encoded, None, metas, train_mode=False)
        return tensors_of(result)

    def decode(self, tensors: list[Any], request: dict[str, Any]) -> list[Any]:
        """Decode a batch's outputs with MMOCR's own post-processing, polygons in pixels of the original images."""
        import torch

        metas, tensor = request["metas"], tensors[0]
        if len(tensors) > 1:
            levels = [tensors[place : place + 2] for place in range(0, len(tensors), 2)]
            return [
                self.boundaries([[part[index : index + 1] for part in level] for level in levels], meta)
                for index, meta in enumerate(metas)
            ]
        if self.task == "det":
            if tensor.shape[1] == 1:
                # Of DBNet's three channels get_boundary reads the first one; of one alone it would lose the dimension.
                tensor = torch.cat((tensor, torch.zeros_like(tensor), torch.zeros_like(tensor)), 1)
            return [self.boundaries(tensor[index], meta) for index, meta in enumerate(metas)]
        convertor = self.network.label_convertor
        indexes, scores = convertor.tensor2idx(tensor, [{"valid_ratio": meta["valid_ratio"]} for meta in metas])
        texts = convertor.idx2str(indexes)
        return [result_document({"text": text, "score": scores[index]}) for index, text in enumerate(texts)]

    def boundaries(self, maps: Any, meta: dict[str, Any]) -> Any:
        """Return the polygons with scores of one image's maps C x H x W, or of FCENet's pairs of 1 x C x H x W."""
        import numpy as np

        scale = np.array((meta["scale_factor"] or [1.0, 1.0]) * 2, np.float32)
        found = self.network.bbox_head.get_boundary(maps, [{"scale_factor": scale, "filename": ""}], True)
        return result_document(found)

    def predict(self, image: str) -> Any:
        """Return the result that MMOCR's own test loop (`single_gpu_test`) gets for an image."""
        import torch
        from mmcv.parallel import MMDataParallel, collate

        data = self.load(image)
        del data["original_shape"]
        with torch.no_grad():
            results = MMDataParallel(self.network, device_ids=[-1])(return_loss=False, rescale=True, **collate([data]))
        return result_document(results[0])


def metas_of(count: int, request: dict[str, Any]) -> list[dict[str, float]]:
    """Return what the meta data of a batch's images hold: the values of the request by name."""
    values = request.get("metas", {})
    return [
        {"valid_ratio": 1.0, **{name: numbers[index] for name, numbers in values.items()}} for index in range(count)
    ]


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
