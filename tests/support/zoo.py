"""MMOCR's official models as they were recorded: configs, keys of the weights, and networks with seeded weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.descriptions.networks import build_network, neutral_key
from ocrdeploy.steps import Preprocessed
from tests.support.weights import seeded_array

SEED = 7
META = {"v0": {"mmocr_version": "0.6.3"}, "v1": {"mmengine_version": "0.10.7"}}


DICTIONARY = Path("data/chineseocr/labels/dict_printed_chinese_english_digits.txt")
"""Which the config of a model for Chinese names, from the folder that a command is run in."""


def write_dictionary(folder: Path) -> None:
    """Write what the recording of the model for Chinese has in the place of its dictionary: 900 characters."""
    path = folder / DICTIONARY
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{chr(0x4E00 + index)}\n" for index in range(900)), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class OfficialModel:
    """A model of MMOCR 0.x (`v0`) or 1.x (`v1`), by the name of its config."""

    generation: Literal["v0", "v1"]
    name: str

    def __str__(self) -> str:
        """Return what a test calls it."""
        return f"{self.generation}-{self.name}"

    def config(self, root: Path) -> Path:
        """Return the official config below the folder of recordings."""
        folders = [root / "golden_zoo" / self.generation / "configs", root / "golden" / "configs"]
        return next(path for folder in folders for path in folder.rglob(f"{self.name}.py"))

    def keys(self, root: Path) -> list[tuple[str, tuple[int, ...]]]:
        """Return the keys of a checkpoint's weights, with their shapes."""
        return [(key, tuple(shape)) for key, shape in self._state_dict(root)["keys"]]

    def constants(self, root: Path) -> Mapping[str, NDArray[np.float32]]:
        """Return the weights that no training changes: tables that each network makes by formula."""
        folder = root / "golden_zoo" / self.generation
        names = json.loads((folder / "constants.json").read_text()).get(self.name, {})
        with np.load(folder / "constants.npz") as arrays:
            return {key: arrays[name] for key, name in names.items()}

    def recording(self, root: Path) -> Mapping[str, NDArray[Any]]:
        """Return inputs and outputs of the network with seeded weights; what networks take and give is float32."""
        with np.load(root / "golden_zoo" / self.generation / "networks" / f"{self.name}.npz") as arrays:
            return {
                key: value.astype(np.float32) if value.dtype.kind == "f" else value for key, value in arrays.items()
            }

    def weights(self, root: Path, config: ModelConfig) -> dict[str, Tensor]:
        """Return the seeded weights by the keys of a checkpoint; what is not seeded is as the network has it."""
        own = build_network(config).state_dict()
        constant = set(self._state_dict(root)["constant"])
        return {
            key: own[neutral_key(key, config)]
            if key in constant
            else torch.from_numpy(np.asarray(seeded_array(key, shape, SEED)))
            for key, shape in self.keys(root)
        }

    def _state_dict(self, root: Path) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            (root / "golden_zoo" / self.generation / "state_dicts" / f"{self.name}.json").read_text()
        )
        return document


def words(images: NDArray[np.float32], ratios: NDArray[np.float32]) -> list[Preprocessed]:
    """Return a batch of words as pre-processing gives them: each takes a part of its width, the rest is padding."""
    height, width = images.shape[2:]
    return [
        Preprocessed(image, None, float(ratio), (height, width), (height, round(width * ratio)))
        for image, ratio in zip(images, ratios, strict=True)
    ]


