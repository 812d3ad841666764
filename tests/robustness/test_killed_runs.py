"""Runs that are killed at any moment: what they write is the old file or the new one, whole.

Ten runs are killed where the tests are run every time, a hundred where OCRDEPLOY_KILLS says so.
"""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import onnx
import pytest

from ocrdeploy.engines.files import read_engine, sidecar_path, write_engine
from ocrdeploy.errors import ModelError
from tests.robustness.case import Place
from tests.support.tensorrt import RTX, needs_rtx

KILLS_VARIABLE = "OCRDEPLOY_KILLS"
"""How many runs are killed in all; ten where it is not set."""
N_KILLS = int(os.environ.get(KILLS_VARIABLE, "10"))
PATIENCE_SECONDS = 120
OLD = b"old\n"
FIRST = "first.engine"
ENDINGS = {
    signal.SIGINT: "ocrdeploy: error: interrupted",
    signal.SIGTERM: "ocrdeploy: error: terminated",
    signal.SIGHUP: "ocrdeploy: error: the terminal was closed",
}

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="processes are killed by signals"),
    pytest.mark.usefixtures("all_cores"),
]


@dataclass(frozen=True)
class Job:
    """A command line that writes a file.

    Attributes:
        command: Its words; see `Case.command`.
        output: The file.
        is_whole: Raises, or returns False, where the file is not what a whole run writes.
    """

    command: str
    output: str
    is_whole: Callable[[Path], object]


def whole_lines(path: Path) -> bool:
    """Tell whether a file holds a prediction of each of the demo's images, or of two of them."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return path.read_text().endswith("\n") and len(lines) in (2, 8)


def whole_model(path: Path) -> bool:
    """Tell whether a file is a model; raises where it is none."""
    onnx.checker.check_model(path)
    return True


def whole_page(path: Path) -> bool:
    return path.read_text().rstrip().endswith("</html>")


JOBS = [
    Job("export {config} {weights} -q -o new.onnx", "new.onnx", whole_model),
    Job(
        "build-engine {det} --runtime tensorrt-rtx --compute-capability sm86 -q -o new.engine",
        "new.engine",
        read_engine,
    ),
    Job("predict {det} {imgs} -q --json new.jsonl", "new.jsonl", whole_lines),
    Job("evaluate {det} --ann-file {ann} --img-prefix {imgs} -q --predictions new.jsonl", "new.jsonl", whole_lines),
    Job("verify {det} {det} --images {image} -q --html new.html", "new.html", whole_page),
]


def start(job: Job, place: Place) -> "subprocess.Popen[bytes]":
    """Start a run in a process of its own."""
    names = {name: getattr(place, name) for name in ("det", "config", "weights", "imgs", "ann", "image")}
    words = [word.format(**names) for word in job.command.split()]
    return subprocess.Popen([sys.executable, "-m", "ocrdeploy", *words], cwd=place.out, stderr=subprocess.PIPE)


def write_old(job: Job, place: Place) -> None:
    """Write the old file, for an engine with its sidecar."""
    path = place.out / job.output
    path.write_bytes(OLD)
    if path.suffix == ".engine":
        record, _ = read_engine(place.folder / FIRST)
        write_engine(path, OLD, msgspec.structs.replace(record, plan_sha256=hashlib.sha256(OLD).hexdigest()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "job",
    [pytest.param(job, marks=[needs_rtx] if RTX in job.command else [], id=job.command.split()[0]) for job in JOBS],
)
def test_a_killed_run_leaves_the_old_file_or_the_new_one(job: Job, place: Place) -> None:
    seconds = time_of_a_run(job, place)
    chance = random.Random(job.command)  # noqa: S311
    for number in range(N_KILLS // len(JOBS)):
        (place.out / f"{job.output}.part").unlink(missing_ok=True)
        kind = chance.choice(list(ENDINGS)) if number % 2 else signal.SIGKILL
        write_old(job, place)
        process = start(job, place)
        time.sleep(chance.uniform(0.2, 1.1) * seconds)
        process.send_signal(kind)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        check_files(job, place, kind, process.returncode, err.decode())
    # What is left over does not stand in the way of the next run; results are gone on from, or removed.
    (place.out / f"{job.output}.part").unlink(missing_ok=True)
    write_old(job, place)
    last = start(job, place)
    _, err = last.communicate(timeout=PATIENCE_SECONDS)
    assert (last.returncode, err) == (0, b"")
    assert job.is_whole(place.out / job.output)


def time_of_a_run(job: Job, place: Place) -> float:
    """Run once to the end and return how long that took."""
    started = time.monotonic()
    process = start(job, place)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (0, b"")
    path = place.out / job.output
    assert job.is_whole(path)
    if path.suffix == ".engine":
        path.rename(place.folder / FIRST)
        sidecar_path(path).rename(sidecar_path(place.folder / FIRST))
    return time.monotonic() - started


def check_files(job: Job, place: Place, kind: signal.Signals, code: int, err: str) -> None:
    """Ask for the old file or a whole new one, and after a signal that can be heard for nothing beside it."""
    path = place.out / job.output
    if path.read_bytes() != OLD:
        assert job.is_whole(path)
    elif path.suffix == ".engine":
        check_old_engine(path)
    if kind == signal.SIGKILL:
        assert code in (-signal.SIGKILL, 0)
        # A temporary file may be left, under a name that no run looks for.
        for name in place.out.glob(".*.tmp"):
            name.unlink()
        return
    last = err.splitlines()[-1] if err else ""
    # Before our code runs, and after it has, signals are Python's own affair.
    assert (code, last) in ((128 + kind, ENDINGS[kind]), (-kind, ENDINGS[kind]), (-kind, ""), (0, "")) or (
        last == "KeyboardInterrupt"
    )
    kept = {job.output, f"{job.output}.json"} | ({f"{job.output}.part"} if "--predictions" in job.command else set())
    assert {each.name for each in place.out.iterdir()} <= kept


def check_old_engine(path: Path) -> None:
    """Ask for the old sidecar beside the old plan; with the new one, a reader is told."""
    with contextlib.suppress(ModelError):
        read_engine(path)
        return
    with pytest.raises(ModelError, match="its SHA-256 is another"):
        read_engine(path)
