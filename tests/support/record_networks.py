"""Record what MMOCR's networks compute on the cases of `tests.support.network_cases`.

Run it in the project's folder with an interpreter that holds mmocr 0.6.3, mmcv-full 1.7 and mmdet 2.28; the project
itself need not be installed there::

    PYTHONPATH=src:. python -m tests.support.record_networks tests/data/networks/small.npz

Weights and images come from seeds, so that the file holds the outputs alone: `NAME-INDEX` is the output of case NAME
for its images of shape INDEX. Of DBNet's head all three channels are recorded.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ocrdeploy.families.crnn.settings import CRNNSettings
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import Upsample
from tests.support.network_cases import SEED, AnySettings, images, network_cases
from tests.support.weights import seeded_arrays

MODULE_NAMES = {
    "ResNetSettings": "mmdet.ResNet",
    "FPNCSettings": "FPNC",
    "FPNFSettings": "FPNF",
    "FPEMFFMSettings": "FPEM_FFM",
    "DBHeadSettings": "DBHead",
    "PANHeadSettings": "PANHead",
    "PSEHeadSettings": "PSEHead",
    "VeryDeepVggSettings": "VeryDeepVgg",
    "CRNNDecoderSettings": "CRNNDecoder",
}
"""MMOCR's name of the module that each settings class describes; the names of the fields are the same."""

DETECTOR_NAMES = {"DBHead": "DBNet", "PANHead": "PANet", "PSEHead": "PSENet"}


def main() -> None:
    """Write the recording to the file that the command line names."""
    outputs: dict[str, NDArray[np.float32]] = {}
    for name, case in network_cases().items():
        network = _seeded(_build(case.settings))
        for index, shape in enumerate(case.shapes):
            with mock.patch.object(functional, "interpolate", _interpolate(case.upsample)):
                outputs[f"{name}-{index}"] = _run(network, case.settings, images(name, shape))
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    # The stub of savez_compressed takes `allow_pickle` for one of the arrays.
    np.savez_compressed(target, **outputs)  # type: ignore[arg-type]


def _interpolate(upsample: Upsample) -> Callable[..., torch.Tensor]:
    """Return PyTorch's `interpolate`, which enlarges as given where MMOCR asks for the nearest pixel."""
    original = functional.interpolate

    def interpolate(features: torch.Tensor, size: Any, mode: str = "nearest", align_corners: bool | None = None) -> Any:
        return original(features, size=size, mode=upsample if mode == "nearest" else mode, align_corners=align_corners)

    return interpolate


def _build(settings: AnySettings) -> torch.nn.Module:
    """Return MMOCR's network of these settings."""
    from mmocr.models import build_detector

    match settings:
        case DetectorSettings():
            head = _config(settings.head)
            config = {
                "type": DETECTOR_NAMES[head["type"]],
                "backbone": _config(settings.backbone),
                "neck": _config(settings.neck),
                "bbox_head": head,
            }
        case CRNNSettings():
            decoder = _config(settings.decoder)
            classes = decoder.pop("num_classes")
            config = {
                "type": "CRNNNet",
                "backbone": _config(settings.backbone),
                "decoder": decoder,
                "loss": {"type": "CTCLoss"},
                "label_convertor": {"type": "CTCConvertor", "dict_type": "DICT36", "with_unknown": classes == 38},
            }
    network: torch.nn.Module = build_detector(config)
    return network.eval()


def _config(settings: Any) -> dict[str, Any]:
    """Return the part of MMOCR's config that describes one module."""
    fields = {key: list(value) if isinstance(value, tuple) else value for key, value in _fields(settings).items()}
    return {"type": MODULE_NAMES[type(settings).__name__], **fields}


def _fields(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings object."""
    return {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}


def _seeded(network: torch.nn.Module) -> torch.nn.Module:
    """Give a network its seeded weights."""
    shapes = [(key, tuple(value.shape)) for key, value in network.state_dict().items()]
    weights = {key: torch.from_numpy(np.asarray(value)) for key, value in seeded_arrays(shapes, SEED).items()}
    network.load_state_dict(weights, strict=True)
    return network


@torch.no_grad()
def _run(network: Any, settings: AnySettings, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network's head gives before decoding."""
    features = network.extract_feat(torch.from_numpy(batch))
    match settings:
        case DetectorSettings():
            output = network.bbox_head(features)
        case CRNNSettings():
            output = network.decoder(features, None, None, None, train_mode=False)
    result: NDArray[np.float32] = output.numpy()
    return result


if __name__ == "__main__":
    main()
