"""The files around the package say what the package says."""

import re
from pathlib import Path

import pytest
import yaml

from ocrdeploy.version import __version__

ROOT = Path(__file__).parent.parent


def test_the_citation_is_of_this_version() -> None:
    document = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (document["cff-version"], document["title"], document["version"]) == ("1.2.0", "ocrdeploy", __version__)
    assert document["authors"]


def test_the_container_runs_the_tested_versions_and_not_as_root() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    known = {"FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert {instruction for instruction, _ in words} <= known
    instructions = [instruction for instruction, _ in words]
    assert instructions[0] == "FROM"
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    assert ["USER", "1000"] in words
    assert any("--constraint /source/constraints.txt" in value for _, value in words)


COPIES = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", COPIES)
def test_what_the_container_copies_is_there_and_sent(line: str) -> None:
    *sources, _target = line.split()
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in sent
