from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ocrdeploy.steps import Normalize, Resize
from tests.cli.conftest import Outcome
from tests.support.faults import (
    GraphEdit,
    SpecEdit,
    changed_attributes,
    changed_decoder,
    changed_step,
    changed_weight,
    plant,
)

Command = Callable[..., Outcome]


def test_a_model_that_was_edited_is_compared_and_fails(command: Command, changed_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", changed_onnx, "--images", image, "--show", "--json", "-")
    assert outcome.code == 1
    (comparison,) = outcome.document["comparisons"]
    assert not outcome.document["passed"]
    assert not comparison["tensors"][0]["passed"]
    assert comparison["results"]["missing"] > 0
    assert changed_onnx.with_suffix(".show.png").exists()


def test_the_report_says_in_words_what_failed(command: Command, changed_onnx: Path, sample_dir: Path) -> None:
    outcome = command("verify", changed_onnx, "--images", sample_dir / "imgs" / "syn_0022.jpg")
    assert outcome.code == 1
    assert "FAILED: the models differ" in outcome.out
    assert " missing" in outcome.out


PLANTED: dict[str, tuple[GraphEdit, SpecEdit, str, str, str]] = {
    "a swapped mean": (
        lambda _graph: None, changed_step(Normalize, mean=(103.53, 116.28, 123.675)),
        "pre-processing", "", "Normalize.mean",
    ),
    "a scale that is off by one": (
        lambda _graph: None, changed_step(Resize, scale=(448, 255)), "pre-processing", "", "Resize.scale"
    ),
    "a changed weight": (
        changed_weight("/backbone/layer1/layer1.1/conv2/Conv"), lambda spec: spec,
        "network", "/backbone/layer1/layer1.1/conv2/Conv", "",
    ),
    "a wrong resize mode": (
        changed_attributes("/neck/Resize_3", mode="linear", coordinate_transformation_mode="half_pixel"),
        lambda spec: spec, "network", "/neck/Resize_3", "",
    ),
    "a changed bias in the head": (
        changed_weight("/bbox_head/binarize/binarize.3/ConvTranspose", 2, 3), lambda spec: spec,
        "network", "/bbox_head/binarize/binarize.3/ConvTranspose", "",
    ),
    "another unclip ratio": (
        lambda _graph: None, changed_decoder(unclip_ratio=2.5), "post-processing", "", "DBPostprocessor.unclip_ratio"
    ),
}  # fmt: skip
"""Edits of graph and spec; the stage, the node and the setting that the report has to name."""


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named(
    fault: str, command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    graph, spec, stage, node, setting = PLANTED[fault]
    faulty = plant(small_onnx, tmp_path, graph, spec)
    image, file = sample_dir / "imgs" / "syn_0022.jpg", tmp_path / "report.json"
    outcome = command("verify", faulty, "--bisect", "--images", image, "--json", file)
    assert outcome.code == 1
    assert f"FAILED: the models differ in {stage}".replace("in network", "in the network") in outcome.out
    (comparison,) = msgspec.json.decode(file.read_bytes())["comparisons"]
    assert comparison["causes"] == [stage]
    assert len(comparison["settings"]) == bool(setting)
    if node:
        assert comparison["bisection"]["first_difference"]["node"] == node
        assert f"first difference: {node} (" in outcome.out
    else:
        assert comparison["bisection"]["first_difference"] is None
        assert comparison["settings"][0].startswith(setting)
        assert f"settings differ: {setting} is " in outcome.out


def test_a_model_that_gives_nan_fails_and_the_others_are_compared(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    node = "/backbone/layer1/layer1.1/conv2/Conv"
    broken = plant(small_onnx, tmp_path, changed_weight(node, factor=np.nan))
    image, file, page = sample_dir / "imgs" / "syn_0022.jpg", tmp_path / "report.json", tmp_path / "report.html"
    options = ["--bisect", "--images", image, "--json", file, "--html", page, "--show"]
    outcome = command("verify", small_onnx, broken, small_onnx, *options)
    assert outcome.code == 1
    document = msgspec.json.decode(file.read_bytes())
    first, second = document["comparisons"]
    assert not document["passed"]
    assert (first["model"], first["candidate"], first["passed"]) == (str(broken), "onnxruntime", False)
    assert "holds NaN or infinity" in first["error"]
    assert f"; the input is {image}; the first node that gives one is {node} (Conv)" in first["error"]
    assert second["passed"]
    assert outcome.out.count("FAILED: an output is not finite") == 1
    assert "holds NaN or infinity" in outcome.error
    text = page.read_text(encoding="utf-8")
    assert "verification FAILED" in text
    assert f"the input is {image}" in text
    assert command("verify", small_onnx, broken, "--images", image, "--html", page).code == 1


def test_where_nothing_is_wrong_bisecting_says_so(command: Command, small_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", small_onnx, small_onnx, "--bisect", "--images", image)
    assert outcome.code == 0
    assert "no node differs: all 70 values that both networks have agree" in outcome.out
