from typing import Any

import pytest

from ocrdeploy.errors import ConfigError
from tests.support.configs import CRNN, DBNET, PANET, PSENET, REMOVED, changed, read_architecture


def refusal(model: dict[str, Any], changes: dict[str, Any]) -> str:
    """Return the message of the error, which is one line."""
    with pytest.raises(ConfigError) as caught:
        read_architecture(changed(model, changes))
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "path", ["", "backbone.", "backbone.norm_cfg.", "neck.", "bbox_head.", "bbox_head.postprocessor."]
)
@pytest.mark.parametrize("model", [DBNET, PANET, PSENET])
def test_unknown_keys_of_detectors_are_refused_by_name(model: dict[str, Any], path: str) -> None:
    base = changed(
        model,
        {
            "backbone.norm_cfg": {"type": "BN"},
            "bbox_head.postprocessor": {"type": model["bbox_head"]["type"].replace("Head", "Postprocessor")},
        },
    )
    assert refusal(base, {f"{path}novelty": 1}) == (
        f"model.{path}novelty of the config: not known, so it cannot be honoured"
    )


@pytest.mark.parametrize("path", ["", "backbone.", "decoder.", "label_convertor."])
def test_unknown_keys_of_recognizers_are_refused_by_name(path: str) -> None:
    assert refusal(CRNN, {f"{path}novelty": 1}) == (
        f"model.{path}novelty of the config: not known, so it cannot be honoured"
    )