def logarithms(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of the probabilities that logits, or probabilities, stand for."""
    are_probabilities = scores.min() >= 0 and np.allclose(scores.sum(axis=-1), 1, atol=1e-3)
    result: NDArray[np.float32] = np.log(scores) if are_probabilities else _log_softmax(scores)
    return result


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return torch.from_numpy(logits).log_softmax(dim=-1).numpy()


V0 = (
    "abinet_academic",
    "abinet_vision_only_academic",
    "crnn_academic_dataset",
    "crnn_toy_dataset",
    "crnn_tps_academic_dataset",
    "dbnet_r18_fpnc_100k_iters_synthtext",
    "dbnet_r50dcnv2_fpnc_100k_iters_synthtext",
    "dbnetpp_r50dcnv2_fpnc_100k_iter_synthtext",
    "fcenet_r50_fpn_1500e_icdar2015",
    "fcenet_r50dcnv2_fpn_1500e_ctw1500",
    "master_r31_12e_ST_MJ_SA",
    "nrtr_modality_transform_academic",
    "nrtr_r31_1by16_1by8_academic",
    "nrtr_r31_1by8_1by4_academic",
    "panet_r18_fpem_ffm_600e_ctw1500",
    "panet_r18_fpem_ffm_600e_icdar2015",
    "panet_r50_fpem_ffm_600e_icdar2017",
    "psenet_r50_fpnf_600e_ctw1500",
    "psenet_r50_fpnf_600e_icdar2015",
    "textsnake_r50_fpn_unet_1200e_ctw1500",
    "robustscanner_r31_academic",
    "sar_r31_parallel_decoder_academic",
    "sar_r31_parallel_decoder_chinese",
    "sar_r31_sequential_decoder_academic",
    "satrn_academic",
    "satrn_small",
)
V1 = (
    "abinet-vision_20e_st-an_mj",
    "abinet_20e_st-an_mj",
    "aster_resnet45_6e_st_mj",
    "crnn_mini-vgg_5e_mj",
    "crnn_mini-vgg_5e_toy",
    "dbnet_resnet18_fpnc_100k_synthtext",
    "dbnet_resnet50-dcnv2_fpnc_1200e_icdar2015",
    "dbnet_resnet50-oclip_1200e_icdar2015",
    "dbnet_resnet50_1200e_icdar2015",
    "dbnetpp_resnet50-dcnv2_fpnc_1200e_icdar2015",
    "dbnetpp_resnet50-oclip_fpnc_1200e_icdar2015",
    "dbnetpp_resnet50_fpnc_1200e_icdar2015",
    "fcenet_resnet50-dcnv2_fpn_1500e_ctw1500",
    "fcenet_resnet50-oclip_fpn_1500e_ctw1500",
    "fcenet_resnet50-oclip_fpn_1500e_icdar2015",
    "fcenet_resnet50_fpn_1500e_icdar2015",
    "master_resnet31_12e_st_mj_sa",
    "nrtr_modality-transform_6e_st_mj",
    "nrtr_resnet31-1by16-1by8_6e_st_mj",
    "nrtr_resnet31-1by8-1by4_6e_st_mj",
    "panet_resnet18_fpem-ffm_600e_ctw1500",
    "panet_resnet18_fpem-ffm_600e_icdar2015",
    "panet_resnet50_fpem-ffm_600e_icdar2017",
    "psenet_resnet50-oclip_fpnf_600e_ctw1500",
    "psenet_resnet50-oclip_fpnf_600e_icdar2015",
    "psenet_resnet50_fpnf_600e_ctw1500",
    "psenet_resnet50_fpnf_600e_icdar2015",
    "robustscanner_resnet31_5e_st-sub_mj-sub_sa_real",
    "robustscanner_resnet31_5e_toy",
    "sar_resnet31_parallel-decoder_5e_st-sub_mj-sub_sa_real",
    "sar_resnet31_sequential-decoder_5e_st-sub_mj-sub_sa_real",
    "satrn_shallow-small_5e_st_mj",
    "satrn_shallow_5e_st_mj",
    "svtr-base_20e_st_mj",
    "svtr-large_20e_st_mj",
    "svtr-small_20e_st_mj",
    "svtr-tiny_20e_st_mj",
    "textsnake_resnet50-oclip_fpn-unet_1200e_ctw1500",
    "textsnake_resnet50_fpn-unet_1200e_ctw1500",
)
SAME_NETWORK_V0 = (
    "dbnet_r18_fpnc_1200e_icdar2015",
    "dbnet_r50dcnv2_fpnc_1200e_icdar2015",
    "dbnetpp_r50dcnv2_fpnc_1200e_icdar2015",
    "master_toy_dataset",
    "nrtr_modality_transform_toy_dataset",
    "psenet_r50_fpnf_600e_icdar2017",
    "sar_r31_parallel_decoder_toy_dataset",
)
SAME_NETWORK_V1 = (
    "dbnet_resnet18_fpnc_1200e_icdar2015",
    "dbnet_resnet18_fpnc_1200e_totaltext",
    "fcenet_resnet50_fpn_1500e_totaltext",
    "master_resnet31_12e_toy",
    "nrtr_modality-transform_6e_toy",
    "psenet_resnet50_fpnf_600e_icdar2017",
    "sar_resnet31_parallel-decoder_5e_toy",
)

RECORDED = tuple(OfficialModel("v0", name) for name in V0) + tuple(OfficialModel("v1", name) for name in V1)
"""The models with a recorded network."""
SAME_NETWORK = tuple(OfficialModel("v0", name) for name in SAME_NETWORK_V0) + tuple(
    OfficialModel("v1", name) for name in SAME_NETWORK_V1
)
"""Models whose network is that of another, so that the keys alone are recorded."""
