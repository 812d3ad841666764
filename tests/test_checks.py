"""Checks as continuous integration reads them."""

from xml.etree import ElementTree as ET

from ocrdeploy.checks import Check, github_lines, junit_text

CHECKS = (Check("--max-drop 0.1"), Check("--fail-under a=1", ("a is 0 < 1 & less\nthan that", "b is 100% wrong")))


def test_junit_has_a_case_for_each_check() -> None:
    suite = ET.fromstring(junit_text("ocrdeploy evaluate", CHECKS))
    assert (suite.tag, suite.get("name"), suite.get("tests"), suite.get("failures")) == (
        "testsuite", "ocrdeploy evaluate", "2", "1",
    )  # fmt: skip
    passed, failed = suite
    assert (passed.get("name"), len(passed)) == ("--max-drop 0.1", 0)
    (failure,) = failed
    assert failure.get("message") == "a is 0 < 1 & less than that"
    assert failure.text == "a is 0 < 1 & less than that\nb is 100% wrong"


def test_without_checks_the_suite_is_empty() -> None:
    assert ET.fromstring(junit_text("ocrdeploy benchmark", ())).get("tests") == "0"


def test_github_has_a_line_for_each_failure() -> None:
    assert list(github_lines("a: b, c", CHECKS)) == [
        "::error title=a%3A b%2C c::a is 0 < 1 & less than that",
        "::error title=a%3A b%2C c::b is 100%25 wrong",
    ]
    assert list(github_lines("t", CHECKS[:1])) == []
