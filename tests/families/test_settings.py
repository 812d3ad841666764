import re
from collections.abc import Callable

import pytest

from ocrdeploy.families.crnn.settings import CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings
from ocrdeploy.families.dbnet.settings import DBHeadSettings, FPNCSettings
from ocrdeploy.families.panet.settings import FPEMFFMSettings
from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.layers.settings import DetectorSettings, FPNSettings, MapHeadSettings, ResNetSettings

RESNET18 = ResNetSettings(18)
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
    ],
)
def test_what_cannot_be_built_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
