"""Parts of MMOCR configs as dictionaries, to be changed and read."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrdeploy.decoders import Decoder
from ocrdeploy.descriptions.loading import find_family
from ocrdeploy.dialects.mmocr0.model import read_model
from ocrdeploy.dialects.section import Section
from ocrdeploy.model_spec import Task

REMOVED: Any = object()
"""In place of a value: the key is taken out."""

RESNET = {"type": "mmdet.ResNet", "depth": 18, "base_channels": 8}
DBNET: dict[str, Any] = {
    "type": "DBNet",
    "backbone": RESNET,
    "neck": {"type": "FPNC", "in_channels": [8, 16, 32, 64], "lateral_channels": 16, "out_channels": 8},
    "bbox_head": {"type": "DBHead", "in_channels": 32},
}
PANET: dict[str, Any] = {
    "type": "PANet",
    "backbone": RESNET,
    "neck": {"type": "FPEM_FFM", "in_channels": [8, 16, 32, 64], "conv_out": 8},
    "bbox_head": {"type": "PANHead", "in_channels": [8, 8, 8, 8], "out_channels": 6},
}
PSENET: dict[str, Any] = {
    "type": "PSENet",
    "backbone": RESNET,
    "neck": {"type": "FPNF", "in_channels": [8, 16, 32, 64], "out_channels": 16},
    "bbox_head": {"type": "PSEHead", "in_channels": [16], "out_channels": 7},
}
CRNN: dict[str, Any] = {
    "type": "CRNNNet",
    "backbone": {"type": "VeryDeepVgg", "input_channels": 1},
    "decoder": {"type": "CRNNDecoder", "in_channels": 512},
    "loss": {"type": "CTCLoss"},
    "label_convertor": {"type": "CTCConvertor"},
}

LOAD = {"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"}
NORMALIZE = {"type": "Normalize", "mean": [120.0, 115.0, 100.0], "std": [60.0, 58.0, 57.0]}
PAD = {"type": "Pad", "size_divisor": 32}
RESIZE = {"type": "Resize", "img_scale": (320, 192), "keep_ratio": True}
DETECTION_PIPELINE: list[dict[str, Any]] = [LOAD, RESIZE, NORMALIZE, PAD]
RECOGNITION_PIPELINE: list[dict[str, Any]] = [
    {"type": "LoadImageFromFile", "color_type": "grayscale"},
    {"type": "ResizeOCR", "height": 32, "min_width": 32},
    {"type": "Normalize", "mean": [127], "std": [127]},
]

ICDAR: dict[str, Any] = {"type": "IcdarDataset", "ann_file": "a.json", "img_prefix": "imgs"}
LINES: dict[str, Any] = {
    "type": "OCRDataset",
    "ann_file": "label.txt",
    "img_prefix": "imgs",
    "loader": {"type": "AnnFileLoader", "parser": {"type": "LineStrParser"}},
}


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with other values; a key such as `neck.in_channels` leads to an inner one."""
    values = copy.deepcopy(base)
    for path, value in changes.items():
        *outer, last = path.split(".")
        inner = values
        for key in outer:
            inner = inner[key]
        if value is REMOVED:
            del inner[last]
        else:
            inner[last] = value
    return values


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a config's `model` says."""

    name: str
    task: Task
    network: Any
    decoder: Decoder


def read_architecture(values: dict[str, Any]) -> Architecture:
    """Read a config's `model`, with its network."""
    family = find_family({"model": values})
    model = read_model(Section(values, "model"), family.task)
    return Architecture(model.name, model.task, family.read(model.parts), model.decoder)


def detection_config(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a whole config of a small DBNet."""
    config = {
        "model": DBNET,
        "data": {"test": ICDAR | {"pipeline": DETECTION_PIPELINE}},
        "evaluation": {"interval": 10, "metric": "hmean-iou"},
    }
    return changed(config, changes or {})


def recognition_config(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a whole config of CRNN."""
    config = {
        "model": CRNN,
        "data": {"test": LINES | {"pipeline": RECOGNITION_PIPELINE}},
        "evaluation": {"interval": 1, "metric": "acc"},
    }
    return changed(config, changes or {})


def write_config(folder: Path, values: dict[str, Any], name: str = "config.py") -> Path:
    """Write a config as a Python file."""
    path = folder / name
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))
    return path
