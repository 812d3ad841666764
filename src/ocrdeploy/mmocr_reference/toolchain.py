"""The interpreter and the compiler that MMOCR's environment is built with."""

import json
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrdeploy.errors import MachineError, UsageError

PYTHON_VERSION = (3, 11)
"""NumPy 1.23.5, which MMOCR 0.6.3 still runs on, has wheels up to this version; MMOCR 1.0.1 was run with it too."""
CXX_VARIABLE = "CXX"
COMPILER = "g++"
COMPILER_MEMORY_BYTES = 2 * 2**30
"""What one compiler that includes PyTorch's headers takes at its peak, with something to spare."""
PROBE_SECONDS = 60

_PROBE = """
import json, os, sys, sysconfig
try:
    import ensurepip
except ImportError:
    ensurepip = None
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
print(json.dumps({"version": list(sys.version_info[:2]), "implementation": sys.implementation.name,
                  "pip": ensurepip is not None, "header": os.path.isfile(header)}))
"""
_CXX20_SOURCE = (
    "#include <concepts>\ntemplate <std::integral T> T same(T x) { return x; }\nint main() { return same(0); }\n"
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What builds the environment.

    Attributes:
        python: CPython 3.11 with its headers and `ensurepip`.
        compiler: A C++ compiler that knows C++20.
        jobs: How many compilers run at once.
    """

    python: Path
    compiler: Path
    jobs: int


def find_toolchain(python: str | None, jobs: int | None) -> Toolchain:
    """Return the interpreter and the compiler of this machine.

    Args:
        python: Path or name of a CPython 3.11; None looks for `python3.11`, then `python3`.
        jobs: How many compilers may run at once; None takes as many as there are cores and memory for.

    Raises:
        MachineError: One of them is missing, or is of another version; or this is not Linux.
        UsageError: The path of an interpreter was named, and nothing is there.
    """
    if platform.system() != "Linux":
        raise MachineError(f"MMOCR's environment is built on Linux, and this is {platform.system()}")
    return Toolchain(_find_python(python), _find_compiler(), jobs or _default_jobs())


def _find_python(named: str | None) -> Path:
    """Return the path of a CPython 3.11 that can make virtual environments and build extensions."""
    version = ".".join(map(str, PYTHON_VERSION))
    names = (named,) if named else (f"python{version}", "python3")
    fix = (
        f"Install it (Debian, Ubuntu: apt install python{version}-venv python{version}-dev) and name it with --python."
    )
    if named and os.sep in named and not Path(named).is_file():
        raise UsageError(f"the interpreter {named} does not exist", "Check the path.")
    found = None
    for name in names:
        path = shutil.which(name)
        facts = None if path is None else _probe(path)
        if path is None or facts is None:
            continue
        found = f"{path} is {facts['implementation']} {'.'.join(map(str, facts['version']))}"
        if tuple(facts["version"]) != PYTHON_VERSION or facts["implementation"] != "cpython":
            continue
        if not facts["pip"]:
            raise MachineError(f"{path} cannot make virtual environments: it has no ensurepip", fix)
        if not facts["header"]:
            raise MachineError(f"{path} cannot build extensions: its headers (Python.h) are missing", fix)
        return Path(path)
    got = found or f"{named or names[0]} is not a program that runs here"
    raise MachineError(f"MMOCR and the NumPy that it needs go with CPython {version}, and {got}", fix)


def _probe(python: str) -> dict[str, Any] | None:
    """Return what an interpreter says of itself; None if it is no interpreter that works."""
    try:
        result = subprocess.run(  # noqa: S603  (the user names the interpreter)
            [python, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS, check=True
        )
        facts = json.loads(result.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _find_compiler() -> Path:
    """Return the path of a C++ compiler that knows C++20, which PyTorch's headers need."""
    name = os.environ.get(CXX_VARIABLE) or COMPILER
    path = shutil.which(name)
    if path is None:
        raise MachineError(
            f"a C++ compiler is needed to build mmcv, and {name} is not here",
            "Install it (Debian, Ubuntu: apt install g++).",
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text(_CXX20_SOURCE)
        try:
            result = subprocess.run(  # noqa: S603  (the compiler that was found above)
                [path, "-std=c++20", "-fsyntax-only", str(source)],
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            result = None
    if result is None or result.returncode != 0:
        raise MachineError(
            f"the C++ compiler {path} does not know C++20, which PyTorch's headers need",
            f"Install GCC 11 or newer, or name another compiler with the environment variable {CXX_VARIABLE}.",
        )
    return Path(path)


def _default_jobs() -> int:
    """Return how many compilers have a core and memory each."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores, memory // COMPILER_MEMORY_BYTES))
