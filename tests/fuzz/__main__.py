"""Fuzz one target: `python -m tests.fuzz annotations -max_total_time=60`; the options are libFuzzer's.

A finding ends the run and leaves its bytes in a file `crash-...`, `timeout-...` or `oom-...`; give that file in place
of the options to see it again.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ocrdeploy"]):
    from .targets import TARGETS

LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=4096")


def main() -> None:
    """Fuzz the target that the command line names."""
    known = {target.__name__.removeprefix("fuzz_"): target for target in TARGETS}
    if len(sys.argv) < 2 or sys.argv[1] not in known:
        sys.exit(f"expected one of {', '.join(known)}")
    target = known[sys.argv[1]]

    def test_one_input(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            target(data, Path(folder))

    atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[2:]], test_one_input)
    atheris.Fuzz()


main()
