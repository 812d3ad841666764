import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ocrdeploy
from ocrdeploy.errors import UsageError
from ocrdeploy.verification.references import line_up
from tests.support.faults import changed_decoder, changed_weight, plant


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep noise small: what is compared on it is tested elsewhere."""
    monkeypatch.setattr("ocrdeploy.verification.inputs.MAX_PIXELS", 2**14)


def test_from_python_a_model_is_compared_with_pytorch(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = seeded_onnx("crnn")
    page = tmp_path / "report.html"
    pixels = [np.full((32, width, 3), 128, np.uint8) for width in (64, 96)]
    found = ocrdeploy.verify(model, images=pixels, max_images=1, html=page, device="cpu", threads=1)
    assert found.passed
    (verdict,) = found.verdicts
    assert (verdict.model, verdict.reference, verdict.error) == (model, "PyTorch", None)
    assert verdict.comparison is not None
    assert verdict.comparison.results.images == 1
    assert verdict.document["results"]["texts_equal"] == 1
    assert "crnn.onnx against PyTorch" in page.read_text(encoding="utf-8")


def test_from_python_each_model_has_its_verdict(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = seeded_onnx("crnn")
    pixels = [np.full((32, 64, 3), 128, np.uint8)]
    node = "/decoder/decoder/decoder.1/embedding/MatMul"
    broken = plant(model, tmp_path, changed_weight(node, factor=np.nan), name="broken")
    other = plant(model, tmp_path, spec=changed_decoder(lower=False), name="other")
    same = tmp_path / "same.onnx"
    same.write_bytes(model.read_bytes())
    found = ocrdeploy.verify(broken, other, same, reference=model, images=pixels, bisect=True)
    assert not found.passed
    first, second, third = found.verdicts
    assert first.error is not None
    assert f"the first node that gives one is {node} (MatMul)" in first.error.message
    assert (first.comparison, first.document["passed"]) == (None, False)
    assert second.comparison is not None
    assert second.comparison.causes == ("post-processing",)
    assert third.passed
    assert third.bisection is not None
    assert third.bisection.divergence is None


def test_tolerances_may_be_numbers_or_one_an_output(seeded_onnx: Callable[[str], Path]) -> None:
    model = seeded_onnx("crnn")
    pixels = [np.full((32, 64, 3), 128, np.uint8)]
    (verdict,) = ocrdeploy.verify(model, model, images=pixels, atol=0.5, rtol={"logits": 0.25}).verdicts
    assert (verdict.document["tensors"][0]["atol"], verdict.document["tensors"][0]["rtol"]) == (0.5, 0.25)
    with pytest.raises(UsageError, match="no output 'x' is compared"):
        ocrdeploy.verify(model, model, images=pixels, atol={"x": 1.0})
    with pytest.raises(UsageError, match="--max-differing is for bf16 and int8"):
        ocrdeploy.verify(model, model, images=pixels, max_differing=0.5)


def test_what_stands_on_the_line_is_the_reference_or_compared_with_it() -> None:
    a, b, other = Path("a.onnx"), Path("b.onnx"), Path("x/a.onnx")
    assert (line_up([a]).kind, line_up([a]).reference_name) == ("torch", "PyTorch")
    assert line_up([a, b]).candidates == (b,)
    assert line_up([a, b]).reference == a
    assert line_up([a, b], "MMOCR").candidates == (a, b)
    same_names = line_up([a, other])
    assert (same_names.reference_name, same_names.name_of(other)) == ("a.onnx", "x/a.onnx")
    with pytest.raises(UsageError, match="at least one model"):
        ocrdeploy.verify()


def test_verify_is_at_hand_without_loading_any_library() -> None:
    code = (
        "import ocrdeploy, sys; assert 'verify' in ocrdeploy.__all__; "
        "assert not {'torch', 'cv2', 'onnx'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
