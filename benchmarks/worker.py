"""A script in an interpreter of its own: it is asked, and answers, by lines of JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Worker:
    """A script that is kept running; a context manager that ends it.

    Args:
        python: The interpreter.
        script: The script.
        arguments: The script's arguments.
        packages: A folder with packages that the interpreter lacks.
    """

    def __init__(self, python: Path, script: Path, arguments: Sequence[str] = (), packages: Path | None = None) -> None:
        self._script = script
        self._process = subprocess.Popen(
            [str(python), "-W", "ignore", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ({} if packages is None else {"PYTHONPATH": str(packages)}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def ask(self, request: Mapping[str, str | Sequence[str]]) -> Any:
        """Send a request and return the answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"{self._script} failed; what it says stands above.")
        return json.loads(answer)
