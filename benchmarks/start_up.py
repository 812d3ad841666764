"""Time how long commands take to start, against the packages that they cannot do without.

    python benchmarks/start_up.py

`ocrdeploy --help` is compared with importing typer, rich.console and rich.table; opening a predictor's module with
importing ONNX Runtime. Rounds are interleaved.
"""

import argparse
import subprocess
import sys
import time

import numpy as np

CASES = {
    "typer, rich.console, rich.table": "import typer, rich.console, rich.table",
    "ocrdeploy --help": "from ocrdeploy.cli.main import run; run(['--help'])",
    "onnxruntime": "import onnxruntime",
    "ocrdeploy.running.models with ONNX Runtime": "import ocrdeploy.running.models, ocrdeploy.backends.onnx",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds after one to warm up (default: 7)")
    rounds = parser.parse_args().rounds
    rows = [[start(code) for code in CASES.values()] for _ in range(rounds + 1)][1:]
    for name, times in zip(CASES, np.transpose(rows), strict=True):
        print(f"{name:<40} {np.median(times):.3f} s ({times.min():.3f}-{times.max():.3f})")
    help_ratios = [row[1] / row[0] for row in rows]
    print(f"--help: {np.median(help_ratios):.2f} times ({min(help_ratios):.2f}-{max(help_ratios):.2f})")
    extra = [row[3] - row[2] for row in rows]
    print(f"beside ONNX Runtime's own: {np.median(extra):.3f} s ({min(extra):.3f}-{max(extra):.3f})")


def start(code: str) -> float:
    """Return the seconds that a fresh interpreter takes for a program."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
