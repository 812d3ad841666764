"""What `evaluate` may say: nothing of what was not evaluated or labelled, and each row for what it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ocrdeploy.artifacts import embed_spec, load_onnx, read_onnx_spec
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]
HMEAN = "hmean-iou:hmean"


@pytest.fixture
def crnn(seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recogniser in a folder with images, two lists of words and configs that name them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sample_dir / "imgs", "imgs")
    model = shutil.copy(seeded_onnx("crnn"), "crnn.onnx")
    for folder in ("ic13/test", "svt/test", "mean"):
        Path(folder).mkdir(parents=True)
    names = sorted(path.name for path in Path("imgs").iterdir())
    Path("ic13/test/label.txt").write_text("".join(f"{name} a\n" for name in names[:2]))
    Path("svt/test/label.txt").write_text("".join(f"{name} b\n" for name in names[2:5]))
    shutil.copy("svt/test/label.txt", "mean/label.txt")
    return Path(model)


def rows(outcome: Outcome) -> list[tuple[str, bool, int]]:
    return [(row["dataset"], row.get("mean", False), row["images"]) for row in outcome.document["rows"]]


def config_of(seeded_onnx: Callable[[str], Path], *labels: str) -> Path:
    """Write a config with these test sets."""
    text = seeded_onnx("crnn").with_suffix(".py").read_text()
    one = next(line for line in text.splitlines() if "type='OCRDataset'" in line)
    start = text.index("[", text.index(one)) + 1
    end = text.index("],\n", text.index("loader=", start))
    sets = [text[start:end].replace("words/label.txt", each).replace("'words'", "'imgs'") for each in labels]
    path = Path("sets.py")
    path.write_text(text[:start] + ", ".join(sets) + text[end:])
    return path


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (["ic13/test/label.txt", "svt/test/label.txt"], ["ic13/test", "svt/test"]),
        (["mean/label.txt", "ic13/test/label.txt"], ["mean", "test"]),
    ],
)
def test_data_sets_of_one_name_have_a_row_each_in_table_and_json(
    labels: list[str], named: list[str], crnn: Path, seeded_onnx: Callable[[str], Path], command: Command
) -> None:
    config = config_of(seeded_onnx, *labels)
    outcome = command("evaluate", crnn, "--config", config, "--json", "-", "--markdown", "t.md", "-q")
    assert [row[:2] for row in rows(outcome)] == [(named[0], False), (named[1], False), ("mean", True)]
    table = Path("t.md").read_text()
    assert all(f"| {name} |" in table for name in named)
    assert table.count("word_acc |") == 3


def test_a_missing_backend_beside_data_sets_of_one_name_exits_3(
    crnn: Path, seeded_onnx: Callable[[str], Path], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.evaluation.runs.cuda_device_count", lambda: 0)
    config = config_of(seeded_onnx, "ic13/test/label.txt", "svt/test/label.txt")
    outcome = command("evaluate", crnn, "--config", config, "--backend", "onnxruntime,tensorrt", "--json", "-", "-q")
    assert outcome.code == 3, outcome.err
    assert len(outcome.document["rows"]) == 6


def test_models_of_one_file_name_are_compared_with_each_other(
    crnn: Path, sample_onnx: Path, worse_sample: Path, sample_data: list[str], command: Command
) -> None:
    for folder, source in (("a", sample_onnx), ("b", worse_sample)):
        Path(folder).mkdir()
        shutil.copy(source, f"{folder}/model.onnx")
    outcome = command("evaluate", "a/model.onnx", "b/model.onnx", *sample_data, "--max-drop", "0.01", "-q")
    assert outcome.code == 1
    assert "b/model.onnx on ONNX Runtime b/model.onnx" in outcome.error


@pytest.fixture
def worse_sample(sample_onnx: Path, tmp_path: Path) -> Path:
    """The sample's model with boxes that are kept only where the map is nearly 1."""

    spec = read_onnx_spec(sample_onnx)
    assert hasattr(spec.postprocessing, "min_text_score")
    strict = msgspec.structs.replace(spec.postprocessing, min_text_score=0.999)
    model = load_onnx(sample_onnx)
    embed_spec(model, msgspec.structs.replace(spec, postprocessing=strict))
    path = tmp_path / "worse.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("gate", [[], ["--fail-under", "1-N.E.D=0.1"]])
def test_where_nothing_is_evaluated_the_command_fails(gate: list[str], crnn: Path, command: Command) -> None:
    Path("gone.txt").write_text("gone.jpg\tx\nlost.jpg\ty\n")
    arguments = ["evaluate", crnn, "--data", "gone.txt", "--img-prefix", "imgs", "--skip-broken", *gate, "--json", "-"]
    outcome = command(*arguments, "-q")
    assert outcome.code == 1
    assert outcome.error == (
        "ONNX Runtime failed: no image of gone.txt was evaluated: 2 images or annotations could not be read"
    )
    (row,) = outcome.document["rows"]
    assert (row["images"], row["broken"], row["metrics"]) == (0, 2, {})


def test_a_data_set_that_is_gone_is_no_part_of_a_mean(
    crnn: Path, seeded_onnx: Callable[[str], Path], command: Command
) -> None:
    config = config_of(seeded_onnx, "ic13/test/label.txt", "svt/test/label.txt")
    for line in Path("svt/test/label.txt").read_text().splitlines():
        Path("imgs", line.split()[0]).unlink()
    outcome = command("evaluate", crnn, "--config", config, "--skip-broken", "--json", "-", "-q")
    assert outcome.code == 1
    assert rows(outcome) == [("ic13/test", False, 2), ("svt/test", False, 0), ("mean", True, 2)]
    assert [bool(row["metrics"]) for row in outcome.document["rows"]] == [True, False, False]


@pytest.mark.parametrize(("gate", "code"), [([], 0), (["--fail-under", f"{HMEAN}=0.9"], 1), (["--max-drop", "1"], 1)])
def test_where_nothing_is_labelled_a_gate_fails(
    gate: list[str], code: int, sample_onnx: Path, sample_dir: Path, tmp_path: Path, command: Command
) -> None:
    labels = json.loads((sample_dir / "instances_test.json").read_text())
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(labels | {"annotations": [], "images": labels["images"][:2]}))
    options = ["--ann-file", path, "--img-prefix", sample_dir / "imgs", "-q"]
    backends = ["--backend", "torch,onnxruntime"] if "--max-drop" in gate else []
    outcome = command("evaluate", sample_onnx, *options, *gate, *backends)
    assert outcome.code == code
    assert f"warning: nothing is labelled in {path}, so the scores say nothing" in outcome.err
    assert ("failed: nothing is labelled for " in outcome.err) == bool(code)


def test_a_model_that_is_named_twice_is_refused(sample_onnx: Path, command: Command) -> None:
    outcome = command("evaluate", sample_onnx, sample_onnx)
    assert outcome.code == 2
    assert outcome.error == f"the command line names {sample_onnx} for onnxruntime twice. Name it once."
