"""Running the steps of a build: output to a log, progress to who listens, one line of reason when a step fails."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ocrdeploy.errors import MachineError, OutputError

NINJA_PROGRESS = re.compile(r"^\s*\[(\d+)/(\d+)\]")
REASON = re.compile(r"(?:fatal error|error|killed signal)\b", re.IGNORECASE)
"""What marks the line of pip's or a compiler's output that says why it failed."""

REASON_LENGTH = 300


class Runner:
    """Runs programs one after the other.

    Args:
        log: File that their output is appended to.
        environment: Their environment variables.
        on_line: Called with each line of their output.
        on_progress: Called with done and total when a line tells them, as ninja's do.
    """

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._log = log
        self._environment = dict(environment)
        self._on_line = on_line
        self._on_progress = on_progress

    def run(self, title: str, command: Sequence[str], folder: Path | None = None) -> None:
        """Run a program to its end.

        Args:
            title: What it does, for the error.
            command: The program and its arguments.
            folder: Where to run it.

        Raises:
            MachineError: It cannot be started or failed.
            OutputError: The log cannot be written.
        """
        reasons: list[str] = []
        last = ""
        try:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"$ {' '.join(command)}\n")
                code = None
                with _started(command, self._environment, folder) as process:
                    try:
                        for raw in process.stdout or ():
                            line = raw.rstrip()
                            log.write(f"{line}\n")
                            last = line or last
                            if REASON.search(line):
                                reasons.append(line)
                            self._tell(line)
                        code = process.wait()
                    finally:
                        if code is None:
                            # Interrupted: the compilers that it started would go on.
                            os.killpg(process.pid, signal.SIGTERM)
        except OSError as error:
            raise OutputError(f"{title} failed: {error.strerror}: {error.filename}") from error
        if code:
            reason = (reasons or [last])[-1].strip()[:REASON_LENGTH]
            raise MachineError(
                f"{title} failed: {reason or f'exit code {code}'}",
                f"{self._log} has all that was printed; the same command goes on where it stopped.",
            )

    def succeeds(self, command: Sequence[str]) -> bool:
        """Run a program quietly and tell whether it succeeded."""
        try:
            result = subprocess.run(command, env=self._environment, capture_output=True, check=False)  # noqa: S603
        except OSError:
            return False
        return result.returncode == 0

    def _tell(self, line: str) -> None:
        """Pass a line on to who listens."""
        self._on_line(line)
        progress = NINJA_PROGRESS.match(line)
        if progress:
            self._on_progress(int(progress[1]), int(progress[2]))


def _started(command: Sequence[str], environment: Mapping[str, str], folder: Path | None) -> subprocess.Popen[str]:
    """Start a program as the leader of its own group, with one stream for all that it prints."""
    return subprocess.Popen(  # noqa: S603  (the commands are those of the build)
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
