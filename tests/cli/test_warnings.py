"""Warnings of the library on the command line."""

import struct
import warnings
from pathlib import Path

import cv2
import pytest

from ocrdeploy.cli import app, main
from ocrdeploy.errors import warn
from ocrdeploy.images.headers import count_pages
from ocrdeploy.images.reading import read_image


def test_a_warning_of_the_library_is_one_line_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(*_arguments: object, **_options: object) -> int:
        for _ in range(2):
            warn("a\nlabel is odd")
        warn("another")
        return 0

    monkeypatch.setattr(app, "app", work)
    before = warnings.showwarning
    assert main.run([]) == 0
    assert capsys.readouterr().err == "warning: a label is odd\nwarning: another\n"
    assert warnings.showwarning is before


def test_what_pillow_warns_of_in_an_odd_header_is_not_printed(
    small_onnx: Path, sample_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.tif"
    cv2.imwrite(str(path), read_image(sample_dir / "imgs/syn_0022.jpg", "color"))
    data = bytearray(path.read_bytes())
    directory = struct.unpack_from("<I", data, 4)[0]
    # The last entry says that its value lies behind the end of the file.
    last = directory + 2 + 12 * (struct.unpack_from("<H", data, directory)[0] - 1)
    struct.pack_into("<HHII", data, last, 65000, 2, 100, len(data) - 4)
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="Truncated File Read"):
        count_pages(bytes(data))
    assert main.run(["predict", str(small_onnx), str(path), "-q"]) == 0
    assert "Truncated File Read" not in capfd.readouterr().err
