"""The six models of MMOCR's deployment table at full size, with seeded weights and configs of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from ocrdeploy.artifacts import embed_spec, read_onnx_spec
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.descriptions.specs import build_spec
from ocrdeploy.exporting import ExportRequest, export_model
from tests.support.models import config_text
from tests.support.weights import seeded_array

SEED = 7

RESNET18 = (
    "dict(type='mmdet.ResNet', depth=18, num_stages=4, out_indices=(0, 1, 2, 3), "
    "norm_cfg=dict(type='BN', requires_grad=True), style='caffe')"
)
RESNET50 = RESNET18.replace("depth=18", "depth=50").replace("'BN'", "'SyncBN'")

DBNET = f"""
model = dict(
    type='DBNet', backbone={RESNET18},
    neck=dict(type='FPNC', in_channels=[64, 128, 256, 512], lateral_channels=256),
    bbox_head=dict(type='DBHead', in_channels=256, loss=dict(type='DBLoss'),
                   postprocessor=dict(type='DBPostprocessor', text_repr_type='quad')),
    train_cfg=None, test_cfg=None)
"""
PSENET = f"""
model = dict(
    type='PSENet', backbone={RESNET50},
    neck=dict(type='FPNF', in_channels=[256, 512, 1024, 2048], out_channels=256, fusion_type='concat'),
    bbox_head=dict(type='PSEHead', in_channels=[256], out_channels=7, loss=dict(type='PSELoss'),
                   postprocessor=dict(type='PSEPostprocessor', text_repr_type='poly')),
    train_cfg=None, test_cfg=None)
"""
PANET = f"""
model = dict(
    type='PANet', backbone={RESNET18.replace("'BN'", "'SyncBN'")},
    neck=dict(type='FPEM_FFM', in_channels=[64, 128, 256, 512]),
    bbox_head=dict(type='PANHead', in_channels=[128, 128, 128, 128], out_channels=6, loss=dict(type='PANLoss'),
                   postprocessor=dict(type='PANPostprocessor', text_repr_type='poly')),
    train_cfg=None, test_cfg=None)
"""
DETECTION_DATA = """
pipeline = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    dict(type='MultiScaleFlipAug', img_scale={scale}, flip=False, transforms=[
        dict(type='Resize', keep_ratio=True),
        dict(type='Normalize', mean=[120.0, 115.0, 100.0], std=[60.0, 58.0, 57.0], to_rgb=True),
        dict(type='Pad', size_divisor=32),
        dict(type='ImageToTensor', keys=['img']),
        dict(type='Collect', keys=['img'])])]
data = dict(test=dict(
    type='UniformConcatDataset',
    datasets=[dict(type='IcdarDataset', ann_file='scenes/instances.json', img_prefix='scenes/imgs', pipeline=None)],
    pipeline=pipeline))
evaluation = dict(metric='hmean-iou')
"""


@dataclass(frozen=True, slots=True)
class OfficialModel:
    """A model of the table.

    Attributes:
        config: The text of its config.
        network: The name of its network, which two models may share.
    """

    config: str
    network: str


def official_models() -> Mapping[str, OfficialModel]:
    """Return the models by the names of MMOCR's configs."""

    def detector(network: str, model: str, scale: tuple[int, int]) -> OfficialModel:
        return OfficialModel(model + DETECTION_DATA.format(scale=scale), network)

    return {
        "dbnet_r18_fpnc_1200e_icdar2015": detector("dbnet", DBNET, (1333, 736)),
        "psenet_r50_fpnf_600e_ctw1500": detector("psenet", PSENET, (1280, 1280)),
        "psenet_r50_fpnf_600e_icdar2015": detector("psenet", PSENET, (2240, 2240)),
        "panet_r18_fpem_ffm_600e_ctw1500": detector("panet", PANET, (3000, 640)),
        "panet_r18_fpem_ffm_600e_icdar2015": detector("panet", PANET, (1333, 736)),
        "crnn_academic_dataset": OfficialModel(config_text("crnn"), "crnn"),
    }


def write_checkpoint(config: Path, checkpoint: Path) -> None:
    """Write seeded weights for a config's network."""
    state = build_network(load_config(config)).state_dict()
    weights = {
        key: torch.from_numpy(np.asarray(seeded_array(key, tuple(value.shape), SEED))) for key, value in state.items()
    }
    torch.save({"meta": {"mmocr_version": "0.6.3"}, "state_dict": weights}, checkpoint)


class OfficialExports:
    """The models as dynamic ONNX models, made when first asked for; those that share a network share its export.

    Args:
        folder: Where to write them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models = official_models()
        self._exported: dict[str, Path] = {}

    def __call__(self, name: str) -> Path:
        """Return a model's ONNX file."""
        model = self._models[name]
        config, path = self._folder / f"{name}.py", self._folder / f"{name}.onnx"
        if path.exists():
            return path
        config.write_text(model.config)
        if model.network not in self._exported:
            checkpoint = self._folder / f"{model.network}.pth"
            write_checkpoint(config, checkpoint)
            export_model(ExportRequest(config, checkpoint, path, dynamic=True))
            self._exported[model.network] = path
            return path
        other = onnx.load_model(self._exported[model.network])
        spec = read_onnx_spec(self._exported[model.network])
        assert spec.source is not None
        embed_spec(other, build_spec(load_config(config), checkpoint=spec.source.checkpoint, export=spec.export))
        onnx.save_model(other, path)
        return path
