"""No command writes over what it reads, over what its model was made from, or over its own other output."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]

EXPORT = "export c.py c.pth --dynamic -o n.onnx"
BUILD = "build-engine m.onnx --runtime tensorrt-rtx --compute-capability sm86"
VERIFY = "verify m.onnx --max-images 1"
EVALUATE = "evaluate m.onnx"
GIVEN = f"{EVALUATE} --ann-file gt/labels.json --img-prefix sample/imgs"
PREDICT = "predict m.onnx a.jpg b.jpg"
BENCHMARK = "benchmark m.onnx --count 1 --rounds 1"

ROWS = [
    (f"{EXPORT} --json c.py", "c.py", ""),
    (f"{EXPORT} --json base.py", "base.py", ""),
    (f"{EXPORT} --json sample/instances_test.json", "sample/instances_test.json", ""),
    ("export c.py c.pth -o sample/imgs/syn_0033.jpg", "sample/imgs/syn_0033.jpg", ""),
    (f"{EXPORT} --json ./n.onnx", "n.onnx", ""),
    (f"{EXPORT} --show --json n.show.png", "n.show.png", ""),
    ("export c.py c.pth n.show.png --dynamic -o n.onnx --show", "n.show.png", "cp a.jpg n.show.png"),
    (f"{EXPORT} --show", "c.pth", "ln -s c.pth n.show.png"),
    (f"{BUILD} --json m.onnx", "m.onnx", ""),
    (f"{BUILD} --json m.engine", "m.engine", ""),
    (f"{BUILD} --json m.engine.json", "m.engine.json", ""),
    (f"{BUILD} --verify a.jpg -o a.jpg", "a.jpg", ""),
    (f"{BUILD} --config c.py -o c.py", "c.py", ""),
    (f"{BUILD} -o dbnet_sample.pth", "dbnet_sample.pth", ""),
    (f"{BUILD} --fp16 --save-onnx m.engine.json", "m.engine.json", ""),
    (f"{BUILD} --timing-cache m.engine.json", "m.engine.json", ""),
    (f"{BUILD} -o sample/x", "sample/x.engine.json", "cp sample/instances_test.json sample/x.engine.json"),
    (BUILD, "m.onnx", "ln -s m.onnx m.engine.json"),
    (f"{VERIFY} --json dbnet_sample.pth", "dbnet_sample.pth", ""),
    (f"{VERIFY} --html sample/instances_test.json", "sample/instances_test.json", ""),
    (f"{VERIFY} --json sample/imgs/syn_0033.jpg", "sample/imgs/syn_0033.jpg", ""),
    (f"{VERIFY} --json r.x --html r.x", "r.x", ""),
    (f"{VERIFY} --show --html m.show.png", "m.show.png", ""),
    ("verify m.onnx k/m.onnx k/m.plan --show", "k/m.show.png", ""),
    ("verify m.onnx --images m.show.png --show", "m.show.png", "cp a.jpg m.show.png"),
    (f"{EVALUATE} --json sample/instances_test.json", "sample/instances_test.json", ""),
    (f"{EVALUATE} --csv sample/imgs/syn_0033.jpg", "sample/imgs/syn_0033.jpg", ""),
    (f"{EVALUATE} --backend torch --markdown dbnet_sample.pth", "dbnet_sample.pth", ""),
    (f"{EVALUATE} --predictions p.jsonl --json p.jsonl.part", "p.jsonl.part", ""),
    (f"{EVALUATE} --predictions p.jsonl", "m.onnx", "ln -s m.onnx p.jsonl.part"),
    (f"{EVALUATE} --predictions p.jsonl", "dbnet_sample.pth", "ln dbnet_sample.pth p.jsonl.part"),
    (f"{EVALUATE} --config c.py --csv base.py", "base.py", ""),
    (
        f"{EVALUATE} --config c.py --csv k/dict.txt",
        "k/dict.txt",
        "cp a.jpg k/dict.txt && echo \"d = 'k/dict.txt'\" >> base.py",
    ),
    (
        f"{EXPORT} --json k/dict.txt",
        "k/dict.txt",
        "cp a.jpg k/dict.txt && echo \"d = '{{ fileDirname }}/k/dict.txt'\" >> c.py",
    ),
    (f"{GIVEN} --json gt/labels.json", "gt/labels.json", ""),
    (f"{GIVEN} --json sample/imgs/syn_0022.jpg", "sample/imgs/syn_0022.jpg", ""),
    ("evaluate --json m.onnx", "m.onnx", "rm -r k"),
    (f"{PREDICT} --show --json m.show.png", "m.show.png", ""),
    (f"{PREDICT} --draw d --json d/a.pred.png", "d/a.pred.png", ""),
    (f"{PREDICT} --crop d --json d/a_000.png", "d/a_000.png", ""),
    (f"{PREDICT} --backend torch --json dbnet_sample.py", "dbnet_sample.py", ""),
    (f"{PREDICT} --draw d", "m.onnx", "ln -s ../m.onnx d/a.pred.png"),
    (f"{PREDICT} --crop d", "b.jpg", "ln -s ../b.jpg d/a_003.png"),
    (f"{PREDICT} --custom-ops a.so --json a.so", "a.so", "cp a.jpg a.so"),
    (f"{BENCHMARK} --json m.onnx", "m.onnx", ""),
    (f"{BENCHMARK} --backend torch --json dbnet_sample.pth", "dbnet_sample.pth", ""),
    ("benchmark --count 1 --rounds 1 --json m.onnx", "m.onnx", ""),
    ("demo -o d --json d/model.onnx", "d/model.onnx", ""),
    ("demo -o d --json d/boxes.png", "d/boxes.png", ""),
    ("demo -o d", "d/model.onnx", "cp k/m.onnx d/model.onnx && echo > d/evaluation.md"),
    ("demo -o d", "d/boxes.png", "cp a.jpg d/boxes.png"),
    ("demo -o d", "d/reading.png", "cp a.jpg d/reading.png"),
]


@pytest.fixture
def folder(sample_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with what it was made from and its data set, a config with a base, and two images."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sample_dir, "sample", ignore=shutil.ignore_patterns("*.py", "*.pth", "__pycache__"))
    for name in ("d", "k", "gt"):
        Path(name).mkdir()
    for source, target in (
        (sample_onnx, "m.onnx"), (sample_dir / "dbnet_sample.py", "dbnet_sample.py"),
        (sample_dir / "dbnet_sample.pth", "dbnet_sample.pth"), (sample_dir / "dbnet_sample.py", "base.py"),
        (sample_dir / "dbnet_sample.pth", "c.pth"), (sample_dir / "imgs/syn_0022.jpg", "a.jpg"),
        (sample_dir / "imgs/syn_0024.jpg", "b.jpg"), (sample_dir / "instances_test.json", "gt/labels.json"),
    ):  # fmt: skip
        shutil.copy(source, target)
    Path("c.py").write_text("_base_ = './base.py'\n")
    # A model that no demo wrote.
    Path("k/m.onnx").write_bytes(b"mine")
    return tmp_path


@pytest.mark.parametrize(("line", "file", "before"), ROWS, ids=[f"{line} ({before})" for line, _, before in ROWS])
def test_no_output_is_an_input_or_another_output(
    line: str, file: str, before: str, folder: Path, command: Command
) -> None:
    assert os.system(before or "true") == 0  # noqa: S605
    path = Path(file)
    old = path.read_bytes() if path.exists() else None
    outcome = command(*line.split(), "-q")
    assert outcome.code == 2, outcome.err
    assert any(
        text in outcome.error
        for text in ("so it is not written over", "both write to", "twice, for models of one name")
    ), outcome.error
    assert (path.read_bytes() if path.exists() else None) == old


@pytest.mark.slow
def test_the_demo_writes_over_an_earlier_demo_alone(folder: Path, command: Command) -> None:
    Path("ocrdeploy-demo").write_text("a file")
    assert command("demo").error.endswith("ocrdeploy-demo is no folder")
    shutil.copy("m.onnx", "d/model.onnx")
    assert command("demo", "-o", "d", "-q").code == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["predict", "m.onnx", ""], "an argument"),
        (["predict", "m.onnx", "a.jpg", "--draw", ""], "--draw"),
        (["predict", "m.onnx", "a.jpg", "--json="], "--json"),
        (["demo", "-o", ""], "-o"),
        (["predict", "m.onnx", "a.jpg", "--optimized-model-cache", ""], "--optimized-model-cache"),
    ],
)
def test_an_empty_name_is_no_folder(arguments: list[str], named: str, folder: Path, command: Command) -> None:
    before = sorted(folder.rglob("*"))
    outcome = command(*arguments)
    assert outcome.code == 2
    assert outcome.error == f"{named} is empty: a variable that is not set?"
    assert sorted(folder.rglob("*")) == before
