"""Verdicts that continuous integration reads: named checks, as JUnit's XML and as annotations of GitHub Actions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .plain_text import one_line

GITHUB_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was asked for, and whether it holds.

    Attributes:
        name: What was asked for, such as `--fail-under hmean-iou:hmean=0.79`.
        failures: What does not hold, a sentence each; none where all does.
    """

    name: str
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return not self.failures


def junit_text(suite: str, checks: Sequence[Check]) -> str:
    """Return checks as the XML that CI servers read: a test suite with a test case for each check.

    Args:
        suite: What the suite is called, such as `ocrdeploy evaluate`.
        checks: The checks.
    """
    from xml.etree import ElementTree as ET  # every help text loads this module

    n_failed = sum(not check.passed for check in checks)
    root = ET.Element("testsuite", name=suite, tests=str(len(checks)), failures=str(n_failed))
    for check in checks:
        case = ET.SubElement(root, "testcase", classname=suite, name=one_line(check.name))
        if not check.passed:
            failure = ET.SubElement(case, "failure", message=one_line(check.failures[0]))
            failure.text = "\n".join(map(one_line, check.failures))
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, 'unicode')}\n"


def github_lines(title: str, checks: Sequence[Check]) -> Iterator[str]:
    """Yield a line for each failure, which GitHub Actions shows as an error of the run.

    Args:
        title: What the errors are called.
        checks: The checks.
    """
    escaped = title.translate(GITHUB_ESCAPES).replace(":", "%3A").replace(",", "%2C")
    for check in checks:
        for text in check.failures:
            yield f"::error title={escaped}::{one_line(text).translate(GITHUB_ESCAPES)}"
