from dataclasses import replace
from typing import Any

import pytest

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, PANPostprocessor, PSEPostprocessor
from ocrdeploy.families.crnn.settings import CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings
from ocrdeploy.families.dbnet.settings import DBHeadSettings, FPNCSettings
from ocrdeploy.families.panet.settings import FPEMFFMSettings
from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.layers.settings import DeformableSettings, DetectorSettings, MapHeadSettings, ResNetSettings
from tests.support.configs import CRNN, DBNET, PANET, PSENET, REMOVED, Architecture, changed, read_architecture


def read(model: dict[str, Any], changes: dict[str, Any] | None = None) -> Architecture:
    return read_architecture(changed(model, changes or {}))


def backbone(changes: dict[str, Any]) -> ResNetSettings:
    network = read(DBNET, {f"backbone.{key}": value for key, value in changes.items()}).network
    assert isinstance(network, DetectorSettings)
    return network.backbone


def test_defaults_of_dbnet_are_mmocrs() -> None:
    assert read(DBNET) == Architecture(
        "DBNet",
        "det",
        DetectorSettings(
            ResNetSettings(18, in_channels=3, stem_channels=None, base_channels=8, style="pytorch"),
            FPNCSettings((8, 16, 32, 64), lateral_channels=16, out_channels=8),
            DBHeadSettings(32, with_bias=False),
        ),
        DBPostprocessor(
            text_repr_type="quad",
            mask_thr=0.3,
            min_text_score=0.3,
            min_text_width=5,
            unclip_ratio=1.5,
            epsilon_ratio=0.01,
            max_candidates=3000,
            downsample_ratio=1.0,
        ),
    )


def test_defaults_of_psenet_are_mmocrs() -> None:
    architecture = read(PSENET)
    assert isinstance(architecture.network, DetectorSettings)
    assert architecture.network.neck == FPNFSettings((8, 16, 32, 64), out_channels=16, fusion_type="concat")
    assert architecture.network.head == MapHeadSettings((16,), out_channels=7)
    assert architecture.decoder == PSEPostprocessor(
        text_repr_type="poly",
        min_kernel_confidence=0.5,
        min_text_avg_confidence=0.85,
        min_kernel_area=0,
        min_text_area=16,
        downsample_ratio=0.25,
    )


def test_defaults_of_panet_are_mmocrs() -> None:
    architecture = read(PANET)
    assert isinstance(architecture.network, DetectorSettings)
    assert architecture.network.neck == FPEMFFMSettings((8, 16, 32, 64), 8, fpem_repeat=2, align_corners=False)
    assert architecture.network.head == MapHeadSettings((8, 8, 8, 8), out_channels=6)
    assert architecture.decoder == PANPostprocessor(
        text_repr_type="poly",
        min_text_confidence=0.5,
        min_kernel_confidence=0.5,
        min_text_avg_confidence=0.85,
        min_text_area=16,
        downsample_ratio=0.25,
    )


def test_defaults_of_crnn_are_mmocrs() -> None:
    architecture = read(CRNN)
    assert (architecture.name, architecture.task) == ("CRNNNet", "recog")
    assert architecture.network == CRNNSettings(
        VeryDeepVggSettings(leaky_relu=True, input_channels=1), CRNNDecoderSettings(512, 92, rnn_flag=False)
    )
    assert isinstance(architecture.decoder, CTCConvertor)
    assert (len(architecture.decoder.dictionary), architecture.decoder.unknown_index) == (92, 91)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"depth": 34}, ResNetSettings(34, base_channels=8)),
        (
            {"style": "caffe", "deep_stem": True, "avg_down": True, "stem_channels": 4},
            ResNetSettings(18, base_channels=8, style="caffe", deep_stem=True, avg_down=True, stem_channels=4),
        ),
        ({"type": "ResNet", "in_channels": 1}, ResNetSettings(18, base_channels=8, in_channels=1)),
        ({"type": "mmdet.ResNetV1d"}, ResNetSettings(18, base_channels=8, deep_stem=True, avg_down=True)),
        (
            {
                "num_stages": 4,
                "strides": [1, 2, 2, 2],
                "dilations": (1, 1, 1, 1),
                "out_indices": (0, 1, 2, 3),
                "norm_cfg": {"type": "SyncBN", "requires_grad": True, "momentum": 0.2, "eps": 1e-5},
                "conv_cfg": None,
                "dcn": None,
                "plugins": None,
                "norm_eval": True,
                "frozen_stages": 1,
                "with_cp": True,
                "zero_init_residual": False,
                "init_cfg": {"type": "Pretrained"},
            },
            ResNetSettings(18, base_channels=8),
        ),
        ({"stage_with_dcn": (False, True, True, True)}, ResNetSettings(18, base_channels=8)),
    ],
)
def test_backbones(changes: dict[str, Any], expected: ResNetSettings) -> None:
    assert backbone(changes) == expected


