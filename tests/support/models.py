"""Small models of every architecture: MMOCR configs and checkpoints with seeded weights, made at test time.

Configs are those of MMOCR 0.x, or of 1.x where 0.x has not the architecture.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.families import FAMILIES
from tests.support.weights import seeded_array

ARCHITECTURES = tuple(family.name.lower() for family in FAMILIES)
OF_MMOCR0 = tuple(family.name.lower() for family in FAMILIES if "mmocr0" in family.names)
"""Those whose small models have a config of MMOCR 0.x."""
STEP_BY_STEP = ("nrtr", "satrn", "master", "robustscanner", "sar", "aster")
"""Recognisers whose graph has a loop, a character a step."""
DETECTORS = ("dbnet", "psenet", "panet", "fcenet", "textsnake")
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
    backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, num_stages=4, out_indices={indices},
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
"""

_ATTENTION = """
model = dict(
    type='{name}', preprocessor=None,
    backbone={backbone},
    encoder={encoder},
    decoder={decoder},
    loss=dict(type='TFLoss'),
    label_convertor=dict(type='AttnConvertor', dict_type='DICT36', with_unknown=True, lower=True),
    max_seq_len=12)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeOCR', height=32, min_width=32, max_width=80, keep_aspect_ratio=True),
    dict(type='ToTensorOCR'),
    dict(type='NormalizeOCR', mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5]),
    dict(type='Collect', keys=['img'], meta_keys=['filename', 'resize_shape', 'valid_ratio'])]
parser = dict(type='LineStrParser', keys=['filename', 'text'], keys_idx=[0, 1], separator=' ')
data = dict(test=dict(
    type='UniformConcatDataset',
    datasets=[dict(type='OCRDataset', ann_file='words/label.txt', img_prefix='words', test_mode=True, pipeline=None,
                   loader=dict(type='AnnFileLoader', repeat=1, file_format='txt', parser=parser))],
    pipeline=pipeline))
evaluation = dict(interval=1, metric='acc')
"""

_RESNET31 = "dict(type='ResNet31OCR', layers=[1, 1, 1, 1], channels=[4, 4, 8, 8, 16, 16])"
_TRANSFORMER = (
    "dict(type='NRTRDecoder', n_layers=2, d_embedding=16, n_head=2, d_k=8, d_v=8, d_model=16, d_inner=24, "
    "n_position=20)"
)
_ATTENTION_PARTS = {
    "nrtr": (
        "NRTR",
        _RESNET31,
        "dict(type='NRTREncoder', n_layers=1, n_head=2, d_k=8, d_v=8, d_model=16, d_inner=24)",
        _TRANSFORMER,
    ),
    "satrn": (
        "SATRN",
        "dict(type='ShallowCNN', input_channels=3, hidden_dim=16)",
        "dict(type='SatrnEncoder', n_layers=1, n_head=2, d_k=8, d_v=8, d_model=16, d_inner=24, n_position=30)",
        _TRANSFORMER,
    ),
    "master": (
        "MASTER",
        (
            "dict(type='ResNet', in_channels=3, stem_channels=[4, 4], arch_layers=[1, 1], arch_channels=[8, 16], "
            "strides=[1, 1], block_cfgs=dict(type='BasicBlock', plugins=dict(position='after_conv2', cfg=dict("
            "type='GCAModule', ratio=0.25, n_head=1, pooling_type='att', is_att_scale=False, "
            "fusion_type='channel_add'))), plugins=["
            "dict(cfg=dict(type='Maxpool2d', kernel_size=2, stride=(2, 2)), stages=(True, True), "
            "position='before_stage'), "
            "dict(cfg=dict(type='ConvModule', kernel_size=3, stride=1, padding=1, norm_cfg=dict(type='BN'), "
            "act_cfg=dict(type='ReLU')), stages=(True, True), position='after_stage')])"
        ),
        "None",
        "dict(type='MasterDecoder', d_model=16, n_head=2, d_inner=24, n_layers=2, feat_size=400)",
    ),
    "robustscanner": (
        "RobustScanner",
        _RESNET31,
        "dict(type='ChannelReductionEncoder', in_channels=16, out_channels=8)",
        (
            "dict(type='RobustScannerDecoder', dim_input=16, dim_model=8, "
            "hybrid_decoder=dict(type='SequenceAttentionDecoder'), "
            "position_decoder=dict(type='PositionAttentionDecoder'))"
        ),
    ),
    "sar": (
        "SARNet",
        _RESNET31,
        "dict(type='SAREncoder', d_model=16, d_enc=12)",
        "dict(type='ParallelSARDecoder', d_model=16, d_enc=12, d_k=8, pred_concat=True)",
    ),
}
"""Model, backbone, encoder and decoder of the recognisers that decode step by step."""

