"""What a terminal shows of a TensorRT build: phases as bars, the log on request, warnings once and in our words."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ocrdeploy.plain_text import plain

from .output import Output, make_console

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ocrdeploy.backends.trt import Severity

WARNING_WORDS = (
    (r"subnormal", "some weights are so small that float16 rounds them coarsely; that is harmless unless verify fails"),
    (r"less than smallest positive|underflow", "some weights are so small that float16 rounds them to zero"),
    (r"INT64", "the model counts in 64 bits, TensorRT in 32"),
    (r"[Ll]ayer ?[Nn]orm", "a layer normalisation computes in float16 and may overflow: keep it with --fp32-layers"),
    (r"CUDA lazy loading", "start Python with CUDA_MODULE_LOADING=LAZY to save memory"),
    (r"insufficient|[Oo]ut of memory|not enough memory", "some kernels were left out because memory does not suffice"),
    (r"timing cache", "the timing cache was made on another GPU or by another version, so it saves less time"),
    (r"[Dd]efault stream", "the default stream was used, which costs a little time"),
)
"""What TensorRT warns of, as regular expressions, and what it means."""

STYLES = {"error": "red", "warning": "yellow", "info": "", "verbose": "dim"}


class BuildDisplay:
    """Shows a build; a `BuildMonitor`. Its methods may be called from any thread.

    Args:
        output: Where the command's words go, and how many.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._console = make_console(stderr=True)
        self._lock = Lock()
        self._tasks: dict[str, TaskID] = {}
        self._depths: dict[str, int] = {}
        self._warnings: Counter[str] = Counter()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=output.quiet or not self._console.is_terminal,
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the build while the block runs, and after it what TensorRT warned of."""
        try:
            # Rich before version 15 ends also what it does not show with an empty line.
            with nullcontext() if self._progress.disable else self._progress:
                yield
        finally:
            for text, count in self._warnings.items():
                times = f" ({count} times)" if count > 1 else ""
                self._output.warn(f"TensorRT: {text}{times}")

    def log(self, severity: "Severity", message: str) -> None:
        """Print a message of TensorRT's log, if details are wanted, or remember a warning."""
        if self._output.verbose:
            for line in message.splitlines():
                self._progress.console.print(Text(plain(line), STYLES[severity]))
        elif severity == "warning":
            with self._lock:
                self._warnings[in_our_words(message)] += 1

    def phase_started(self, name: str, parent: str | None, steps: int) -> None:
        """Show a bar for a phase, set in under the phase that it belongs to."""
        with self._lock:
            self._depths[name] = self._depths.get(parent, -1) + 1 if parent is not None else 0
            description = "  " * self._depths[name] + plain(name)
            self._tasks[name] = self._progress.add_task(description, total=steps)

    def step_done(self, name: str, step: int) -> None:
        """Move a phase's bar."""
        with self._lock:
            if name in self._tasks:
                self._progress.update(self._tasks[name], completed=step + 1)

    def phase_finished(self, name: str) -> None:
        """Take a phase's bar away."""
        with self._lock:
            if name in self._tasks:
                self._progress.remove_task(self._tasks.pop(name))


def in_our_words(message: str) -> str:
    """Return what a warning of TensorRT means, or the first line of one that is not known."""
    for pattern, words in WARNING_WORDS:
        if re.search(pattern, message):
            return words
    return message.strip().splitlines()[0] if message.strip() else "a warning without words"
