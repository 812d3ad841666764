"""What continuous integration is told of a command's checks."""

import os
from collections.abc import Sequence

from ocrdeploy.checks import Check, github_lines, junit_text
from ocrdeploy.standard_output import write_standard_error

from .output import Output, write_text


def tell_ci(command: str, checks: Sequence[Check], junit: str | None, output: Output, *, github: bool) -> None:
    """Write checks as JUnit's XML, and print their failures as annotations of GitHub Actions.

    Args:
        command: The command.
        checks: The checks.
        junit: Where the XML goes: a file, `-` for standard output, None for nowhere.
        output: The screen. Where something else goes to standard output, annotations go to standard error, which
            GitHub reads too.
        github: Whether annotations are printed also outside GitHub Actions.

    Raises:
        OutputError: The file cannot be written.
    """
    title = f"ocrdeploy {command}"
    write_text(junit, junit_text(title, checks))
    if github or os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_lines(title, checks):
            if output.stdout_taken or output.quiet:
                write_standard_error(line)
            else:
                output.line(line)
