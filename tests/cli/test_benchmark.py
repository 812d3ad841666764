import shutil
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]
QUICK = ("--rounds", 2, "--count", 2)


def test_the_json_holds_a_row_for_each_model_and_batch_size(
    command: Command, sample_onnx: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(sample_onnx, tmp_path)
    outcome = command(
        "benchmark",
        sample_onnx,
        copy,
        *QUICK,
        "--batch-size",
        1,
        "--batch-size",
        2,
        "--json",
        "-",
        "--threads",
        1,
    )
    assert outcome.code == 0
    document = outcome.document
    assert (document["schema"], document["command"]) == (1, "benchmark")
    assert [row["batch"] for row in document["rows"]] == [1, 1, 2, 2]
    assert [row["model"] for row in document["rows"]] == [str(sample_onnx), str(copy)] * 2
    for row in document["rows"]:
        assert row["backend"] == "onnxruntime"
        assert row["threads"] == 1
        assert row["images"] == 2
        assert row["shape"][:2] == [row["batch"], 3]
        assert list(row["stages"]) == ["read", "preprocess", "inference", "postprocess"]
        for stage in row["stages"].values():
            assert stage["p50"] <= stage["p90"] <= stage["p99"]
            assert stage["mean"] > 0
        assert row["images_per_second"] > 0
        assert row["network_images_per_second"] > 0
        assert row["peak_rss_mib"] > 10


def test_the_table_names_the_bottleneck(command: Command, sample_dir: Path, sample_onnx: Path) -> None:
    outcome = command("benchmark", sample_onnx, *QUICK, "--shape", 1, 3, 64, 96, "--images", sample_dir / "imgs")
    assert outcome.code == 0
    assert "1×3×64×96" in outcome.out
    assert "| bottleneck" in " ".join(outcome.out.split())


def test_a_shape_and_a_batch_size_contradict_each_other(command: Command, sample_onnx: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--shape", 1, 3, 64, 96, "--batch-size", 2)
    assert outcome.code == 2
    assert "give one of them" in outcome.error


def test_images_that_are_not_there_are_an_error(command: Command, sample_onnx: Path, tmp_path: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--images", tmp_path / "none.jpg")
    assert outcome.code == 2
    assert "none.jpg" in outcome.error