_SVTR = """
model = dict(
    type='SVTR',
    preprocessor=dict(type='STN', in_channels=3, output_image_size=(32, 64)),
    encoder=dict(type='SVTREncoder', img_size=[32, 64], embed_dims=[8, 16, 24], depth=[1, 2, 1], num_heads=[1, 2, 3],
                 mixer_types=['Local', 'Local', 'Global', 'Global'], merging_types='Conv', prenorm=False,
                 out_channels=16, max_seq_len=16),
    decoder=dict(type='SVTRDecoder', in_channels=16, module_loss=dict(type='CTCModuleLoss'),
                 postprocessor=dict(type='CTCPostProcessor'),
                 dictionary=dict(type='Dictionary', dict_file={letters!r}, with_padding=True, with_unknown=True)),
    data_preprocessor=dict(type='TextRecogDataPreprocessor', mean=[127.5], std=[127.5]))
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 32)),
    dict(type='LoadOCRAnnotations', with_text=True),
    dict(type='PackTextRecogInputs', meta_keys=('img_path', 'valid_ratio'))]
"""

_WORDS = """
parser = dict(type='LineStrParser', keys=['filename', 'text'], keys_idx=[0, 1], separator=' ')
data = dict(test=dict(
    type='UniformConcatDataset',
    datasets=[dict(type='OCRDataset', ann_file='words/label.txt', img_prefix='words', test_mode=True, pipeline=None,
                   loader=dict(type='AnnFileLoader', repeat=1, file_format='txt', parser=parser))],
    pipeline=pipeline))
evaluation = dict(interval=1, metric='acc')
"""
"""The data of recognisers of MMOCR 0.x."""

_ABINET = """
classes = dict(num_chars=37, max_seq_len=6)
model = dict(
    type='ABINet',
    backbone=dict(type='ResNetABI', stem_channels=4, base_channels=2, arch_settings=[1, 1, 1, 1, 1]),
    encoder=dict(
        type='ABIVisionModel',
        encoder=dict(type='TransformerEncoder', n_layers=1, n_head=2, d_model=32, d_inner=24, max_len=128),
        decoder=dict(type='ABIVisionDecoder', in_channels=32, num_channels=8, attn_height=8, attn_width=16,
                     use_result='feature', **classes)),
    decoder=dict(type='ABILanguageDecoder', d_model=32, n_head=2, d_inner=24, n_layers=1, pad_idx=36, **classes),
    fuser=dict(type='ABIFuser', d_model=32, **classes),
    loss=dict(type='ABILoss', num_classes=37),
    label_convertor=dict(type='ABIConvertor', dict_type='DICT36', with_unknown=False, lower=True, max_seq_len=6),
    max_seq_len=6, iter_size=2)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeOCR', height=32, min_width=64, max_width=64, keep_aspect_ratio=False),
    dict(type='ToTensorOCR'),
    dict(type='NormalizeOCR', mean=[0.5, 0.5, 0.5], std=[0.2, 0.2, 0.2]),
    dict(type='Collect', keys=['img'], meta_keys=['filename', 'resize_shape', 'valid_ratio'])]
"""