def deep_backbone(changes: dict[str, Any]) -> ResNetSettings:
    """Return a backbone whose depth is not that of the small DBNet."""
    given = {f"backbone.{key}": value for key, value in changes.items()}
    network = read(DBNET, given | {"neck.in_channels": [32, 64, 128, 256]}).network
    assert isinstance(network, DetectorSettings)
    return network.backbone


@pytest.mark.parametrize(
    ("dcn", "expected"),
    [
        ({"type": "DCNv2"}, DeformableSettings((False, True, True, True))),
        (
            {"type": "DCNv2", "deform_groups": 2, "fallback_on_stride": True},
            DeformableSettings((False, True, True, True), 2, fallback_on_stride=True),
        ),
        ({"type": "DCNv2", "deformable_groups": 4}, DeformableSettings((False, True, True, True), 4)),
        (None, None),
    ],
)
def test_deformable_convolutions(dcn: dict[str, Any] | None, expected: DeformableSettings | None) -> None:
    found = deep_backbone({"depth": 50, "dcn": dcn, "stage_with_dcn": [False, True, True, True]})
    assert found == ResNetSettings(50, base_channels=8, deformable=expected)


def test_where_no_stage_is_named_none_is_deformable() -> None:
    found = deep_backbone({"depth": 50, "dcn": {"type": "DCNv2"}}).deformable
    assert found is not None
    assert not any(found.is_deformable(stage, block) for stage in range(4) for block in range(6))


def test_oclips_backbone_has_its_depth_and_stem_by_default() -> None:
    plain = ResNetSettings(50, base_channels=8, style="caffe", deep_stem=True, avg_down=True, averages=True)
    removed = {"type": "CLIPResNet", "depth": REMOVED, "style": "caffe"}
    assert deep_backbone(removed) == plain
    assert deep_backbone(removed | {"deep_stem": False, "avg_down": False}) == replace(
        plain, deep_stem=False, avg_down=False
    )


def test_deeper_backbones_have_wider_feature_maps() -> None:
    changes = {"backbone.depth": 50, "neck.in_channels": [32, 64, 128, 256]}
    network = read(DBNET, changes).network
    assert isinstance(network, DetectorSettings)
    assert network.backbone.out_channels == (32, 64, 128, 256)


def test_necks() -> None:
    options = ("bias_on_lateral", "bn_re_on_lateral", "bias_on_smooth", "bn_re_on_smooth", "conv_after_concat")
    network = read(DBNET, {f"neck.{key}": True for key in options} | {"neck.asf_cfg": None}).network
    assert isinstance(network, DetectorSettings)
    assert network.neck == FPNCSettings((8, 16, 32, 64), 16, 8, *[True] * 5)
    fused = read(DBNET, {"neck.asf_cfg": {"attention_type": "ScaleChannelSpatial"}}).network
    assert isinstance(fused, DetectorSettings)
    assert fused.neck == FPNCSettings((8, 16, 32, 64), 16, 8, fuses_scales=True)
    network = read(PSENET, {"neck.fusion_type": "add", "neck.init_cfg": None}).network
    assert isinstance(network, DetectorSettings)
    assert network.neck == FPNFSettings((8, 16, 32, 64), 16, "add")
    network = read(PANET, {"neck.fpem_repeat": 4, "neck.align_corners": True}).network
    assert isinstance(network, DetectorSettings)
    assert network.neck == FPEMFFMSettings((8, 16, 32, 64), 8, 4, align_corners=True)


