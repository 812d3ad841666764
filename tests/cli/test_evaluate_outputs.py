import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from ocrdeploy import open_predictor
from tests.cli.conftest import HMEAN_ON_SAMPLE, Outcome

Command = Callable[..., Outcome]


def test_tables_go_to_files_and_to_standard_output_alone(
    command: Command, sample_onnx: Path, sample_data: list[str], tmp_path: Path
) -> None:
    outcome = command(
        "evaluate", sample_onnx, *sample_data, "--markdown", tmp_path / "t.md", "--csv", "-",
        "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert outcome.code == 0
    header, line = outcome.out.splitlines()
    assert dict(zip(header.split(","), line.split(","), strict=True))["architecture"] == "DBNet"
    assert "hmean-iou:recall" in outcome.err
    assert (tmp_path / "t.md").read_text().startswith("| model | config | data set | metric | ONNX Runtime |\n")
    row = json.loads((tmp_path / "r.json").read_text())["rows"][0]
    assert row["size_mib"] == pytest.approx(sample_onnx.stat().st_size / 2**20)
    assert row["config"] == "dbnet_sample.py"


def test_predictions_go_to_standard_output_alone(command: Command, sample_onnx: Path, sample_data: list[str]) -> None:
    outcome = command("evaluate", sample_onnx, *sample_data, "--predictions", "-")
    assert len([json.loads(line) for line in outcome.out.splitlines()]) == 8
    assert "hmean-iou:recall" in outcome.err


def test_gates_decide_the_exit_code(command: Command, sample_onnx: Path, sample_data: list[str]) -> None:
    arguments = ["evaluate", sample_onnx, *sample_data, "--json", "-", "--quiet"]
    passed = command(*arguments, "--fail-under", "hmean-iou:hmean=0.97", "--fail-under", "hmean-iou:recall=0.97")
    assert (passed.code, passed.err) == (0, "")
    assert (passed.document["passed"], passed.document["failures"]) == (True, [])
    failed = command(*arguments, "--fail-under", "hmean-iou:hmean=0.98")
    assert failed.code == 1
    assert failed.error == (
        f"failed: hmean-iou:hmean of {sample_onnx} on ONNX Runtime (demo_data) is 0.9726, 0.0074 under 0.98"
    )
    assert failed.document["failures"] == [failed.error.removeprefix("failed: ")]


@pytest.fixture
def worse_onnx(sample_onnx: Path, tmp_path: Path) -> Path:
    """The sample model, whose spec asks for more certain text: it finds less."""
    model = onnx.load_model(sample_onnx)
    for prop in model.metadata_props:
        prop.value = prop.value.replace('"min_text_score":0.3', '"min_text_score":0.9')
    path = tmp_path / "worse.onnx"
    onnx.save_model(model, path)
    return path


@pytest.fixture
def nan_onnx(sample_onnx: Path, sample_dir: Path, tmp_path: Path) -> Path:
    """The sample model, which gives NaN for the images that are brighter, or darker, than the first."""
    with open_predictor(sample_onnx) as predictor:
        names = [image["file_name"] for image in json.loads((sample_dir / "instances_test.json").read_text())["images"]]
        first, *others = (float(predictor.prepare(sample_dir / "imgs" / name).tensor.mean()) for name in names)
    other = max(others, key=lambda mean: abs(mean - first))
    model = onnx.load_model(sample_onnx)
    graph = model.graph
    output = graph.output[0].name
    graph.node[-1].output[0] = "finite"
    constants = {"limit": (first + other) / 2, "direction": 1 if first > other else -1, "zero": 0}
    for name, value in constants.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), name))
    for operator, inputs, result in (
        ("ReduceMean", ["input"], "mean"), ("Sub", ["mean", "limit"], "above"),
        ("Mul", ["above", "direction"], "inside"), ("Sqrt", ["inside"], "root"),
        ("Mul", ["root", "zero"], "nothing"), ("Add", ["finite", "nothing"], output),
    ):  # fmt: skip
        graph.node.append(onnx.helper.make_node(operator, inputs, [result]))
    path = tmp_path / "nan.onnx"
    onnx.save_model(model, path)
    return path


