import re
from collections.abc import Callable

import pytest

from ocrdeploy.families.crnn.settings import CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings
from ocrdeploy.families.dbnet.settings import DBHeadSettings, FPNCSettings
from ocrdeploy.families.panet.settings import FPEMFFMSettings
from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.families.sar.settings import SARDecoderSettings, SAREncoderSettings, SARSettings
from ocrdeploy.families.svtr.settings import SVTRDecoderSettings, SVTREncoderSettings, SVTRSettings
from ocrdeploy.layers.recogniser_settings import ClassSettings, ResNet31Settings
from ocrdeploy.layers.settings import (
    DetectorSettings,
    FPNSettings,
    MapHeadSettings,
    ResNetSettings,
    STNSettings,
    TPSSettings,
)

RESNET18 = ResNetSettings(18)
SAR_CLASSES = ClassSettings(38, 36, 36, 37, 30, scores_padding=True)
LEVELS = RESNET18.out_channels


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNetSettings(152), "depth 18, 34, 50 or 101, not 152"),
        (lambda: ResNetSettings(18, style="keras"), "'pytorch' or 'caffe', not 'keras'"),  # type: ignore[arg-type]
        (lambda: ResNetSettings(18, base_channels=0), "at least one channel"),
        (lambda: ResNetSettings(18, out_indices=()), "the out_indices of ResNet are of its stages 0 to 3"),
        (lambda: ResNetSettings(18, out_indices=(1, 4)), "the out_indices of ResNet are of its stages 0 to 3"),
        (lambda: FPNSettings((8, 16), 8, 3), "a feature map for each of the 2 that it gets, not 3"),
        (lambda: FPNCSettings((8,), 8, 3, fuses_scales=True), "attention of FPNC needs at least 4 channels, not 3"),
        (lambda: FPNFSettings(fusion_type="mean"), "'concat' or 'add', not 'mean'"),  # type: ignore[arg-type]
        (lambda: FPEMFFMSettings((64, 128, 256)), "in_channels has 3"),
        (lambda: FPEMFFMSettings(LEVELS, fpem_repeat=0), "fpem_repeat is 0"),
        (lambda: DBHeadSettings(3), "at least 4 input channels, not 3"),
        (
            lambda: DetectorSettings(ResNetSettings(50), FPNCSettings(LEVELS), DBHeadSettings(256)),
            "of (256, 512, 1024, 2048) channels, but the in_channels of the neck are (64, 128, 256, 512)",
        ),
        (
            lambda: DetectorSettings(RESNET18, FPNCSettings(LEVELS), DBHeadSettings(64)),
            "1 feature map(s) of 256 channels, but the in_channels of the head are 64",
        ),
        (
            lambda: DetectorSettings(RESNET18, FPEMFFMSettings(LEVELS), DBHeadSettings(512)),
            "4 feature map(s) of 128 channels, but the in_channels of the head are 512",
        ),
        (
            lambda: DetectorSettings(RESNET18, FPEMFFMSettings(LEVELS), MapHeadSettings((128,), 6)),
            "4 feature map(s) of 128 channels, but the in_channels of the head are (128,)",
        ),
        (
            lambda: DetectorSettings(RESNET18, FPNFSettings(LEVELS), MapHeadSettings((256, 256), 7)),
            "1 feature map(s) of 256 channels, but the in_channels of the head are (256, 256)",
        ),
        (
            lambda: CRNNSettings(VeryDeepVggSettings(), CRNNDecoderSettings(256, 37)),
            "gives 512 channels, but the in_channels of the decoder are 256",
        ),
        (
            lambda: CRNNSettings(
                VeryDeepVggSettings(input_channels=1), CRNNDecoderSettings(512, 37), TPSSettings(20, (30, 100))
            ),
            "makes words of 1 channel(s), 30 x 100, but the backbone takes 1, 32 pixels high and 4 or wider",
        ),
        (lambda: SAREncoderSettings(0), "the encoder has at least one channel"),
        (lambda: SARDecoderSettings(is_sequential=False, d_k=0), "the decoder has at least one channel"),
        (
            lambda: SARSettings(
                ResNet31Settings(), SAREncoderSettings(256), SARDecoderSettings(is_sequential=True), SAR_CLASSES
            ),
            "the backbone gives 512 channels, and d_model is 256 in the encoder and 512 in the decoder",
        ),
        (
            lambda: SARSettings(
                ResNet31Settings(), SAREncoderSettings(), SARDecoderSettings(is_sequential=True, d_enc=8), SAR_CLASSES
            ),
            "d_enc is 512 in the encoder and 8 in the decoder",
        ),
        (lambda: TPSSettings(5), "num_fiducial of TPSPreprocessor is even and at least 4, got 5"),
        (lambda: TPSSettings(rectified_img_size=(0, 100)), "at least one channel"),
        (lambda: STNSettings(3, (16, 64)), "32 to 63 pixels by 64 to 95, got (16, 64)"),
        (lambda: STNSettings(3, num_control_points=7), "is even and at least 4, got 7"),
        (lambda: STNSettings(3, margins=(0.5, 0)), "from 0 to below 0.5"),
        (lambda: STNSettings(0), "at least one channel"),
        (lambda: SVTREncoderSettings((30, 100)), "a multiple of 16 by one of 4, got 30 x 100"),
        (lambda: SVTREncoderSettings(max_seq_len=20), "max_seq_len divides the 25 columns"),
        (lambda: SVTREncoderSettings(num_heads=(2, 3, 8)), "divide the embed_dims"),
        (lambda: SVTREncoderSettings(depth=(3, 6, 4)), "13 blocks need as many mixer_types, got 12"),
        (lambda: SVTREncoderSettings(window_size=((7, 11), (7, 10), (7, 11))), "sides of a window are odd"),
        (lambda: SVTREncoderSettings(depth=(0, 6, 3)), "at least one channel, block and head"),
        (
            lambda: SVTRSettings(STNSettings(3), SVTREncoderSettings((48, 100)), SVTRDecoderSettings(192, 37)),
            "makes words of (32, 100) pixels, but the img_size of the encoder is (48, 100)",
        ),
        (
            lambda: SVTRSettings(STNSettings(1), SVTREncoderSettings(), SVTRDecoderSettings(192, 37)),
            "have the same in_channels",
        ),
        (
            lambda: SVTRSettings(STNSettings(3), SVTREncoderSettings(), SVTRDecoderSettings(64, 37)),
            "gives 192 channels, but the in_channels of the decoder are 64",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
