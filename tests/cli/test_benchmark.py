import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from ocrdeploy.benchmarking.measuring import STAGES, Benchmark, InputShape, Latency, Ratio
from ocrdeploy.benchmarking.rows import BenchmarkRow
from ocrdeploy.cli.benchmark_report import csv_text, markdown_table, print_benchmark
from ocrdeploy.cli.output import Output
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
        "--batch-size",
        1,
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
    assert document["rows"][0]["ratio"] == {"median": 1.0, "lowest": 1.0, "highest": 1.0}
    assert all(row["ratio"]["median"] != 1 for row in document["rows"][1:])
    for row in document["rows"]:
        assert row["device"] == "cpu"
        assert row["shape"] in row["shapes"] or len(row["shapes"]) > 1
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


def test_the_table_has_a_column_a_measurement(command: Command, sample_dir: Path, sample_onnx: Path) -> None:
    outcome = command("benchmark", sample_onnx, *QUICK, "--shape", 1, 3, 64, 96, "--images", sample_dir / "imgs")
    assert outcome.code == 0
    first, *lines = outcome.out.splitlines()
    assert first == f"[1] {sample_onnx} on ONNX Runtime fp32, cpu, batch 1"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["", "[1]"]
    rows = dict(cells[2:])
    assert rows["input"] == "1×3×64×96"
    assert "speed, times [1]" not in rows
    assert {"read p50, ms", "inference p90, ms", "images/s", "slowest stage", "peak memory, MiB"} <= rows.keys()


def row(model: str = "a.onnx", shapes: tuple[InputShape, ...] = ((16, 3, 736, 1312),)) -> BenchmarkRow:
    """Return a row of a model that ran with some shapes."""
    measured = Benchmark(
        model=0, batch=16, shapes=shapes, images=16, rounds=5, threads=2,
        stages=dict.fromkeys(STAGES, Latency(1234.56, 2345.67, 3456.78, 1500.0)),
        images_per_second=12345.67, network_images_per_second=23456.78,
        rounds_images_per_second=(12000.0, 12345.67, 12500.0), ratio=Ratio(1.25, 0.87, 11.5),
        network_ratio=Ratio(1.25, 0.87, 11.5), peak_rss_mib=123456.0, bottleneck="postprocess", bottleneck_share=0.98,
    )  # fmt: skip
    return BenchmarkRow(model, "onnxruntime", "fp32", "cpu", "a CPU", measured, size_mib=2.5)


def test_an_image_that_is_not_there_is_told_before_the_machine_is_looked_at(
    command: Command, sample_onnx: Path
) -> None:
    outcome = command("benchmark", sample_onnx, "--images", "nothere.jpg", "--device", "cuda:7")
    assert (outcome.code, outcome.error) == (2, "image nothere.jpg does not exist")


def test_a_shape_that_the_network_cannot_read_is_refused(command: Command, seeded_onnx: Callable[[str], Path]) -> None:
    outcome = command("benchmark", seeded_onnx("crnn"), *QUICK, "--shape", 1, 1, 32, 1)
    assert (outcome.code, outcome.error) == (2, "image 1: the model reads images at least 4 wide, got 1×1×32×1")


@pytest.mark.parametrize(("width", "is_drawn"), [(20, False), (40, False), (80, True), (120, True)])
def test_three_models_fit_80_columns_and_numbers_are_whole_on_fewer(width: int, is_drawn: bool) -> None:
    output, paper = Output(), io.StringIO()
    console = Console(file=paper, force_terminal=True, width=width, color_system=None, markup=False, soft_wrap=True)
    object.__setattr__(output, "console", console)
    print_benchmark([row()] * 3, output)
    lines = paper.getvalue().splitlines()[3:]
    assert any("┃" in line for line in lines) is is_drawn
    if is_drawn:
        assert max(map(len, lines)) <= 80
    for number in ("1234.56", "2345.67", "12345.67", "16×3×736×1312", "0.87 to 11.50", "123456", "postprocess"):
        assert sum(number in line for line in lines) >= 1


def test_images_of_several_sizes_are_not_one_shape() -> None:
    document = row(shapes=((1, 3, 736, 1312), (1, 3, 736, 992))).document()
    assert (document["shape"], document["shapes"]) == ([1, 3, 736, -1], [[1, 3, 736, 1312], [1, 3, 736, 992]])
    assert document["model"] == "a.onnx"


def test_markdown_and_csv_have_the_numbers() -> None:
    lines = markdown_table([row("a|b.onnx"), row()]).splitlines()
    assert lines[0].startswith("|  | a\\|b.onnx on ONNX Runtime fp32, cpu, batch 16 | a.onnx on")
    assert lines[1] == "|---|---:|---:|"
    assert "| images/s | 12345.67 | 12345.67 |" in lines
    header, first, _ = csv.reader(csv_text([row("=a.onnx"), row()]).splitlines())
    values = dict(zip(header, first, strict=True))
    assert (values["model"], values["shape"], values["size_mib"]) == ("'=a.onnx", "16x3x736x1312", "2.5")
    assert values["inference:p90"] == "2345.67"


def test_gates_and_a_baseline_are_judged_and_told_to_ci(command: Command, sample_onnx: Path, tmp_path: Path) -> None:
    run = ("benchmark", sample_onnx, "--rounds", 1, "--count", 1, "--shape", 1, 3, 64, 64, "--threads", 1)
    old = tmp_path / "old.json"
    assert command(*run, "--json", old, "--fail-under", "images_per_second=0.01").code == 0
    document = json.loads(old.read_text())
    assert document["passed"]
    assert len(document["rows"][0]["rounds_images_per_second"]) == 1
    document["rows"][0] |= {"images_per_second": 1e6, "rounds_images_per_second": [1e6]}
    old.write_text(json.dumps(document))
    junit = tmp_path / "junit.xml"
    outcome = command(*run, "--baseline", old, "--fail-over", "size_mib=0.001", "--junit", junit, "--github")
    assert outcome.code == 1
    assert "size_mib of" in outcome.error
    assert "its fastest round" in outcome.error
    assert outcome.out.count("::error title=ocrdeploy benchmark::") == 2
    suite = ET.fromstring(junit.read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")


def test_a_slowdown_needs_a_baseline(command: Command, sample_onnx: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--max-slowdown", 0.1)
    assert (outcome.code, outcome.error) == (2, "--max-slowdown cannot matter without --baseline. Leave it out.")


def test_a_shape_and_a_batch_size_contradict_each_other(command: Command, sample_onnx: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--shape", 1, 3, 64, 96, "--batch-size", 2)
    assert outcome.code == 2
    assert "give one of them" in outcome.error


def test_images_that_are_not_there_are_an_error(command: Command, sample_onnx: Path, tmp_path: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--images", tmp_path / "none.jpg")
    assert outcome.code == 2
    assert "none.jpg" in outcome.error
