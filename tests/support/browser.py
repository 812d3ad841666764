"""A headless browser, for looking at a page as a reader's would."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_SECONDS = 60
CONSOLE = re.compile(r":CONSOLE[:(]\d+\)?\] (.*)")


@dataclass(frozen=True)
class Rendering:
    """What a browser made of a page.

    Attributes:
        pixels: The screenshot, H×W×3 uint8 BGR.
        dom: The page after it was laid out and its scripts ran.
        console: Lines of the console.
        requests: Addresses that the page asked for.
    """

    pixels: NDArray[np.uint8]
    dom: str
    console: list[str]
    requests: list[str]


def find_browser() -> str:
    """Return a browser's program; the test is skipped where there is none."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium is installed")


def render(page: Path, scheme: Literal["light", "dark"], width: int = 1100, height: int = 1600) -> Rendering:
    """Open a page in a new browser without a profile.

    The browser's own requests (updates, time) are kept from the network and do not count.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log, shot = Path(folder) / "net.json", Path(folder) / "shot.png"
        options = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
            f"--user-data-dir={folder}/profile", f"--window-size={width},{height}",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
        ]  # fmt: skip
        address = page.resolve().as_uri()
        first = [*options, "--enable-logging=stderr", f"--screenshot={shot}", f"--log-net-log={log}", address]
        done = subprocess.run(first, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
        second = [*options, "--dump-dom", address]
        dom = subprocess.run(second, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True).stdout
        pixels = cv2.imread(str(shot))
        assert pixels is not None
        return Rendering(
            np.asarray(pixels, np.uint8), dom, CONSOLE.findall(done.stderr), _requests(log.read_text(encoding="utf-8"))
        )


def _requests(log: str) -> list[str]:
    """Return the addresses that the page itself asked for: those with an initiator, which the browser's own lack."""
    parameters = (event.get("params", {}) for event in json.loads(log)["events"])
    return [
        each["url"]
        for each in parameters
        if "url" in each and each.get("initiator", "not an origin") != "not an origin"
    ]
