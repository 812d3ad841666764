import pytest

from ocrdeploy.cli.plain_text import MAX_LENGTH, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("a.jpg: it is broken", "a.jpg: it is broken"),
        ("a\nb\r\n\tc  d", "a b c d"),
        ("字 é 😀", "字 é 😀"),
        ("\x1b[2J\a", "\\x1b[2J\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_a_message_is_one_line_that_cannot_control_the_terminal(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    line = one_line("Beginning " + "x" * 10**6 + " end")
    assert len(line) <= MAX_LENGTH
    assert line.startswith("Beginning x")
    assert line.endswith("x end")
