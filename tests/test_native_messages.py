"""Lines that compiled libraries write to standard error are kept away in the command, and nobody else's are."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrdeploy.native_messages import separate, silent

PROGRAM = """
import os, sys
from pathlib import Path
from ocrdeploy.errors import ImageError
from ocrdeploy.images.reading import read_image
from ocrdeploy.native_messages import separate, silent
if sys.argv[1] == "command":
    separate()
for name in sys.argv[2:]:
    try:
        read_image(Path(name), "color")
    except ImageError as error:
        print("ours:", error.message, file=sys.stderr)
with silent(), silent():
    print("printed while silent", file=sys.stderr)
os.write(2, b"written after it\\n")
"""


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """A PNG whose pixels have a wrong checksum, and one with a colour profile that is none."""
    _, encoded = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8))
    data = encoded.tobytes()
    start = data.index(b"IDAT")
    end = start + 4 + struct.unpack_from(">I", data, start - 4)[0]
    body = b"iCCPx\0\0" + zlib.compress(bytes(50))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    contents = {
        "sum.png": data[:end] + bytes([data[end] ^ 255]) + data[end + 1 :],
        "profile.png": data[: start - 4] + chunk + data[start - 4 :],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in contents]


def standard_error(role: str, pictures: list[str]) -> str:
    command = [sys.executable, "-c", PROGRAM, role, *pictures]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_the_command_keeps_decoders_lines_away_and_no_others(pictures: list[str]) -> None:
    lines = standard_error("command", pictures).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["ours", "printed while silent", "written after it"]


def test_a_program_that_uses_the_package_keeps_its_standard_error(pictures: list[str]) -> None:
    assert "libpng warning: iCCP" in standard_error("library", pictures)


def test_a_standard_error_that_is_no_descriptor_of_this_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (None, Path(os.devnull).open("w")):  # noqa: SIM115  (closed below)
        monkeypatch.setattr(sys, "stderr", stream)
        separate()
        assert sys.stderr is stream
        with silent():
            pass
        if stream is not None:
            stream.close()
