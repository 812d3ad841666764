from ocrdeploy.verification.report.html import badge, case_article, facts_table, settings_list, text_rows


def test_a_verdict_is_told_by_more_than_its_colour() -> None:
    assert "✓ passed" in badge(True)
    assert "✗ FAILED" in badge(False)


def test_what_differs_between_texts_is_marked_on_both_sides() -> None:
    rows = text_rows(("PyTorch", "hotel", "0.9"), ("model.onnx", "hotal!", ""))
    assert "hot<mark>e</mark>l" in rows
    assert "hot<mark>a</mark>l<mark>!</mark>" in rows
    assert "<mark>" not in text_rows(("a", "same", ""), ("b", "same", ""))


def test_no_text_is_said_to_be_none() -> None:
    rows = text_rows(("a", "", ""), ("b", "x", ""))
    assert "no text" in rows
    assert "<mark>x</mark>" in rows


def test_everything_is_escaped() -> None:
    evil = "<b>&"
    for html in (
        text_rows((evil, evil, evil), (evil, "x", evil)),
        case_article(evil, True, [evil], []),
        settings_list([evil]),
        facts_table([(evil, evil)]),
    ):
        assert evil not in html
        assert "&lt;b&gt;&amp;" in html


def test_what_controls_a_screen_is_shown_and_not_obeyed() -> None:
    evil = "a\x1b[31m\u202eb\x9b\nc\udc80"
    for html in (
        text_rows((evil, evil, evil), (evil, "x", evil)),
        case_article(evil, True, [evil], []),
        settings_list([evil]),
        facts_table([(evil, evil)]),
    ):
        assert not set(evil) & set(html) - set("abc[31m")
        assert "a\\x1b[31m\\u202eb\\x9b\\nc\\udc80" in html
