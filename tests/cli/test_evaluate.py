import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from ocrdeploy.errors import MissingPackageError
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]

HMEAN_ON_SAMPLE = 0.9726
"""What the real MMOCR 0.6.3 gives on the bundled images."""


def test_one_row_a_backend_with_mmocrs_metrics(command: Command, sample_onnx: Path, sample_data: list[str]) -> None:
    outcome = command("evaluate", sample_onnx, "--backend", "PyTorch,ONNXRuntime", *sample_data, "--json", "-")
    assert outcome.code == 0
    document = outcome.document
    assert (document["schema"], document["command"], document["task"]) == (1, "evaluate", "det")
    torch_row, onnx_row = document["rows"]
    assert [torch_row["backend"], onnx_row["backend"]] == ["torch", "onnxruntime"]
    assert torch_row["metrics"] == onnx_row["metrics"]
    assert onnx_row["metrics"]["hmean-iou:hmean"] == pytest.approx(HMEAN_ON_SAMPLE, abs=1e-4)
    assert set(onnx_row["metrics"]) == {"hmean-iou:recall", "hmean-iou:precision", "hmean-iou:hmean"}
    assert (onnx_row["model"], onnx_row["architecture"]) == (str(sample_onnx), "DBNet")
    assert (onnx_row["precision"], onnx_row["images"], onnx_row["dataset"]) == ("fp32", 8, "demo_data")
    assert onnx_row["images_per_second"] == pytest.approx(8 / onnx_row["seconds"])


