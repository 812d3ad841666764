"""Small networks that MMOCR and this project both build, and the images that both are given."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.families.crnn.settings import CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings
from ocrdeploy.families.dbnet.settings import DBHeadSettings, FPNCSettings
from ocrdeploy.families.panet.settings import FPEMFFMSettings
from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.layers.settings import DetectorSettings, MapHeadSettings, ResNetSettings
from ocrdeploy.model_spec import Upsample

AnyDetector = DetectorSettings[FPNCSettings | FPNFSettings | FPEMFFMSettings, DBHeadSettings | MapHeadSettings]
AnySettings = AnyDetector | CRNNSettings
"""Also detectors that are of no family: the neck of one and the head of another."""

SEED = 7
"""Of the weights; see `tests.support.weights`."""

DETECTION_SIZES = ((1, 64, 96), (2, 32, 32))
"""Batch, height, width. In the second the coarsest feature map is one pixel."""

FULL_SIZE_MAPS = ((1, 32, 64), (1, 32, 32))
"""The same for DBNet, whose output is as large as the images."""

RECOGNITION_SIZES = ((2, 32, 100), (1, 32, 30), (1, 32, 4))
"""Batch, height, width. The second is no multiple of 4 wide, the third is the narrowest image there is."""


@dataclass(frozen=True, slots=True)
class NetworkCase:
    """A network and the shapes of the images it is given.

    With `upsample="bilinear"` the networks differ from MMOCR's code as MMOCR's deployment table has it: every resizing
    to the nearest pixel is bilinear.
    """

    settings: AnySettings
    shapes: tuple[tuple[int, int, int, int], ...]
    upsample: Upsample = "nearest"


def images(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the images of a case, drawn from a generator that is seeded with its name and shape."""
    rng = np.random.RandomState(zlib.crc32(f"{name}:{shape}".encode()))
    return rng.normal(0, 1, shape).astype(np.float32)


def network_cases() -> Mapping[str, NetworkCase]:
    """Return all cases by name."""
    settings: dict[str, AnySettings] = {
        **_backbones(),
        **_fpnc(),
        **_fpnf(),
        **_fpem_ffm(),
        **_dbnets(),
        **_crnns(),
    }
    cases = {name: NetworkCase(each, _shapes(each)) for name, each in settings.items()}
    for name in ("resnet18", "fpnf_concat", "fpem_ffm_twice"):
        cases[f"{name}_bilinear"] = replace(cases[name], upsample="bilinear")
    return cases


def official_networks() -> Mapping[str, AnySettings]:
    """Return the networks of MMOCR's deployment table, by the names of their configs."""
    levels = (64, 128, 256, 512)
    resnet18 = ResNetSettings(18, style="caffe")
    psenet = DetectorSettings(ResNetSettings(50, style="caffe"), FPNFSettings(), MapHeadSettings((256,), 7))
    panet = DetectorSettings(resnet18, FPEMFFMSettings(levels), MapHeadSettings((128,) * 4, 6))
    return {
        "dbnet_r18_fpnc_1200e_icdar2015": DetectorSettings(resnet18, FPNCSettings(levels), DBHeadSettings(256)),
        "psenet_r50_fpnf_600e_ctw1500": psenet,
        "psenet_r50_fpnf_600e_icdar2015": psenet,
        "panet_r18_fpem_ffm_600e_ctw1500": panet,
        "panet_r18_fpem_ffm_600e_icdar2015": panet,
        "crnn_academic_dataset": CRNNSettings(
            VeryDeepVggSettings(leaky_relu=False, input_channels=1), CRNNDecoderSettings(512, 37, rnn_flag=True)
        ),
    }


def _shapes(settings: AnySettings) -> tuple[tuple[int, int, int, int], ...]:
    """Return the shapes of the images that a network is given."""
    sizes: tuple[tuple[int, int, int], ...]
    match settings:
        case DetectorSettings(head=DBHeadSettings()):
            sizes, channels = FULL_SIZE_MAPS, settings.backbone.in_channels
        case DetectorSettings():
            sizes, channels = DETECTION_SIZES, settings.backbone.in_channels
        case CRNNSettings():
            sizes, channels = RECOGNITION_SIZES, settings.backbone.input_channels
    return tuple((batch, channels, height, width) for batch, height, width in sizes)