_ASTER = """
model = dict(
    type='ASTER',
    preprocessor=dict(type='STN', in_channels=3, resized_image_size=(32, 64), output_image_size=(32, 48),
                      num_control_points=20),
    backbone=dict(type='ResNet', in_channels=3, stem_channels=[4],
                  block_cfgs=dict(type='BasicBlock', use_conv1x1='True'), arch_layers=[1, 1, 1, 1, 1],
                  arch_channels=[4, 4, 8, 8, 16],
                  strides=[(2, 2), (2, 2), (2, 1), (2, 1), (2, 1)]),
    encoder=dict(type='ASTEREncoder', in_channels=16),
    decoder=dict(type='ASTERDecoder', max_seq_len=8, in_channels=16, emb_dims=12, attn_dims=12, hidden_size=12,
                 postprocessor=dict(type='AttentionPostprocessor'), module_loss=dict(type='CEModuleLoss'),
                 dictionary=dict(type='Dictionary', dict_file={letters!r}, with_padding=True, with_unknown=True,
                                 same_start_end=True, with_start=True, with_end=True)),
    data_preprocessor=dict(type='TextRecogDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]))
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 32)),
    dict(type='LoadOCRAnnotations', with_text=True),
    dict(type='PackTextRecogInputs', meta_keys=('img_path', 'valid_ratio'))]
"""

_RECOGNITION_1 = """
test_dataloader = dict(batch_size=1, dataset=dict(
    type='OCRDataset', data_root='words', ann_file='labels.json', data_prefix=dict(img_path='imgs'), test_mode=True,
    pipeline=pipeline))
"""
"""What recognisers of MMOCR 1.x share."""

LETTERS = Path(__file__).with_name("letters.txt")
"""A dictionary: lower-case letters, one a line."""

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
    "fcenet": (
        "FCENet",
        "BN",
        (
            "dict(type='mmdet.FPN', in_channels=[16, 32, 64], out_channels=16, num_outs=3, "
            "add_extra_convs='on_output', relu_before_extra_convs=True, act_cfg=None)"
        ),
        (
            "dict(type='FCEHead', in_channels=16, scales=(8, 16, 32), fourier_degree=5, "
            "loss=dict(type='FCELoss', num_sample=50), postprocessor=dict(type='FCEPostprocessor', "
            "text_repr_type='quad', num_reconstr_points=50, alpha=1.2, beta=1.0, score_thr=0.3))"
        ),
    ),
    "textsnake": (
        "TextSnake",
        "BN",
        "dict(type='FPN_UNet', in_channels=[8, 16, 32, 64], out_channels=8)",
        (
            "dict(type='TextSnakeHead', in_channels=8, loss=dict(type='TextSnakeLoss'), "
            "postprocessor=dict(type='TextSnakePostprocessor', text_repr_type='poly'))"
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
    match architecture:
        case "crnn":
            return _RECOGNITION + _WORDS
        case "abinet":
            return _ABINET + _WORDS
        case "svtr":
            return _SVTR.format(letters=str(LETTERS)) + _RECOGNITION_1
        case "aster":
            return _ASTER.format(letters=str(LETTERS)) + _RECOGNITION_1
    if architecture in _ATTENTION_PARTS:
        name, backbone, encoder, decoder = _ATTENTION_PARTS[architecture]
        return _ATTENTION.format(name=name, backbone=backbone, encoder=encoder, decoder=decoder)
    name, norm, neck, head = _PARTS[architecture]
    indices = (1, 2, 3) if architecture == "fcenet" else (0, 1, 2, 3)
    return _DETECTION.format(
        long_edge=scale[0], short_edge=scale[1], name=name, norm=norm, indices=indices, neck=neck, head=head
    )


def write_model(folder: Path, architecture: str) -> ModelFiles:
    """Write `ARCHITECTURE.py` and `ARCHITECTURE.pth` to a folder."""
    config = folder / f"{architecture}.py"
    config.write_text(config_text(architecture))
    network = build_network(load_config(config))
    tables = {name for name, _ in network.named_buffers() if "running_" not in name}
    weights = {
        # Tables, which no training changes, stay as they are.
        key: value if key in tables else torch.from_numpy(np.asarray(seeded_array(key, tuple(value.shape), SEED)))
        for key, value in network.state_dict().items()
    }
    checkpoint = folder / f"{architecture}.pth"
    version = "mmocr_version" if architecture in OF_MMOCR0 else "mmengine_version"
    torch.save({"meta": {"epoch": 1, version: "0.6.3"}, "state_dict": weights}, checkpoint)
    return ModelFiles(config, checkpoint)