def test_predictions_are_a_line_an_image_in_the_data_sets_order(
    command: Command, sample_onnx: Path, sample_dir: Path, sample_data: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "p.jsonl"
    assert command("evaluate", sample_onnx, *sample_data, "--predictions", path, "--batch-size", 3).code == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = [image["file_name"] for image in json.loads((sample_dir / "instances_test.json").read_text())["images"]]
    assert [line["image"] for line in lines] == names
    assert all(set(line) == {"image", "model", "backend", "polygons", "scores"} for line in lines)
    assert all(len(polygon) == 8 for line in lines for polygon in line["polygons"])
    assert all(len(line["polygons"]) == len(line["scores"]) for line in lines)


def test_without_a_model_the_one_in_the_current_folder_is_taken(
    command: Command, sample_onnx: Path, sample_data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("evaluate").error == (
        "the current folder holds no .onnx file for backend onnxruntime. Name the model."
    )
    (tmp_path / "model.onnx").write_bytes(sample_onnx.read_bytes())
    outcome = command("evaluate", *sample_data, "--json", "-")
    assert outcome.document["rows"][0]["model"] == "model.onnx"
    (tmp_path / "other.onnx").write_bytes(sample_onnx.read_bytes())
    assert "holds several models for backend onnxruntime: model.onnx, other.onnx" in command("evaluate").error


def test_a_checkpoint_is_evaluated_with_its_config(command: Command, sample_dir: Path, sample_data: list[str]) -> None:
    outcome = command(
        "evaluate", sample_dir / "dbnet_sample.pth", "--config", sample_dir / "dbnet_sample.py", *sample_data,
        "--json", "-",
    )  # fmt: skip
    assert outcome.document["rows"][0]["backend"] == "torch"
    assert outcome.document["rows"][0]["metrics"]["hmean-iou:hmean"] == pytest.approx(HMEAN_ON_SAMPLE, abs=1e-4)


def test_the_data_set_of_the_config_is_relative_to_the_current_folder(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("evaluate", sample_onnx).error.startswith("sample/instances_test.json: ")
    (tmp_path / "sample").symlink_to(sample_dir)
    outcome = command("evaluate", sample_onnx, "--json", "-")
    assert outcome.document["rows"][0]["dataset"] == "sample"


def test_several_data_sets_give_a_row_each_and_their_mean(
    command: Command,
    seeded_onnx: Callable[[str], Path],
    sample_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    model = seeded_onnx("dbnet")
    text = model.with_suffix(".py").read_text()
    one = "dict(type='IcdarDataset', ann_file='scenes/instances.json', img_prefix='scenes/imgs', pipeline=None)"
    assert one in text
    two = f"{one.replace('scenes/', 'first/')}, {one.replace('scenes/', 'second/')}"
    config = tmp_path / "two.py"
    config.write_text(text.replace(one, two))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "instances.json").symlink_to(sample_dir / "instances_test.json")
        (tmp_path / name / "imgs").symlink_to(sample_dir / "imgs")
    rows = command("evaluate", model, "--config", config, "--json", "-").document["rows"]
    assert [row["dataset"] for row in rows] == ["first", "second", "mean"]
    assert rows[2]["metrics"] == pytest.approx(rows[0]["metrics"])
    assert rows[2]["images"] == 16


def test_your_own_words_need_no_config(
    command: Command, seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("syn_0022.jpg\thello\nsyn_0024.jpg\tworld\nnone.jpg\tx\nno tab\n")
    options = ["--data", words, "--img-prefix", sample_dir / "imgs", "--json", "-"]
    outcome = command("evaluate", seeded_onnx("crnn"), *options)
    assert outcome.code == 2
    assert "none.jpg" in outcome.error
    row = command("evaluate", seeded_onnx("crnn"), *options, "--skip-broken").document["rows"][0]
    assert (row["images"], row["broken"]) == (2, 2)
    assert set(row["metrics"]) == {
        "word_acc", "word_acc_ignore_case", "word_acc_ignore_case_symbol", "char_recall", "char_precision", "1-N.E.D"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--eval", "acc"], 2, "--eval acc does not go with task 'det', whose metrics are hmean-iou, hmean-ic13"),
        (["--task", "recog"], 2, "MODEL is a model for task 'det', not 'recog'"),
        (["--backend", "caffe"], 2, "a backend is torch, onnxruntime or tensorrt, got 'caffe'"),
        (["--ann-file", "none.json"], 2, "none.json: there is no such annotation file"),
        (["--data", "a", "--ann-file", "b"], 2, "--data and --ann-file both name the annotations: give one of them"),
        (["--score-thr", "2"], 2, "a score threshold is between 0 and 1, got 2.0"),
        (["--predictions", "none/p.jsonl"], 2,
         "none/p.jsonl cannot be written: the folder none does not exist. Make it first."),
        (["--device", "cuda:97"], 3, None),
        (["--resume"], 2, "--resume goes on from what --predictions wrote to a file. Name the file."),
        (["--resume", "--predictions", "-"], 2,
         "--resume goes on from what --predictions wrote to a file. Name the file."),
        (["--json", "-", "--csv", "-"], 2, "--json and --csv both write to standard output: give one of them a file"),
        (["--markdown", "a", "--predictions", "./a"], 2,
         "--markdown and --predictions both write to ./a: give one of them a file"),
        (["--markdown", "none/t.md"], 2,
         "none/t.md cannot be written: the folder none does not exist. Make it first."),
        (["--pad-batches"], 2, "--pad-batches is for text recognition, and MODEL detects text"),
        (["--fail-under", "hmean=0.5"], 2, None),
        (["--max-drop", "0.005"], 2,
         "--max-drop compares with the first column, and there is only one. Give several backends or models."),
        (["--backend", "TensorRT"], 2, None),
        (["--from-predictions", "p.jsonl", "--backend", "torch", "--pad-batches"], 2,
         "--from-predictions runs no model: leave out --backend, --pad-batches"),
        (["--from-predictions", "none.jsonl"], 2, None),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line(
    options: list[str], code: int, message: str | None, command: Command, sample_onnx: Path
) -> None:
    outcome = command("evaluate", sample_onnx, *options)
    assert outcome.code == code
    if message is not None:
        assert outcome.error == message.replace("MODEL", str(sample_onnx))
    else:
        assert options[-1] in outcome.error


def test_a_broken_image_stops_the_run_and_names_itself(
    command: Command, sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    images = tmp_path / "imgs"
    images.mkdir()
    for image in (sample_dir / "imgs").iterdir():
        (images / image.name).write_bytes(image.read_bytes())
    broken = images / "syn_0025.jpg"
    broken.write_bytes(broken.read_bytes()[:1000])
    options = ["--ann-file", sample_dir / "instances_test.json", "--img-prefix", images]
    outcome = command("evaluate", sample_onnx, *options, "--predictions", tmp_path / "p.jsonl")
    assert outcome.code == 2
    assert "syn_0025.jpg" in outcome.error
    assert not (tmp_path / "p.jsonl").exists()
    again = command("evaluate", sample_onnx, *options, "--predictions", tmp_path / "p.jsonl", "--resume")
    assert (again.code, again.error) == (2, outcome.error)
    row = command("evaluate", sample_onnx, *options, "--skip-broken", "--json", "-").document["rows"][0]
    assert (row["images"], row["broken"]) == (7, 1)


def test_a_backend_that_this_machine_lacks_is_a_cell_and_the_others_run(
    command: Command, sample_onnx: Path, sample_data: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ocrdeploy.evaluation.runs.cuda_device_count", lambda: 0)
    options = ["--backend", "onnxruntime,tensorrt", *sample_data, "--markdown", tmp_path / "t.md"]
    outcome = command("evaluate", sample_onnx, *options, "--json", "-", "--quiet")
    assert outcome.code == 3
    assert outcome.error == ("TensorRT FP32 could not run: TensorRT runs on NVIDIA GPUs, and this machine shows none")
    onnx_row, engine_row = outcome.document["rows"]
    assert onnx_row["metrics"]["hmean-iou:hmean"] == pytest.approx(HMEAN_ON_SAMPLE, abs=1e-4)
    assert "error" not in onnx_row
    assert (engine_row["backend"], engine_row["metrics"], engine_row["images"]) == ("tensorrt", {}, 0)
    assert engine_row["error"].startswith("TensorRT runs on NVIDIA GPUs")
    line = (tmp_path / "t.md").read_text().splitlines()[2]
    assert line == "| DBNet | dbnet_sample.py | demo_data | hmean-iou:recall | 0.9726 | no GPU |"
    gated = command("evaluate", sample_onnx, *options, "--fail-under", "hmean-iou:hmean=0.99", "--quiet")
    assert gated.code == 1
    assert gated.error.startswith("failed: hmean-iou:hmean of ")
    assert "TensorRT FP32 could not run" in gated.error


def test_a_device_that_is_not_there_is_a_cell_for_each_backend(
    command: Command, sample_onnx: Path, sample_data: list[str]
) -> None:
    outcome = command(
        "evaluate",
        sample_onnx,
        "--backend",
        "torch,onnx",
        "--device",
        "cuda:97",
        *sample_data,
        "--json",
        "-",
        "--quiet",
    )
    assert outcome.code == 3
    assert [row["metrics"] for row in outcome.document["rows"]] == [{}, {}]
    assert outcome.error.count("could not run") == 2


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
    command: Command, sample_onnx: Path, sample_data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.jsonl"
    options = ["--predictions", path, "--backend", "torch,onnxruntime", "--json", "-"]
    run = command("evaluate", sample_onnx, *sample_data, *options).document["rows"]
    monkeypatch.setattr("ocrdeploy.opening.open_predictor", None)
    for model in ([], [sample_onnx]):
        document = command("evaluate", *model, *sample_data, "--from-predictions", path, "--json", "-").document
        assert [row["metrics"] for row in document["rows"]] == [row["metrics"] for row in run]
        assert [row["backend"] for row in document["rows"]] == ["torch", "onnxruntime"]
        assert {row["images_per_second"] for row in document["rows"]} == {None}
    moved = tmp_path / "moved.jsonl"
    moved.write_text(path.read_text().replace(str(sample_onnx), "gone.onnx"))
    document = command("evaluate", *sample_data, "--from-predictions", moved, "--json", "-").document
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


def test_a_package_that_is_not_installed_is_named_in_its_cell(
    command: Command, sample_onnx: Path, sample_data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def require_torch() -> None:
        raise MissingPackageError("torch", "run or export a checkpoint", "pip install 'ocrdeploy[torch]'")

    monkeypatch.setattr("ocrdeploy.opening.require_torch", require_torch)
    outcome = command("evaluate", sample_onnx, "--backend", "torch,onnx", *sample_data, "--markdown", "-", "--quiet")
    assert outcome.code == 3
    assert outcome.error.endswith("Install it with: pip install 'ocrdeploy[torch]'")
    assert "| hmean-iou:recall | no torch | 0.9726 |" in outcome.out
    alone = command("evaluate", sample_onnx, "--backend", "torch", *sample_data)
    assert (alone.code, alone.out) == (3, "")
