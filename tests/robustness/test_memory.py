"""Memory stays bounded where a small file would fill it, seen from outside the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robustness.case import Make, Place
from tests.robustness.cases_checkpoints import content, deflated, program
from tests.robustness.cases_images import png_header
from tests.support.checkpoints import tensor_record

GROWTH_MIB = 100
"""What refusing a hostile file may take beyond refusing an empty one. Each would ask for gigabytes."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in kilobytes on Linux alone")


def peak_mib(arguments: list[str | Path]) -> float:
    """Run a command line that is refused in a process of its own, and return the most memory that it had."""
    with subprocess.Popen(
        [sys.executable, "-m", "ocrdeploy", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        err = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (1, 2)
    assert err.startswith("ocrdeploy: error: ")
    return usage.ru_maxrss / 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    "bomb",
    [deflated, program(tensor_record((10**11,), (1,), length=10**11)), program(b"\x80\x02" + b"}" * 900_000 + b".")],
    ids=["zip", "storage", "dictionaries"],
)
def test_of_a_checkpoint(bomb: Make, place: Place) -> None:
    usual = peak_mib(["export", place.config, content(b"no checkpoint", "b.pth")(place)])
    assert peak_mib(["export", place.config, bomb(place)]) < usual + GROWTH_MIB


def test_of_an_image(place: Place) -> None:
    huge, empty = place.new("huge.png", png_header(30_000, 30_000)), place.new("empty.png", b"")
    assert peak_mib(["predict", place.det, huge]) < peak_mib(["predict", place.det, empty]) + GROWTH_MIB
