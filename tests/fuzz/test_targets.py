import random
from collections.abc import Callable
from pathlib import Path

import pytest

from .targets import TARGETS, fuzz_annotations, fuzz_config

RUNS = 12


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_a_target_takes_any_bytes(target: Callable[[bytes, Path], None], tmp_path: Path) -> None:
    random_bytes = random.Random(target.__name__).randbytes  # noqa: S311  (no secret)
    for index in range(RUNS):
        folder = tmp_path / str(index)
        folder.mkdir()
        target(random_bytes(index * 8), folder)


def test_what_is_no_error_of_the_project_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.targets.read_icdar_dataset", None)
    with pytest.raises(TypeError):
        fuzz_annotations(b"", tmp_path)


def test_configs_that_are_fuzzed_do_nothing_but_set_values(tmp_path: Path) -> None:
    random_bytes = random.Random(1).randbytes  # noqa: S311
    for index in range(RUNS):
        folder = tmp_path / str(index)
        folder.mkdir()
        fuzz_config(random_bytes(20), folder)
        assert {path.name for path in folder.iterdir()} <= {"config.py", "_base_"}
