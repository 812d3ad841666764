"""Every pipeline of both generations' official configs, bit for bit what the real MMOCR makes of the toy images."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.dialects.mmocr0 import data_sets as mmocr0
from ocrdeploy.dialects.mmocr1 import data_sets as mmocr1
from ocrdeploy.dialects.mmocr1.pipelines import read_pipeline
from ocrdeploy.dialects.section import Section
from ocrdeploy.images.reading import read_image
from ocrdeploy.steps import Step, color_type_of, output_size, preprocess

WORDS = (
    "abinet_academic", "crnn_toy_dataset", "crnn_tps_academic_dataset", "master_r31_12e_ST_MJ_SA",
    "nrtr_modality_transform_academic", "robustscanner_r31_academic", "sar_r31_parallel_decoder_chinese",
    "satrn_academic",
)  # fmt: skip
SCENES = (
    "dbnet_r18_fpnc_100k_iters_synthtext", "dbnet_r50dcnv2_fpnc_100k_iters_synthtext",
    "fcenet_r50_fpn_1500e_icdar2015", "fcenet_r50dcnv2_fpn_1500e_ctw1500", "panet_r50_fpem_ffm_600e_icdar2017",
)  # fmt: skip
WORDS_1X = (
    "abinet-vision_20e_st-an_mj", "aster_resnet45_6e_st_mj", "crnn_mini-vgg_5e_mj", "master_resnet31_12e_st_mj_sa",
    "nrtr_modality-transform_6e_st_mj", "robustscanner_resnet31_5e_st-sub_mj-sub_sa_real",
    "satrn_shallow-small_5e_st_mj", "svtr-base_20e_st_mj",
)  # fmt: skip
SCENES_1X = (
    "dbnet_resnet18_fpnc_100k_synthtext", "dbnet_resnet18_fpnc_1200e_totaltext",
    "dbnet_resnet50-dcnv2_fpnc_1200e_icdar2015", "dbnetpp_resnet50-dcnv2_fpnc_1200e_icdar2015",
    "fcenet_resnet50-dcnv2_fpn_1500e_ctw1500", "fcenet_resnet50_fpn_1500e_totaltext",
    "panet_resnet18_fpem-ffm_600e_ctw1500", "panet_resnet18_fpem-ffm_600e_icdar2015",
    "panet_resnet50_fpem-ffm_600e_icdar2017", "psenet_resnet50-oclip_fpnf_600e_ctw1500",
)  # fmt: skip
DEPLOYED = (
    "crnn_academic_dataset", "dbnet_r18_fpnc_1200e_icdar2015", "panet_r18_fpem_ffm_600e_ctw1500",
    "panet_r18_fpem_ffm_600e_icdar2015", "psenet_r50_fpnf_600e_ctw1500", "psenet_r50_fpnf_600e_icdar2015",
)  # fmt: skip
CASES = [
    *(("golden", name) for name in DEPLOYED),
    *(("golden_zoo/v0", name) for name in (*WORDS, *SCENES)),
    *(("golden_zoo/v1", name) for name in (*WORDS_1X, *SCENES_1X)),
]
RECORDED_FROM = {
    "fcenet_resnet50-dcnv2_fpn_1500e_ctw1500": "fcenet_resnet50_fpn_1500e_icdar2015",
    "psenet_resnet50-oclip_fpnf_600e_ctw1500": "psenet_resnet50-oclip_fpnf_600e_icdar2015",
}
"""Where another config's pipeline was recorded than the one that the config's own data set has."""

SAMPLED = 32
"""Of detection every 32nd pixel is recorded."""
STATISTICS = 1e-5
"""Mean and deviation are sums of a million float32 numbers, in an order of their own."""


def steps_of(folder: Path, name: str) -> tuple[Step, ...]:
    """Return the test pipeline of an official config."""
    (path,) = folder.glob(f"configs/*/*/{RECORDED_FROM.get(name, name)}.py")
    values = read_config(path)
    if folder.name != "v1":
        return mmocr0.read_test_sets(values["data"]["test"], "data.test")[1]
    task = "recog" if "textrecog" in path.parts else "det"
    sets = mmocr1.read_test_sets(values, task)  # type: ignore[arg-type]
    preprocessor = Section(values["model"]["data_preprocessor"], "model.data_preprocessor")
    return read_pipeline(sets.pipeline, sets.place, preprocessor)[0]


def test_every_recording_is_compared(extra_data_dir: Path) -> None:
    for folder in ("golden", "golden_zoo/v0", "golden_zoo/v1"):
        files = {file.stem for file in (extra_data_dir / folder / "preprocess").glob("*.json")}
        assert files == {name for own, name in CASES if own == folder}


@pytest.mark.parametrize(("folder", "name"), CASES)
def test_tensors_of_official_pipelines_are_mmocrs(folder: str, name: str, extra_data_dir: Path) -> None:
    recorded = extra_data_dir / folder / "preprocess"
    steps = steps_of(extra_data_dir / folder, name)
    document: dict[str, dict[str, Any]] = json.loads((recorded / f"{name}.json").read_text())
    assert document
    with np.load(recorded / f"{name}.npz") as tensors:
        for file, expected in document.items():
            is_word = not file.startswith("img_")
            images = extra_data_dir / "data" / ("ocr_toy_dataset/imgs" if is_word else "toy_dataset/imgs/test")
            path = recorded / file if file.startswith("tall_") else images / file
            result = preprocess(read_image(path, color_type_of(steps)), steps)
            assert [1, *result.tensor.shape] == expected["shape"], file
            assert result.tensor.shape == output_size(result.original_shape, steps)
            sampled = result.tensor if is_word else result.tensor[:, ::SAMPLED, ::SAMPLED]
            np.testing.assert_array_equal(sampled.ravel(), tensors[file].ravel(), file)
            assert result.tensor.mean() == pytest.approx(expected["mean"], abs=STATISTICS)
            assert result.tensor.std() == pytest.approx(expected["std"], abs=STATISTICS)
            if expected["valid_ratio"] is not None:
                # What networks are given: MMOCR takes it of the padded width.
                assert result.resized_shape[1] / result.tensor.shape[2] == pytest.approx(expected["valid_ratio"])
            if folder == "golden_zoo/v0" and is_word:
                assert list(result.resized_shape) == expected["resize_shape"][:2]
            if expected["scale_factor"] is not None:
                assert result.scale_factor is not None
                # 1.x keeps it in float64.
                assert result.scale_factor.tolist() == np.float32(expected["scale_factor"][:2]).tolist()
