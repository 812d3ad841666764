"""The table: every bad input with its message and exit code, and every odd one that is none."""

import fnmatch
import re
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocrdeploy.backends import cuda
from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.cli.main import run
from ocrdeploy.running import engines as opening
from tests.robustness.case import Case, Outcome, Place
from tests.robustness.cases_annotations import ANNOTATIONS
from tests.robustness.cases_checkpoints import CHECKPOINTS
from tests.robustness.cases_configs import CONFIGS
from tests.robustness.cases_images import IMAGES
from tests.robustness.cases_models import MODELS
from tests.robustness.cases_numbers import NUMBERS
from tests.robustness.cases_outputs import OUTPUTS
from tests.support.cuda_driver import FakeDriver
from tests.support.tensorrt import RTX, needs_rtx

TOPICS = {
    "checkpoints": CHECKPOINTS,
    "configs": CONFIGS,
    "models": MODELS,
    "images": IMAGES,
    "annotations": ANNOTATIONS,
    "outputs": OUTPUTS,
    "numbers": NUMBERS,
}
ROWS = [(f"{topic}: {case.name}", case) for topic, cases in TOPICS.items() for case in cases]


def test_every_row_has_a_name_of_its_own() -> None:
    names = [name for name, _ in ROWS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[needs_rtx] if RTX in case.command else [], id=name) for name, case in ROWS],
)
def test_row(case: Case, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if case.skip:
        pytest.skip(case.skip)
    made = case.make(place)
    if case.gpu is not None:
        pretend_gpu(case.gpu, monkeypatch)
    before = files_in(place.folder)
    with limited_files(case.file_limit):
        code = run(case.arguments(place, made))
    captured = capsys.readouterr()
    outcome = Outcome(code, captured.out, captured.err)
    assert code == case.code, outcome
    check_message(case, outcome)
    case.check(place, outcome)
    after = files_in(place.folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    unexpected = {name for name in changed if not any(fnmatch.fnmatch(name, each) for each in case.changes)}
    assert not unexpected


def check_message(case: Case, outcome: Outcome) -> None:
    """Ask for one line that says what is expected, on standard error, with a hint or none, and for no traceback."""
    assert "Traceback" not in outcome.err + outcome.out
    assert "internal error" not in outcome.err
    said = outcome.err.replace("\nhint: ", ". ")
    lines = said.splitlines()
    assert len(lines) == case.n_lines, outcome.err
    if case.says:
        assert re.search(case.says, said), outcome.err
    if case.code and not case.says.startswith("^warning: "):
        assert lines[0].startswith("ocrdeploy: error: ")


def files_in(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return kind and content of all that lies below a folder, by name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_mode & stat.S_IRUSR else b""
        found[str(path.relative_to(folder))] = (status.st_mode, content)
    return found


@contextmanager
def limited_files(size: int | None) -> Iterator[None]:
    """Let no file grow beyond a size; a write that would fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size is None else size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def pretend_gpu(capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that there is a GPU."""
    monkeypatch.setattr(cuda, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(opening, "CudaDevice", lambda index: CudaDevice(index, FakeDriver(capability)))