def test_an_image_on_which_a_model_fails_has_its_line_and_the_command_fails(
    command: Command, sample_onnx: Path, nan_onnx: Path, sample_data: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "p.jsonl"
    outcome = command("evaluate", nan_onnx, sample_onnx, *sample_data, "--predictions", path, "-q", "--json", "-")
    assert outcome.code == 1
    failed, whole = outcome.document["rows"]
    assert "holds NaN or infinity" in failed["failure"]
    assert failed["images"] + failed["images_failed"] == whole["images"] == 8
    assert f"failed on {failed['images_failed']} images of " in outcome.error
    models = [json.loads(line)["model"] for line in path.read_text().splitlines()]
    assert models.count(str(sample_onnx)) == 8
    assert models.count(str(nan_onnx)) == 8
    scored = command(
        "evaluate", *sample_data, "--from-predictions", path, "--task", "det", "-q", "--json", "-", "--skip-broken"
    )
    assert scored.document["rows"][-1]["metrics"] == whole["metrics"]


def test_a_drop_against_the_first_column_fails_and_a_better_score_never_does(
    command: Command, sample_onnx: Path, worse_onnx: Path, sample_data: list[str]
) -> None:
    options = [*sample_data, "--max-drop", "0.005", "--json", "-", "--quiet"]
    failed = command("evaluate", sample_onnx, worse_onnx, *options)
    assert failed.code == 1
    assert failed.error.startswith(f"failed: hmean-iou:hmean of {worse_onnx} on ONNX Runtime {worse_onnx} (demo_data)")
    assert "under the 0.9726 of ONNX Runtime" in failed.error
    assert command("evaluate", worse_onnx, sample_onnx, *options).code == 0
    assert command("evaluate", sample_onnx, *options, "--backend", "torch,onnxruntime").code == 0


def test_predictions_are_scored_without_running_a_model(
    command: Command,
    sample_onnx: Path,
    sample_dir: Path,
    sample_data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "p.jsonl"
    options = ["--predictions", path, "--backend", "torch,onnxruntime", "--json", "-"]
    run = command("evaluate", sample_onnx, *sample_data, *options).document["rows"]
    monkeypatch.setattr("ocrdeploy.running.models.open_model", None)
    for model in ([], [sample_onnx]):
        document = command("evaluate", *model, *sample_data, "--from-predictions", path, "--json", "-").document
        assert [row["metrics"] for row in document["rows"]] == [row["metrics"] for row in run]
        assert [row["backend"] for row in document["rows"]] == ["torch", "onnxruntime"]
        assert {row["images_per_second"] for row in document["rows"]} == {None}
    moved = tmp_path / "moved.jsonl"
    moved.write_text(path.read_text().replace(str(sample_onnx), "gone.onnx"))
    document = command("evaluate", *sample_data, "--from-predictions", moved, "--json", "-").document
    assert [row["metrics"] for row in document["rows"]] == [row["metrics"] for row in run]
    config = ["--config", sample_dir / "dbnet_sample.py"]
    document = command("evaluate", *config, *sample_data, "--from-predictions", moved, "--json", "-").document
    assert [row["metrics"] for row in document["rows"]] == [row["metrics"] for row in run]
    fixed = command("evaluate", *sample_data, "--from-predictions", path, "--score-thr", "0.99", "--json", "-")
    assert fixed.document["rows"][0]["metrics"]["hmean-iou:recall"] < 0.5
    assert command("evaluate", *sample_data, "--from-predictions", path, "--max-drop", "0").code == 0
    outcome = command("evaluate", "--from-predictions", moved)
    assert outcome.code == 2
    assert outcome.error.startswith(f"nothing says which data set {moved}, line 1 is for: gone.onnx cannot be asked")


def test_predictions_that_do_not_fit_the_data_set_are_refused_with_their_line(
    command: Command, sample_onnx: Path, sample_data: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "p.jsonl"
    assert command("evaluate", sample_onnx, *sample_data, "--predictions", path).code == 0
    lines = path.read_text().splitlines(keepends=True)

    def error(*changed: str) -> str:
        path.write_text("".join(changed))
        outcome = command("evaluate", *sample_data, "--from-predictions", path)
        assert outcome.code == 2
        return outcome.error.removeprefix(f"{path}, line ")

    assert error(*lines[:2], *lines[3:]).startswith("3: a prediction for ")
    assert error(*lines[:-1]).startswith("8: a prediction for ")
    assert error(*lines, lines[-1]).startswith("9: a prediction for ")
    assert error(*lines[:4], "{\n", *lines[4:]).startswith("5: expected a prediction as JSON")
    assert error(lines[0].replace('"polygons"', '"polygon"')).startswith("1: expected a prediction as JSON")
    words = json.dumps({"image": "a", "model": str(sample_onnx), "backend": "torch", "text": "", "char_scores": []})
    assert error(words).startswith("1: a prediction for task 'recog', and the model is for 'det'")


def test_several_data_sets_are_told_apart_in_one_file_of_predictions(
    command: Command, seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    model = seeded_onnx("dbnet")
    text = model.with_suffix(".py").read_text()
    one = "dict(type='IcdarDataset', ann_file='scenes/instances.json', img_prefix='scenes/imgs', pipeline=None)"
    config = tmp_path / "two.py"
    config.write_text(text.replace(one, f"{one.replace('scenes/', 'first/')}, {one.replace('scenes/', 'second/')}"))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "instances.json").symlink_to(sample_dir / "instances_test.json")
        (tmp_path / name / "imgs").symlink_to(sample_dir / "imgs")
    run = command("evaluate", model, "--config", config, "--json", "-", "--predictions", "p.jsonl").document["rows"]
    again = command("evaluate", model, "--config", config, "--json", "-", "--from-predictions", "p.jsonl").document
    assert [(row["dataset"], row["images"], row["metrics"]) for row in again["rows"]] == [
        (row["dataset"], row["images"], row["metrics"]) for row in run
    ]
    assert [row["dataset"] for row in again["rows"]] == ["first", "second", "mean"]


def test_a_part_of_another_model_is_not_gone_on_from(
    command: Command, sample_onnx: Path, worse_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    images = tmp_path / "imgs"
    images.mkdir()
    names = [image["file_name"] for image in json.loads((sample_dir / "instances_test.json").read_text())["images"]]
    for name in names[:-1]:
        (images / name).symlink_to(sample_dir / "imgs" / name)
    path = tmp_path / "p.jsonl"
    options = ["--ann-file", sample_dir / "instances_test.json", "--img-prefix", images, "--predictions", path]
    assert command("evaluate", sample_onnx, *options).code == 2
    part = tmp_path / "p.jsonl.part"
    assert part.exists()
    refused = command("evaluate", worse_onnx, *options, "--resume")
    assert refused.code == 2
    assert refused.error.startswith(f"{part} is of a run with models ")
    assert (
        "batch size 1, this one has 2"
        in command("evaluate", sample_onnx, *options, "--resume", "--batch-size", 2).error
    )
    (images / names[-1]).symlink_to(sample_dir / "imgs" / names[-1])
    row = command("evaluate", sample_onnx, *options, "--resume", "--json", "-").document["rows"][0]
    assert (row["images"], row["resumed"]) == (8, 7)
    assert row["metrics"]["hmean-iou:hmean"] == pytest.approx(HMEAN_ON_SAMPLE, abs=1e-4)
    assert len(path.read_text().splitlines()) == 8
    assert not part.exists()


@pytest.fixture
def words(seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path: Path) -> tuple[Path, list[str], Path]:
    """A recogniser, options that name four words of which the second is broken, and their folder."""
    images = tmp_path / "words"
    images.mkdir()
    names = sorted(path.name for path in (sample_dir / "imgs").iterdir())[:4]
    for name in names:
        (images / name).write_bytes((sample_dir / "imgs" / name).read_bytes())
    (images / names[1]).write_bytes(b"")
    labels = tmp_path / "labels.tsv"
    labels.write_text("".join(f"{name}\ta\n" for name in names))
    return seeded_onnx("crnn"), ["--data", str(labels), "--img-prefix", str(images), "-q"], images


def test_what_was_left_out_has_its_line_and_a_shortened_file_is_an_error(
    command: Command, words: tuple[Path, list[str], Path], tmp_path: Path
) -> None:
    model, options, _ = words
    path = tmp_path / "p.jsonl"
    assert command("evaluate", model, *options, "--predictions", path, "--skip-broken").code == 0
    lines = path.read_text().splitlines(keepends=True)
    assert ["error" in json.loads(line) for line in lines] == [False, True, False, False]
    stored = ["evaluate", *options, "--from-predictions", path, "--json", "-"]
    row = command(*stored, "--skip-broken").document["rows"][0]
    assert (row["images"], row["broken"]) == (3, 1)
    refused = command(*stored)
    assert refused.code == 2
    assert refused.error.startswith(f"{path}, line 2: ")
    path.write_text(lines[0])
    assert "a prediction for " in command(*stored, "--skip-broken").error


@pytest.mark.parametrize("batch", [[], ["--batch-size", "2", "--pad-batches"]])
def test_a_run_that_is_gone_on_with_tries_what_was_mended_or_replaced(
    batch: list[str], command: Command, words: tuple[Path, list[str], Path], tmp_path: Path
) -> None:
    model, options, images = words
    options = [*options, *batch, "--skip-broken"]
    path, part = tmp_path / "p.jsonl", tmp_path / "p.jsonl.part"
    names = sorted(each.name for each in images.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ocrdeploy.predictions.files.atomic_write", None)
        assert command("evaluate", model, *options, "--predictions", path).code == 1
    assert len(part.read_text().splitlines()) == 1 + 4
    again = command("evaluate", model, *options, "--predictions", path)
    assert again.code == 2
    assert again.error.startswith(f"{part} holds results of an interrupted run, which would be lost")
    (images / names[1]).write_bytes((images / names[0]).read_bytes())
    (images / names[2]).write_bytes((images / names[3]).read_bytes())
    assert command("evaluate", model, *options, "--predictions", path, "--resume").code == 0
    whole = tmp_path / "whole.jsonl"
    assert command("evaluate", model, *options, "--predictions", whole).code == 0
    assert path.read_bytes() == whole.read_bytes()
    texts = [json.loads(line)["text"] for line in path.read_text().splitlines()]
    assert (texts[0], texts[2]) == (texts[1], texts[3]) or batch


@pytest.mark.parametrize(
    ("models", "code", "message"),
    [
        (["other.onnx"], 2, "other.onnx"),
        (["nothere.onnx"], 2, "model nothere.onnx does not exist"),
        (["MODEL", "other.onnx"], 2, "p.jsonl holds no predictions of other.onnx. Leave the model out."),
    ],
)
def test_predictions_of_other_models_than_those_named_are_refused(
    models: list[str], code: int, message: str, command: Command, words: tuple[Path, list[str], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    model, options, _ = words
    Path("other.onnx").write_bytes(model.read_bytes())
    assert command("evaluate", model, *options, "--predictions", "p.jsonl", "--skip-broken").code == 0
    named = [str(model) if each == "MODEL" else each for each in models]
    outcome = command("evaluate", *named, *options, "--from-predictions", "p.jsonl", "--skip-broken")
    assert outcome.code == code
    assert message in outcome.error or "is none of the models that were named" in outcome.error


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_predictions_of_names_that_are_no_utf_8_are_read_again(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    images, labels, path = tmp_path / "imgs", tmp_path / "labels", tmp_path / "p.jsonl"
    for folder in (images, labels):
        folder.mkdir()
    name = os.fsdecode(b"w\xffrd")
    (images / f"{name}.jpg").write_bytes((sample_dir / "imgs/syn_0022.jpg").read_bytes())
    (labels / f"gt_{name}.txt").write_text("1,1,50,1,50,50,1,50,word\n")
    options = ["--data", labels, "--img-prefix", images, "-q"]
    assert command("evaluate", small_onnx, *options, "--predictions", path).code == 0
    assert command("evaluate", small_onnx, *options, "--from-predictions", path).code == 0
