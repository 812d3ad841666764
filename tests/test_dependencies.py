"""The lowest versions that pyproject.toml takes are those that `make test-lowest` installs."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
TESTED_EXTRAS = ("torch", "dev")
"""Not `tensorrt` and `cuda`, which need a GPU, nor `fuzz`; TensorRT for RTX is among the packages of `dev`."""


def pinned(name: str) -> dict[str, Version]:
    """Return the versions of a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def declared() -> list[Requirement]:
    """Return what the package and its tested extras require."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in TESTED_EXTRAS for line in extras[extra])]
    return [Requirement(line) for line in lines]


def lower_bound(requirement: Requirement) -> Version:
    """Return the version of `>=`, which has to be the whole of a requirement: upper bounds rot."""
    (specifier,) = requirement.specifier
    assert specifier.operator == ">="
    return Version(specifier.version)


def test_the_lowest_versions_are_those_of_the_project_file() -> None:
    bounds = {canonicalize_name(requirement.name): lower_bound(requirement) for requirement in declared()}
    assert pinned("constraints-lowest.txt") == bounds


def test_the_versions_that_are_tested_with_are_in_range() -> None:
    tested = pinned("constraints.txt")
    for requirement in declared():
        if requirement.name != "onnxruntime":  # where there is no onnxruntime-gpu
            assert tested[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_extra_has_the_same_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (rtx,) = (lower_bound(Requirement(line)) for line in project["optional-dependencies"]["tensorrt-rtx"])
    assert rtx == pinned("constraints-lowest.txt")["tensorrt-rtx"]


def test_the_workflow_runs_targets_that_exist() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [target for line in re.findall(r"- run: make (.+)", workflow) for target in line.split()]
    assert {"check", "test", "demo", "test-lowest", "audit", "check-dist"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