SUPPORTED = "the architecture is not supported; supported are DBNet, PSENet, PANet, FCENet, TextSnake, CRNNNet"


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (DBNET, {"type": "DRRG"}, f"model.type = 'DRRG': {SUPPORTED}"),
        (DBNET, {"type": REMOVED}, "model of the config lacks the key 'type'"),
        (DBNET, {"type": None}, "model.type of the config: Expected `str`, got `null`"),
        (DBNET, {"backbone": REMOVED}, "model of the config lacks the key 'backbone'"),
        (DBNET, {"neck": None}, "model.neck of the config must be a dict, got NoneType"),
        (DBNET, {"bbox_head": REMOVED, "det_head": {}}, "model of the config lacks the key 'bbox_head'"),
        (
            DBNET,
            {"backbone.type": "mmcv.ResNet"},
            (
                "model.backbone.type = 'mmcv.ResNet': the backbone is not supported; supported are ResNet, ResNetV1d, "
                "CLIPResNet"
            ),
        ),
        (DBNET, {"backbone.depth": 152}, "model.backbone of the config: ResNet has depth 18, 34, 50 or 101, not 152"),
        (DBNET, {"backbone.depth": REMOVED}, "model.backbone of the config: Object missing required field `depth`"),
        (DBNET, {"backbone.depth": "18"}, "model.backbone.depth of the config: Expected `int`, got `str`"),
        (DBNET, {"backbone.style": "tf"}, "model.backbone.style of the config: Invalid enum value 'tf'"),
        (
            DBNET,
            {"backbone.num_stages": 3},
            "model.backbone.num_stages = 3 cannot be honoured: only 4 is supported",
        ),
        (
            DBNET,
            {"backbone.strides": (1, 2, 2, 1)},
            "model.backbone.strides = (1, 2, 2, 1) cannot be honoured: only (1, 2, 2, 2) is supported",
        ),
        (
            DBNET,
            {"backbone.dilations": [1, 1, 2, 4]},
            "model.backbone.dilations = [1, 1, 2, 4] cannot be honoured: only (1, 1, 1, 1) is supported",
        ),
        (
            DBNET,
            {"backbone.out_indices": (1, 2, 3)},
            (
                "model of the config: the backbone gives feature maps of (16, 32, 64) channels, but the in_channels "
                "of the neck are (8, 16, 32, 64)"
            ),
        ),
        (
            DBNET,
            {"backbone.out_indices": (0, 2, 1)},
            "model.backbone of the config: the out_indices of ResNet are of its stages 0 to 3, in order, not (0, 2, 1)",
        ),
        (
            DBNET,
            {"backbone.dcn": {"type": "DCN"}},
            "model.backbone.dcn.type = 'DCN' cannot be honoured: only 'DCNv2' is supported",
        ),
        (
            DBNET,
            {"backbone.dcn": {"type": "DCNv2"}, "backbone.stage_with_dcn": (False, True, True, True)},
            "model.backbone of the config: a ResNet of depth 18 has no deformable convolutions: it has no bottlenecks",
        ),
        (
            DBNET,
            {"backbone.dcn": {"type": "DCNv2", "deform_groups": 3}, "backbone.depth": 50}
            | {"backbone.stage_with_dcn": (False, False, False, True)},
            "model.backbone of the config: 3 groups do not divide the 64 channels of a stage",
        ),
        (
            DBNET,
            {"backbone.dcn": {"type": "DCNv2", "deform_groups": 0}},
            "model.backbone.dcn: deformable convolutions have at least one group, not 0",
        ),
        (
            DBNET,
            {"backbone.dcn": {"type": "DCNv2", "groups": 2}},
            "model.backbone.dcn.groups of the config: not known, so it cannot be honoured",
        ),
        (
            DBNET,
            {"backbone.stage_with_dcn": (False, True)},
            "model.backbone.stage_with_dcn of the config: Expected `array` of length 4, got 2",
        ),
        (
            DBNET,
            {"backbone.type": "CLIPResNet"},
            "model.backbone of the config: CLIPResNet has depth 50, not 18",
        ),
        (
            DBNET,
            {"backbone.plugins": [{"cfg": {}}]},
            "model.backbone.plugins = [{'cfg': {}}] cannot be honoured: only None is supported",
        ),
        (
            DBNET,
            {"backbone.conv_cfg": {"type": "ConvWS"}},
            "model.backbone.conv_cfg = {'type': 'ConvWS'} cannot be honoured: only None is supported",
        ),
        (
            DBNET,
            {"backbone.norm_cfg": {"type": "GN", "num_groups": 4}},
            "model.backbone.norm_cfg.type = 'GN' cannot be honoured: supported are BN, BN2d, SyncBN",
        ),
        (
            DBNET,
            {"backbone.norm_cfg": {"type": "BN", "eps": 0.001}},
            "model.backbone.norm_cfg.eps = 0.001 cannot be honoured: only 1e-05 is supported",
        ),
        (
            DBNET,
            {"backbone.type": "ResNetV1d", "backbone.deep_stem": False},
            "model.backbone.deep_stem of the config: not known, so it cannot be honoured",
        ),
        (
            DBNET,
            {"neck.type": "FPN_UNet"},
            "model.neck.type = 'FPN_UNet' cannot be honoured: only 'FPNC' is supported",
        ),
        (
            DBNET,
            {"neck.asf_cfg": {"attention_type": "ScaleSpatial"}},
            (
                "model.neck.asf_cfg.attention_type = 'ScaleSpatial' cannot be honoured: only 'ScaleChannelSpatial' is "
                "supported"
            ),
        ),
        (DBNET, {"neck.asf_cfg": {}}, "model.neck.asf_cfg of the config lacks the key 'attention_type'"),
        (
            DBNET,
            {"neck.asf_cfg": {"attention_type": "ScaleChannelSpatial", "inter_channels": 8}},
            "model.neck.asf_cfg.inter_channels of the config: not known, so it cannot be honoured",
        ),
        (PSENET, {"neck.fusion_type": "max"}, "model.neck.fusion_type of the config: Invalid enum value 'max'"),
        (
            PANET,
            {"neck.fpem_repeat": 0},
            "model.neck of the config: FPEM_FFM needs at least one FPEM, but fpem_repeat is 0",
        ),
        (
            DBNET,
            {"neck.in_channels": [8, 16, 32, 32]},
            (
                "model of the config: the backbone gives feature maps of (8, 16, 32, 64) channels, "
                "but the in_channels of the neck are (8, 16, 32, 32)"
            ),
        ),
        (
            DBNET,
            {"bbox_head.in_channels": 64},
            (
                "model of the config: the neck gives 1 feature map(s) of 32 channels, "
                "but the in_channels of the head are 64"
            ),
        ),
        (
            DBNET,
            {"bbox_head.type": "DRRGHead"},
            (
                "model.bbox_head.type = 'DRRGHead': the head is not supported; supported are DBHead, PANHead, PSEHead, "
                "FCEHead, TextSnakeHead"
            ),
        ),
        (
            DBNET,
            {"bbox_head.type": "PANHead"},
            "model.bbox_head.type = 'PANHead' cannot be honoured: only 'DBHead' is supported",
        ),
        (
            DBNET,
            {"bbox_head.postprocessor": {"type": "PSEPostprocessor"}},
            (
                "model.bbox_head.postprocessor.type = 'PSEPostprocessor' cannot be honoured: "
                "this head takes DBPostprocessor"
            ),
        ),
        (
            DBNET,
            {"bbox_head.postprocessor": {"text_repr_type": "quad"}},
            "model.bbox_head.postprocessor of the config lacks the key 'type'",
        ),
        (
            DBNET,
            {"bbox_head.text_repr_type": "circle"},
            "model.bbox_head.text_repr_type of the config: Invalid enum value 'circle'",
        ),
        (
            DBNET,
            {"bbox_head.postprocessor": {"type": "DBPostprocessor", "text_repr_type": "circle"}},
            "model.bbox_head.postprocessor.text_repr_type of the config: Invalid enum value 'circle'",
        ),
        (
            DBNET,
            {"bbox_head.postprocessor": {"type": "DBPostprocessor", "unclip_ratio": "1.5"}},
            "model.bbox_head.postprocessor.unclip_ratio of the config: Expected `float`, got `str`",
        ),
        (
            PANET,
            {"bbox_head.downsample_ratio": 0},
            "model.bbox_head.downsample_ratio must be positive, got 0.0",
        ),
        (PANET, {"bbox_head.out_channels": REMOVED}, "model.bbox_head of the config: Object missing required field"),
        (
            CRNN,
            {"preprocessor": {"type": "Sharpen"}},
            "model.preprocessor.type = 'Sharpen' cannot be honoured: only 'TPSPreprocessor' is supported",
        ),
        (
            CRNN,
            {"encoder": {"type": "SAREncoder"}},
            "model.encoder = {'type': 'SAREncoder'} cannot be honoured: only None is supported",
        ),
        (
            CRNN,
            {"backbone.type": "ResNet31OCR"},
            "model.backbone.type = 'ResNet31OCR' cannot be honoured: only 'VeryDeepVgg' is supported",
        ),
        (
            CRNN,
            {"decoder.type": "NRTRDecoder"},
            "model.decoder.type = 'NRTRDecoder' cannot be honoured: only 'CRNNDecoder' is supported",
        ),
        (
            CRNN,
            {"decoder.in_channels": 256},
            "model of the config: the backbone gives 512 channels, but the in_channels of the decoder are 256",
        ),
        (CRNN, {"label_convertor": REMOVED}, "model of the config lacks the key 'label_convertor'"),
    ],
)
def test_what_cannot_be_honoured_is_named(model: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    assert refusal(model, changes).startswith(message)
