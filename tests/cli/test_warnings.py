"""Warnings of the library on the command line."""

import warnings

import pytest

from ocrdeploy.cli import app, main
from ocrdeploy.errors import warn


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
