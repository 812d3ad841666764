import pytest

from ocrdeploy.plain_text import MAX_LENGTH, csv_cell, markdown_cell, one_line, plain


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b.jpg", "a  b.jpg"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31m\x9b\u202e\u2066", "\\x1b[31m\\x9b\\u202e\\u2066"),
        ("[b] :on: 字", "[b] :on: 字"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f4bb\u200e",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f4bb\\u200e",
        ),
    ],
)
def test_a_text_from_outside_keeps_its_blanks_and_controls_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("word_acc", "word_acc"),
        ("a|b\nc", "a\\|b&#92;nc"),
        ("<b>&amp;</b>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"),
        ("![x](http://y)", "!\\[x](http://y)"),
    ],
)
def test_a_cell_of_markdown_is_one_cell_without_html(text: str, cell: str) -> None:
    assert markdown_cell(text) == cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("@x", "'@x"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        (-0.5, -0.5),
        (None, None),
        ("a\nb", "a\\nb"),
        ("\t=1", "\\t=1"),
        ("a=b", "a=b"),
    ],
)
def test_a_cell_of_csv_is_no_formula(value: object, cell: object) -> None:
    assert csv_cell(value) == cell
