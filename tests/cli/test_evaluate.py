import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.errors import MissingPackageError
from tests.cli.conftest import HMEAN_ON_SAMPLE, Outcome

Command = Callable[..., Outcome]


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
        (["--backend", "caffe"], 2, "a backend is torch, onnxruntime, openvino or tensorrt, got 'caffe'"),
        (["--ann-file", "none.json"], 2,
         "none.json: there is no such annotation file. --ann-file names it, relative to the current folder HERE."),
        (["--data", "a", "--ann-file", "b"], 2, "--data and --ann-file both name the annotations: give one of them"),
        (["--score-thr", "2"], 2, "a score threshold is between 0 and 1, got 2.0"),
        (["--predictions", "/dev/null/p.jsonl"], 2,
         "/dev/null/p.jsonl cannot be written: /dev/null is no folder"),
        (["--device", "cuda:97"], 3, None),
        (["--resume"], 2, "--resume continues a run whose results --predictions writes to a file. Name the file."),
        (["--resume", "--predictions", "-"], 2,
         "--resume continues a run whose results --predictions writes to a file. Name the file."),
        (["--json", "-", "--csv", "-"], 2, "--json and --csv both write to standard output: give one of them a file"),
        (["--markdown", "a", "--predictions", "./a"], 2,
         "--markdown and --predictions both write to ./a: give one of them a file"),
        (["--markdown", "/dev/null/t.md"], 2,
         "/dev/null/t.md cannot be written: /dev/null is no folder"),
        (["--pad-batches"], 2, "--pad-batches is for text recognition, and MODEL detects text"),
        (["--fail-under", "hmean=0.5"], 2, None),
        (["--max-drop", "0.005"], 2,
         ("--max-drop compares with the first column, and there is only one. Give several backends or models, "
         "or an earlier result with --baseline.")),
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
        assert outcome.error == message.replace("MODEL", str(sample_onnx)).replace("HERE", str(Path.cwd()))
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


def test_a_package_that_is_not_installed_is_named_in_its_cell(
    command: Command, sample_onnx: Path, sample_data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def require_torch() -> None:
        raise MissingPackageError("torch", "run or export a checkpoint", "pip install 'ocrdeploy[torch]'")

    monkeypatch.setattr("ocrdeploy.running.models.require_torch", require_torch)
    outcome = command("evaluate", sample_onnx, "--backend", "torch,onnx", *sample_data, "--markdown", "-", "--quiet")
    assert outcome.code == 3
    assert outcome.error.endswith("Install it with: pip install 'ocrdeploy[torch]'")
    assert "| hmean-iou:recall | no torch | 0.9726 |" in outcome.out
    alone = command("evaluate", sample_onnx, "--backend", "torch", *sample_data)
    assert (alone.code, alone.out) == (3, "")
