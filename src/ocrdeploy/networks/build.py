"""From settings to a network."""

from torch import nn

from ocrdeploy.networks.crnn_decoder import CRNNDecoder
from ocrdeploy.networks.db_head import DBHead
from ocrdeploy.networks.detector import Detector
from ocrdeploy.networks.fpem_ffm import FPEMFFM
from ocrdeploy.networks.fpnc import FPNC
from ocrdeploy.networks.fpnf import FPNF
from ocrdeploy.networks.pan_head import PANHead
from ocrdeploy.networks.recognizer import Recognizer
from ocrdeploy.networks.resnet import ResNet
from ocrdeploy.networks.settings import (
    DBHeadSettings,
    DetectorSettings,
    FPEMFFMSettings,
    FPNCSettings,
    FPNFSettings,
    NetworkSettings,
    PANHeadSettings,
    PSEHeadSettings,
    RecognizerSettings,
    Upsample,
)
from ocrdeploy.networks.very_deep_vgg import VeryDeepVgg


def build_network(
    settings: NetworkSettings,
    *,
    upsample: Upsample = "nearest",
    all_outputs: bool = False,
    decode_in_graph: bool = False,
) -> Detector | Recognizer:
    """Return a network with random weights, in evaluation mode; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The architecture.
        upsample: How the necks enlarge feature maps where MMOCR takes the nearest pixel: so (`nearest`), or `bilinear`.
        all_outputs: Whether DBNet gives its threshold and binary map too. Other networks have nothing to leave out.
        decode_in_graph: Whether a recogniser gives the best class of each step and its probability, not logits.
    """
    match settings:
        case DetectorSettings():
            backbone = ResNet(settings.backbone)
            head = _head(settings.head, all_outputs=all_outputs)
            return Detector(backbone, _neck(settings.neck, upsample), head, settings.backbone.in_channels).eval()
        case RecognizerSettings():
            vgg = VeryDeepVgg(settings.backbone)
            decoder, channels = CRNNDecoder(settings.decoder), settings.backbone.input_channels
            return Recognizer(vgg, decoder, channels, decode_in_graph=decode_in_graph).eval()


def _neck(settings: FPNCSettings | FPNFSettings | FPEMFFMSettings, upsample: Upsample) -> nn.Module:
    """Return the neck of a detector."""
    match settings:
        case FPNCSettings():
            return FPNC(settings, upsample)
        case FPNFSettings():
            return FPNF(settings, upsample)
        case FPEMFFMSettings():
            return FPEMFFM(settings, upsample)


def _head(settings: DBHeadSettings | PANHeadSettings | PSEHeadSettings, *, all_outputs: bool) -> nn.Module:
    """Return the head of a detector."""
    match settings:
        case DBHeadSettings():
            return DBHead(settings, all_outputs=all_outputs)
        case PANHeadSettings() | PSEHeadSettings():
            return PANHead(settings)
