"""The paths of new users, each from nothing: the documentation's own lines, typed one after the other in a folder."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ocrdeploy
from tests.cli.conftest import Outcome, command  # noqa: F401  (a fixture)

ROOT = Path(__file__).parent.parent
Command = Callable[..., Outcome]


def lines_of(page: str, heading: str = "") -> list[list[str]]:
    """Return the command lines of a page's first block of them, behind a heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    block = re.search(r"```console\n(\$ ocrdeploy .*?)```", text[text.index(heading) :], re.DOTALL)
    assert block is not None
    return [shlex.split(line.removeprefix("$ "))[1:] for line in block[1].splitlines()]


@pytest.fixture
def folder(sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, a checkpoint, its data set, labels of one's own and a photo, by the pages' names."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sample_dir / "imgs", "sample/imgs")
    shutil.copy(sample_dir / "instances_test.json", "sample")
    shutil.copytree("sample", "labels")
    shutil.copy(sample_dir / "dbnet_sample.py", "dbnet_r18_fpnc_1200e_icdar2015.py")
    shutil.copy(sample_dir / "dbnet_sample.pth", "dbnet.pth")
    shutil.copy(sample_dir / "imgs" / "syn_0022.jpg", "photo.jpg")
    return tmp_path


@pytest.mark.slow
def test_a_user_of_mmocr_0x_gets_a_verified_model_and_a_table(folder: Path, command: Command) -> None:  # noqa: F811
    lines = lines_of("README.md", "## Four commands")
    assert [line[0] for line in lines] == ["export", "verify", "evaluate", "predict"]
    *_, verified, evaluated, predicted = [command(*line) for line in lines]
    assert verified.code == 0
    assert "passed: the models agree" in verified.out
    assert evaluated.code == predicted.code == 0
    assert re.search(r"\| hmean-iou:hmean +\| +0\.9726 \| +0\.9726 \|", evaluated.out)
    assert (folder / "drawn" / "photo.pred.png").is_file()
    assert (folder / "result.jsonl").is_file()


@pytest.mark.slow
def test_a_user_of_mmocr_1x_gets_a_verified_model_and_a_table(
    extra_data_dir: Path,
    command: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    models = extra_data_dir / "golden_zoo" / "v1" / "models"
    for name in ("dbnet.py", "dbnet.pth"):
        shutil.copy(models / name, name)
    shutil.copytree(extra_data_dir / "data" / "toy_dataset", "toy_dataset")
    shutil.copy(models / "textdet_test.json", "toy_dataset")
    lines = lines_of("docs/tutorials/mmocr1.md")
    assert [line[0] for line in lines] == ["export", "verify", "evaluate"]
    for line in lines:
        outcome = command(*line)
        assert outcome.code == 0, outcome
    recorded = json.loads((models.parent / "end_to_end" / "dbnet.json").read_text())["metric"]["icdar/hmean"]
    assert re.search(rf"\| hmean-iou:hmean +\| +{recorded:.4f} \| +{recorded:.4f} \|", outcome.out)


@pytest.mark.slow
def test_an_engineer_gets_a_gate(folder: Path, sample_onnx: Path, command: Command) -> None:  # noqa: F811
    shutil.copy(sample_onnx, "model.onnx")
    quick = {"benchmark": ["--rounds", "1", "--count", "1", "--shape", "1x3x64x64"]}
    first, then = (lines_of("docs/tutorials/ci-gate.md", heading) for heading in ("# A gate", "## Compared"))
    for line in (*first[1:], *then):
        # Two speeds on a machine that does other things differ as they like.
        slow = ["--max-slowdown", "0.99"] if "speed.json" in line and "--baseline" in line else []
        outcome = command(*line, *quick.get(line[0], []), *slow)
        assert outcome.code == 0, outcome
    too_much = command(*first[1], "--fail-under", "hmean-iou:hmean=0.99", "--junit", "junit.xml")
    assert too_much.code == 1
    assert "is 0.9726, 0.0174 under 0.99" in too_much.error
    assert 'failures="1"' in Path("junit.xml").read_text()


@pytest.mark.slow
def test_the_lines_of_the_python_page_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy("dbnet_r18_fpnc_1200e_icdar2015.py", "dbnet.py")
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert block is not None
    exec(compile(block[1], "python.md", "exec"), {})  # noqa: S102  (the example is ours)
    assert capsys.readouterr().out.startswith("0.97260")


PEERS = "OCRDEPLOY_PEERS"
"""Names the folder that `make peers` makes."""


@pytest.mark.slow
def test_a_user_of_ppocr_gets_text(
    command: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sample_dir: Path,
) -> None:
    place = os.environ.get(PEERS)
    if not place:
        pytest.skip(f"{PEERS} is not set")
    monkeypatch.chdir(tmp_path)
    lines = lines_of("docs/tutorials/ppocr.md")[:3]
    for name in ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"):
        shutil.copy(Path(place) / "rapidocr" / "models" / name, name)
    shutil.copy(sample_dir / "imgs" / "syn_0033.jpg", "photo.jpg")
    for line in lines:
        outcome = command(*line)
        assert outcome.code == 0, outcome
    assert outcome.out.strip()
    with ocrdeploy.open_reader("det.onnx", "rec.onnx") as reader:
        assert list(reader(np.full((64, 64, 3), 255, np.uint8))) == []
