import io
import json
import sys

import pytest

from ocrdeploy.errors import OutputError
from ocrdeploy.standard_output import (
    ReaderGoneError,
    standard_output_errors,
    write_standard_error,
    write_standard_output,
)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-16", "utf-8"])
def test_json_is_utf8_whatever_the_locale(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding, "backslashreplace"))
    write_standard_output(json.dumps({"image": "café 图片 😀 \udcff"}, ensure_ascii=False))
    assert json.loads(data.getvalue().decode("utf-8")) == {"image": "café 图片 😀 \udcff"}


def test_a_stand_in_that_takes_text_alone_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = io.StringIO()
    monkeypatch.setattr(sys, "stdout", paper)
    write_standard_output("é\n")
    assert paper.getvalue() == "é\n"


def test_a_closed_standard_output_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output cannot be written: it is closed"):
        write_standard_output("a")


def test_a_full_disk_is_told_and_a_reader_that_is_gone_is_no_fault() -> None:
    with pytest.raises(OutputError, match="output cannot be written: No space left"), standard_output_errors():
        raise OSError(28, "No space left on device")
    with pytest.raises(ReaderGoneError), standard_output_errors():
        raise BrokenPipeError


def test_where_standard_error_is_closed_nothing_goes_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    write_standard_error("ocrdeploy: error: something")
    assert capsys.readouterr().out == ""
