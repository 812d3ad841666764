"""The lowest versions that pyproject.toml takes are those that `make test-lowest` installs."""

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
TESTED_EXTRAS = ("torch", "cpu")
"""Not `tensorrt` and `gpu`, which need a GPU; TensorRT for RTX is among the packages for development."""


def pinned(name: str) -> dict[str, Version]:
    """Return the versions of a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def project_file() -> dict[str, Any]:
    """Return what pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared() -> list[Requirement]:
    """Return what the package, its tested extras and its development require."""
    document = project_file()
    extras = document["project"]["optional-dependencies"]
    lines = [*document["project"]["dependencies"], *(line for extra in TESTED_EXTRAS for line in extras[extra])]
    return [Requirement(line) for line in [*lines, *document["dependency-groups"]["dev"]]]


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
        assert tested[canonicalize_name(requirement.name)] in requirement.specifier


def test_extras_have_the_bounds_of_development() -> None:
    lowest = pinned("constraints-lowest.txt")
    extras = project_file()["project"]["optional-dependencies"]
    bounds = {requirement.name: lower_bound(requirement) for requirement in map(Requirement, extras["tensorrt-rtx"])}
    assert bounds == {name: lowest[name] for name in ("tensorrt-rtx", "polygraphy")}


def test_the_runtime_is_the_users_choice() -> None:
    project = project_file()["project"]
    assert [line for line in project["dependencies"] if line.startswith("onnxruntime")] == []
    (cpu,), (gpu,) = (map(Requirement, project["optional-dependencies"][extra]) for extra in ("cpu", "gpu"))
    assert (cpu.name, gpu.name) == ("onnxruntime", "onnxruntime-gpu")
    assert cpu.specifier == gpu.specifier
    assert gpu.extras == {"cuda", "cudnn"}


def test_the_workflow_runs_targets_that_exist() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [
        target for line in re.findall(r"- run: make (.+)", workflow) for target in line.split() if "=" not in target
    ]
    assert {"check", "test", "test-all", "demo", "test-lowest", "audit", "check-dist"} <= {*targets}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_actions_are_named_by_their_hash() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", workflow)
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []
