"""Gates of benchmarks: bounds, and an earlier measurement whose rounds' spread counts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ocrdeploy.benchmarking.gates import (
    SpeedBaseline,
    SpeedGates,
    parse_speed_maximum,
    parse_speed_minimum,
    read_speed_baseline,
)
from ocrdeploy.benchmarking.measuring import STAGES, Benchmark, Latency, Ratio
from ocrdeploy.benchmarking.rows import BenchmarkRow
from ocrdeploy.errors import InputError, UsageError


def row(*rounds: float, model: str = "m.onnx") -> BenchmarkRow:
    """Return a row with the images a second of its rounds."""
    ratio = Ratio(1, 1, 1)
    measured = Benchmark(
        model=0, batch=1, shapes=((1, 3, 64, 64),), images=2, rounds=len(rounds), threads=1,
        stages=dict.fromkeys(STAGES, Latency(10, 20, 30, 15)), images_per_second=sorted(rounds)[len(rounds) // 2],
        network_images_per_second=50.0, rounds_images_per_second=rounds, ratio=ratio, network_ratio=ratio,
        peak_rss_mib=100.0, bottleneck="inference", bottleneck_share=1,
    )  # fmt: skip
    return BenchmarkRow(model, "onnxruntime", "fp32", "cpu", "a CPU", measured, size_mib=3.0)


def earlier(tmp_path: Path, *rows: BenchmarkRow) -> SpeedBaseline:
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"schema": 1, "command": "benchmark", "rows": [each.document() for each in rows]}))
    return read_speed_baseline(path)


def failures(gates: SpeedGates, *rows: BenchmarkRow) -> list[str]:
    return [text for check in gates.checks(rows) for text in check.failures]


def test_bounds_are_kept_or_told() -> None:
    gates = SpeedGates(tuple(map(parse_speed_minimum, ["images_per_second=20", "network_images_per_second=20"])))
    assert failures(gates, row(20)) == []
    assert failures(gates, row(10)) == [
        "images_per_second of m.onnx on onnxruntime fp32, cpu, batch 1 is 10.00, 10.00 under 20"
    ]
    gates = SpeedGates(tuple(map(parse_speed_maximum, ["inference:p90=19.5", "size_mib=3"])))
    (text,) = failures(gates, row(10))
    assert text.endswith("is 20.00, 0.5000 over 19.5")
    assert failures(gates, replace(row(10), size_mib=None))[-1].startswith("size_mib of m.onnx on ")


@pytest.mark.parametrize(
    ("before", "now", "passes"),
    [
        ((10, 11, 12), (10, 11, 12), True),
        ((10, 11, 12), (20, 21, 22), True),
        ((10, 11, 12), (8, 9, 9.5), False),
        ((10, 11, 12), (5, 6, 10.5), True),  # the spreads overlap
        ((10, 10.1, 10.2), (9.7, 9.8, 9.9), True),  # three parts of a hundred are within what two runs differ by
    ],
)
def test_slower_is_what_the_spread_does_not_explain(
    before: tuple[float, ...], now: tuple[float, ...], passes: bool, tmp_path: Path
) -> None:
    assert (failures(SpeedGates(baseline=earlier(tmp_path, row(*before))), row(*now)) == []) is passes


def test_what_was_not_measured_before_fails(tmp_path: Path) -> None:
    gates = SpeedGates(baseline=earlier(tmp_path, row(10)))
    assert "has no speed of n.onnx on onnxruntime" in failures(gates, row(10, model="n.onnx"))[0]
    assert "was measured on a CPU with the shape" in failures(gates, replace(row(10), cpu="another"))[0]


def test_what_is_no_baseline_or_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"schema": 1, "command": "benchmark", "rows": [row(10).document() | {"batch": "x"}]}))
    with pytest.raises(InputError, match="is no result of benchmark"):
        read_speed_baseline(path)
    with pytest.raises(UsageError, match="there is no 'fps'; there are images_per_second, network"):
        parse_speed_minimum("fps=20")
    with pytest.raises(UsageError, match="a number from 0 on was expected, got '-1'"):
        parse_speed_minimum("images_per_second=-1")
    with pytest.raises(UsageError, match="--max-slowdown is a part from 0 to 1"):
        SpeedGates(max_slowdown=2)
