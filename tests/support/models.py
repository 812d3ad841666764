"""Small models of every architecture: MMOCR 0.x configs and checkpoints with seeded weights, made at test time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.families import FAMILIES
from tests.support.weights import seeded_array

ARCHITECTURES = tuple(family.name.lower() for family in FAMILIES)
DETECTORS = ("dbnet", "psenet", "panet")
SEED = 7

_DETECTION = """
pipeline = [
    dict(type='LoadImageFromFile', color_type='color_ignore_orientation'),
    dict(type='MultiScaleFlipAug', img_scale=({long_edge}, {short_edge}), flip=False, transforms=[
        dict(type='Resize', keep_ratio=True),
        dict(type='Normalize', mean=[120.0, 115.0, 100.0], std=[60.0, 58.0, 57.0], to_rgb=True),
        dict(type='Pad', size_divisor=32),
        dict(type='ImageToTensor', keys=['img']),
        dict(type='Collect', keys=['img'])])]
model = dict(
    type='{name}',
    backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, num_stages=4, out_indices=(0, 1, 2, 3),
                  norm_cfg=dict(type='{norm}', requires_grad=True), style='caffe'),
    neck={neck},
    bbox_head={head},
    train_cfg=None, test_cfg=None)
data = dict(test=dict(
    type='UniformConcatDataset',
    datasets=[dict(type='IcdarDataset', ann_file='scenes/instances.json', img_prefix='scenes/imgs', pipeline=None)],
    pipeline=pipeline))
evaluation = dict(interval=10, metric='hmean-iou')
"""

_RECOGNITION = """
model = dict(
    type='CRNNNet', preprocessor=None,
    backbone=dict(type='VeryDeepVgg', leaky_relu=False, input_channels=1),
    encoder=None,
    decoder=dict(type='CRNNDecoder', in_channels=512, rnn_flag=True),
    loss=dict(type='CTCLoss'),
    label_convertor=dict(type='CTCConvertor', dict_type='DICT36', with_unknown=False, lower=True))
pipeline = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='ResizeOCR', height=32, min_width=32, max_width=None, keep_aspect_ratio=True),
    dict(type='Normalize', mean=[127], std=[127]),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img'], meta_keys=['filename', 'resize_shape', 'valid_ratio'])]
parser = dict(type='LineStrParser', keys=['filename', 'text'], keys_idx=[0, 1], separator=' ')
data = dict(test=dict(
    type='UniformConcatDataset',
    datasets=[dict(type='OCRDataset', ann_file='words/label.txt', img_prefix='words', test_mode=True, pipeline=None,
                   loader=dict(type='AnnFileLoader', repeat=1, file_format='txt', parser=parser))],
    pipeline=pipeline))
evaluation = dict(interval=1, metric='acc')
"""

_PARTS = {
    "dbnet": (
        "DBNet",
        "BN",
        "dict(type='FPNC', in_channels=[8, 16, 32, 64], lateral_channels=32, out_channels=8)",
        (
            "dict(type='DBHead', in_channels=32, loss=dict(type='DBLoss'), "
            "postprocessor=dict(type='DBPostprocessor', text_repr_type='quad'))"
        ),
    ),
    "psenet": (
        "PSENet",
        "SyncBN",
        "dict(type='FPNF', in_channels=[8, 16, 32, 64], out_channels=256, fusion_type='concat')",
        (
            "dict(type='PSEHead', in_channels=[256], out_channels=7, loss=dict(type='PSELoss'), "
            "postprocessor=dict(type='PSEPostprocessor', text_repr_type='poly'))"
        ),
    ),
    "panet": (
        "PANet",
        "SyncBN",
        "dict(type='FPEM_FFM', in_channels=[8, 16, 32, 64], conv_out=16)",
        (
            "dict(type='PANHead', in_channels=[16, 16, 16, 16], out_channels=6, loss=dict(type='PANLoss'), "
            "postprocessor=dict(type='PANPostprocessor', text_repr_type='poly'))"
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A config and its checkpoint."""

    config: Path
    checkpoint: Path


def config_text(architecture: str, scale: tuple[int, int] = (320, 192)) -> str:
    """Return a config; detection images are brought to at most `scale` (long edge, short edge)."""
    if architecture == "crnn":
        return _RECOGNITION
    name, norm, neck, head = _PARTS[architecture]
    return _DETECTION.format(long_edge=scale[0], short_edge=scale[1], name=name, norm=norm, neck=neck, head=head)


def write_model(folder: Path, architecture: str) -> ModelFiles:
    """Write `ARCHITECTURE.py` and `ARCHITECTURE.pth` to a folder."""
    config = folder / f"{architecture}.py"
    config.write_text(config_text(architecture))
    state = build_network(load_config(config)).state_dict()
    weights = {
        key: torch.from_numpy(np.asarray(seeded_array(key, tuple(value.shape), SEED))) for key, value in state.items()
    }
    checkpoint = folder / f"{architecture}.pth"
    torch.save({"meta": {"epoch": 1, "mmocr_version": "0.6.3"}, "state_dict": weights}, checkpoint)
    return ModelFiles(config, checkpoint)
