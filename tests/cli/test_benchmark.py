import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ocrdeploy.backends import BackendName
from ocrdeploy.benchmarking import STAGES, Benchmark, Latency, Ratio
from ocrdeploy.cli.benchmark_report import benchmark_document, print_benchmark
from ocrdeploy.cli.output import Output
from ocrdeploy.hardware import CPU
from tests.cli.conftest import Outcome

Command = Callable[..., Outcome]
QUICK = ("--rounds", 2, "--count", 2)


class FakeBackend:
    """A backend that is named, and does not run."""

    name: BackendName = "onnxruntime"
    precision = "fp32"
    device = CPU
    tf32 = False

    def run(self, _batch: object) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


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
    assert rows["ratio to [1]"] == "1.00"
    assert {"read p50, ms", "inference p90, ms", "images/s", "bottleneck", "peak memory, MiB"} <= rows.keys()


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
    latency = Latency(1234.56, 2345.67, 3456.78, 1500.0)
    ratio = Ratio(1.25, 0.87, 11.5)
    result = Benchmark(
        model=0, batch=16, shapes=((16, 3, 736, 1312),), images=16, rounds=5, threads=2,
        stages=dict.fromkeys(STAGES, latency), images_per_second=12345.67, network_images_per_second=23456.78,
        ratio=ratio, network_ratio=ratio, peak_rss_mib=123456.0, bottleneck="postprocess", bottleneck_share=0.98,
    )  # fmt: skip
    print_benchmark(["a.onnx"] * 3, [FakeBackend()] * 3, [result] * 3, output)
    lines = paper.getvalue().splitlines()[3:]
    assert any("┃" in line for line in lines) is is_drawn
    if is_drawn:
        assert max(map(len, lines)) <= 80
    for number in ("1234.56", "2345.67", "12345.67", "16×3×736×1312", "0.87 to 11.50", "123456", "postprocess"):
        assert sum(number in line for line in lines) >= 1


def test_images_of_several_sizes_are_not_one_shape() -> None:
    ratio = Ratio(1, 1, 1)
    result = Benchmark(
        model=0, batch=1, shapes=((1, 3, 736, 1312), (1, 3, 736, 992)), images=2, rounds=1, threads=1,
        stages=dict.fromkeys(STAGES, Latency(1, 1, 1, 1)), images_per_second=1, network_images_per_second=1,
        ratio=ratio, network_ratio=ratio, peak_rss_mib=1, bottleneck="inference", bottleneck_share=1,
    )  # fmt: skip
    document = benchmark_document("a.onnx", FakeBackend(), result)
    assert (document["shape"], document["shapes"]) == ([1, 3, 736, -1], [[1, 3, 736, 1312], [1, 3, 736, 992]])
    assert "model" in document


def test_a_shape_and_a_batch_size_contradict_each_other(command: Command, sample_onnx: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--shape", 1, 3, 64, 96, "--batch-size", 2)
    assert outcome.code == 2
    assert "give one of them" in outcome.error


def test_images_that_are_not_there_are_an_error(command: Command, sample_onnx: Path, tmp_path: Path) -> None:
    outcome = command("benchmark", sample_onnx, "--images", tmp_path / "none.jpg")
    assert outcome.code == 2
    assert "none.jpg" in outcome.error
