"""The page of MMOCR's models names commands that exist, and all that MMOCR's table and lists name."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from ocrdeploy.checkpoints.download import HASH_IN_NAME
from ocrdeploy.cli.app import app

PAGE = (Path(__file__).parent.parent / "docs" / "mmocr-models.md").read_text(encoding="utf-8")
LINES = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
GROUP = typer.main.get_command(app)
CONFIGS = (
    "dbnet_r18_fpnc_1200e_icdar2015", "psenet_r50_fpnf_600e_ctw1500", "psenet_r50_fpnf_600e_icdar2015",
    "panet_r18_fpem_ffm_600e_ctw1500", "panet_r18_fpem_ffm_600e_icdar2015", "crnn_academic_dataset",
)  # fmt: skip
STARRED = ("dbnet_r18_fpnc_1200e_icdar2015", "panet_r18_fpem_ffm_600e_icdar2015")


@pytest.mark.parametrize("line", LINES)
def test_every_command_can_be_parsed(line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "ocrdeploy"
    command = GROUP.commands[words[1]]  # type: ignore[attr-defined]
    # Parses as the command line does, and complains of what does not exist.
    command.make_context(words[1], words[2:], resilient_parsing=False)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_model_has_its_three_commands(config: str) -> None:
    exports = [shlex.split(line) for line in LINES if f"/{config}.py " in line and "bilinear" not in line]
    assert len(exports) == 1
    checkpoint, output = exports[0][3], exports[0][-1]
    assert checkpoint.startswith("https://download.openmmlab.com/mmocr/")
    assert HASH_IN_NAME.search(checkpoint)
    assert any(line.startswith(f"ocrdeploy build-engine {output}") for line in LINES)
    assert any(line.startswith(f"ocrdeploy evaluate {output} ") and "tensorrt" in line for line in LINES)


@pytest.mark.parametrize("config", STARRED)
def test_the_starred_rows_are_exported_with_bilinear_upsampling(config: str) -> None:
    (line,) = (line for line in LINES if f"/{config}.py " in line and "--upsample bilinear" in line)
    output = shlex.split(line)[-1]
    assert f"ocrdeploy build-engine {output}" in LINES
    assert any(line.startswith(f"ocrdeploy evaluate {output} ") for line in LINES)


def test_links_within_the_page_have_a_place() -> None:
    for anchor in re.findall(r"\]\(#([^)]+)\)", PAGE):
        assert f'<a id="{anchor}"></a>' in PAGE