def _backbones() -> dict[str, AnyDetector]:
    """Return a detector for each kind of ResNet."""
    backbones = {
        "resnet18": ResNetSettings(18, base_channels=8),
        "resnet18_caffe": ResNetSettings(18, base_channels=8, style="caffe"),
        "resnet18_deep_stem": ResNetSettings(18, base_channels=8, deep_stem=True),
        "resnet18_avg_down": ResNetSettings(18, base_channels=8, avg_down=True),
        "resnet18_wide_stem": ResNetSettings(18, base_channels=8, stem_channels=12, avg_down=True),
        "resnet34_grey": ResNetSettings(34, base_channels=8, in_channels=1),
        "resnet34_caffe": ResNetSettings(34, base_channels=8, style="caffe"),
        "resnet50": ResNetSettings(50, base_channels=4),
        "resnet50_caffe": ResNetSettings(50, base_channels=4, style="caffe"),
        "resnet50_v1d": ResNetSettings(50, base_channels=4, stem_channels=10, deep_stem=True, avg_down=True),
        "resnet101": ResNetSettings(101, base_channels=4),
        "resnet101_caffe": ResNetSettings(101, base_channels=4, style="caffe"),
    }
    return {
        name: DetectorSettings(backbone, FPNCSettings(backbone.out_channels, 8, 4), MapHeadSettings((16,), 3))
        for name, backbone in backbones.items()
    }


def _fpnc() -> dict[str, AnyDetector]:
    """Return a detector for each option of FPNC."""
    backbone = ResNetSettings(18, base_channels=8)
    levels = backbone.out_channels
    necks = {
        "fpnc_bias_on_lateral": FPNCSettings(levels, 8, 4, bias_on_lateral=True),
        "fpnc_bn_re_on_lateral": FPNCSettings(levels, 8, 4, bn_re_on_lateral=True),
        "fpnc_bias_on_smooth": FPNCSettings(levels, 8, 4, bias_on_smooth=True),
        "fpnc_bn_re_on_smooth": FPNCSettings(levels, 8, 4, bn_re_on_smooth=True),
        "fpnc_conv_after_concat": FPNCSettings(levels, 8, 4, conv_after_concat=True),
    }
    return {name: DetectorSettings(backbone, neck, MapHeadSettings((16,), 3)) for name, neck in necks.items()}


def _fpnf() -> dict[str, AnyDetector]:
    """Return a detector for each fusion of FPNF; MMOCR's runs with 256 channels only."""
    backbone = ResNetSettings(50, base_channels=4, style="caffe")
    return {
        "fpnf_concat": DetectorSettings(
            backbone, FPNFSettings(backbone.out_channels, fusion_type="concat"), MapHeadSettings((256,), 7)
        ),
        "fpnf_add": DetectorSettings(
            backbone, FPNFSettings(backbone.out_channels, fusion_type="add"), MapHeadSettings((256,), 7)
        ),
    }


def _fpem_ffm() -> dict[str, AnyDetector]:
    """Return a detector for each option of FPEM_FFM."""
    backbone = ResNetSettings(18, base_channels=8, style="caffe")
    levels = backbone.out_channels
    necks = {
        "fpem_ffm_once": FPEMFFMSettings(levels, 8, fpem_repeat=1),
        "fpem_ffm_twice": FPEMFFMSettings(levels, 8),
        "fpem_ffm_thrice": FPEMFFMSettings(levels, 8, fpem_repeat=3),
        "fpem_ffm_align_corners": FPEMFFMSettings(levels, 8, align_corners=True),
    }
    return {name: DetectorSettings(backbone, neck, MapHeadSettings((8,) * 4, 6)) for name, neck in necks.items()}


def _dbnets() -> dict[str, AnyDetector]:
    """Return detectors with DBNet's head."""
    backbone = ResNetSettings(18, base_channels=8, style="caffe")
    neck = FPNCSettings(backbone.out_channels, 16, 4)
    every_option = FPNCSettings(
        backbone.out_channels,
        16,
        4,
        bias_on_lateral=True,
        bn_re_on_lateral=True,
        bias_on_smooth=True,
        bn_re_on_smooth=True,
        conv_after_concat=True,
    )
    return {
        "dbnet": DetectorSettings(backbone, neck, DBHeadSettings(16)),
        "dbnet_every_option": DetectorSettings(backbone, every_option, DBHeadSettings(16, with_bias=True)),
    }


def _crnns() -> dict[str, CRNNSettings]:
    """Return recognisers; MMOCR's layers have but one width."""
    return {
        "crnn": CRNNSettings(
            VeryDeepVggSettings(leaky_relu=False, input_channels=1), CRNNDecoderSettings(512, 37, rnn_flag=True)
        ),
        "crnn_convolution": CRNNSettings(
            VeryDeepVggSettings(leaky_relu=True, input_channels=3), CRNNDecoderSettings(512, 37, rnn_flag=False)
        ),
    }
