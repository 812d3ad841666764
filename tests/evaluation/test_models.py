from pathlib import Path

import pytest

import ocrdeploy
from ocrdeploy.errors import UsageError


def test_an_evaluation_can_be_had_from_python(small_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    data = {"ann_file": sample_dir / "instances_test.json", "img_prefix": sample_dir / "imgs"}
    (row,) = ocrdeploy.evaluate(small_onnx, **data, predictions=tmp_path / "p.jsonl", threads=1)  # type: ignore[arg-type]
    assert (row.model, row.backend, row.device, row.images, row.dataset) == (
        str(small_onnx), "onnxruntime", "cpu", 8, "demo_data",
    )  # fmt: skip
    assert row.metrics is not None
    assert row.metrics["hmean-iou:hmean"] > 0.5
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 8


def test_what_contradicts_itself_or_would_be_written_over_is_refused(small_onnx: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="resume continues a run"):
        ocrdeploy.evaluate(small_onnx, resume=True)
    copy = tmp_path / "m.onnx"
    copy.write_bytes(small_onnx.read_bytes())
    with pytest.raises(UsageError, match=r"m\.onnx is read, so it is not written over"):
        ocrdeploy.evaluate(copy, predictions=copy)
    with pytest.raises(UsageError, match=r"--checkpoint, --plugin cannot matter for .* on onnxruntime"):
        ocrdeploy.evaluate(copy, checkpoint="nothere.pth", plugins=["nothere.so"])
    with pytest.raises(UsageError, match=r"--custom-ops cannot matter for .* on torch"):
        ocrdeploy.evaluate(copy, backend="torch", custom_ops=["nothere.so"])