DB_THRESHOLDS = {
    "mask_thr": 0.2,
    "min_text_score": 0.4,
    "min_text_width": 3,
    "unclip_ratio": 2,
    "epsilon_ratio": 0.02,
    "max_candidates": 9,
}
PAN_THRESHOLDS = {
    "min_text_confidence": 0.6,
    "min_kernel_confidence": 0.7,
    "min_text_avg_confidence": 0.8,
    "min_text_area": 4,
}
PSE_THRESHOLDS = {
    "min_kernel_confidence": 0.7,
    "min_text_avg_confidence": 0.8,
    "min_kernel_area": 3,
    "min_text_area": 4,
}


@pytest.mark.parametrize(
    ("model", "kind", "thresholds"),
    [
        (DBNET, DBPostprocessor, DB_THRESHOLDS),
        (PANET, PANPostprocessor, PAN_THRESHOLDS),
        (PSENET, PSEPostprocessor, PSE_THRESHOLDS),
    ],
)
def test_every_threshold_is_read(model: dict[str, Any], kind: Any, thresholds: dict[str, Any]) -> None:
    given = {"type": kind.__name__, "text_repr_type": "quad", **thresholds}
    decoder = read(model, {"bbox_head.postprocessor": given, "bbox_head.downsample_ratio": 0.5}).decoder
    assert decoder == kind(text_repr_type="quad", downsample_ratio=0.5, **thresholds)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # The head's own post-processor makes quads, one that is named makes polygons unless it says so.
        ({}, "quad"),
        ({"postprocessor": {"type": "DBPostprocessor"}}, "poly"),
        ({"postprocessor": {"type": "DBPostprocessor", "text_repr_type": "quad"}}, "quad"),
        # Keys of MMOCR before 0.4 go before the post-processor's.
        ({"text_repr_type": "poly"}, "poly"),
        ({"text_repr_type": "quad", "decoding_type": "db"}, "quad"),
        ({"text_repr_type": "quad", "postprocessor": {"type": "DBPostprocessor", "text_repr_type": "poly"}}, "quad"),
        ({"text_repr_type": None, "decoding_type": None}, "quad"),
        ({"text_repr_type": None, "postprocessor": {"type": "DBPostprocessor"}}, "poly"),
    ],
)
def test_the_kind_of_boundary(changes: dict[str, Any], expected: str) -> None:
    decoder = read(DBNET, {f"bbox_head.{key}": value for key, value in changes.items()}).decoder
    assert isinstance(decoder, DBPostprocessor)
    assert decoder.text_repr_type == expected


@pytest.mark.parametrize("model", [PANET, PSENET])
def test_psenet_and_panet_make_polygons_by_default(model: dict[str, Any]) -> None:
    name = f"{model['type'][:3]}Postprocessor"
    choices: list[dict[str, Any]] = [{}, {"bbox_head.postprocessor": {"type": name}}]
    for changes in choices:
        decoder = read(model, changes).decoder
        assert isinstance(decoder, PANPostprocessor | PSEPostprocessor)
        assert decoder.text_repr_type == "poly"


@pytest.mark.parametrize("model", [DBNET, PANET, PSENET, CRNN])
def test_keys_for_training_are_skipped(model: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"train_cfg": None, "test_cfg": {}, "pretrained": "a.pth", "init_cfg": None}
    if model is not CRNN:
        changes |= {"show_score": True, "bbox_head.loss": {"type": "XLoss"}, "bbox_head.train_cfg": None}
    assert read(model, changes) == read(model)


def test_recognizers() -> None:
    changes = {
        "backbone.leaky_relu": False,
        "decoder.rnn_flag": True,
        "decoder.num_classes": 3,
        "label_convertor.dict_type": "DICT36",
        "label_convertor.with_unknown": False,
        "preprocessor": None,
        "encoder": None,
        "max_seq_len": 25,
    }
    architecture = read(CRNN, changes)
    assert architecture.network == CRNNSettings(
        VeryDeepVggSettings(leaky_relu=False, input_channels=1), CRNNDecoderSettings(512, 37, rnn_flag=True)
    )
