"""Checkpoints from the web, downloaded once."""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ocrdeploy.artifacts import atomic_write, sha256_of
from ocrdeploy.errors import CheckpointError, UsageError

CACHE_VARIABLE = "OCRDEPLOY_CACHE"
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")
"""MMOCR's file names end with the first digits of the file's SHA-256: `dbnet_r18_..._20210329-ba3ab597.pth`."""
CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60

Progress = Callable[[int, int | None], None]
"""Called with the bytes got so far, and with their number in all where the server tells it."""


def is_url(checkpoint: str) -> bool:
    """Tell whether a checkpoint argument is a URL rather than a file."""
    return "://" in checkpoint


def cache_folder() -> Path:
    """Return the folder of downloaded checkpoints: $OCRDEPLOY_CACHE, or ocrdeploy in the user's cache folder."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocrdeploy"


def fetch_checkpoint(url: str, progress: Progress | None = None) -> Path:
    """Return the local file of a checkpoint on the web, downloading it if it is not in the cache.

    A file whose name carries a hash, as MMOCR's do, is checked against it before it enters the cache.

    Raises:
        UsageError: The URL is not https.
        CheckpointError: The download failed, or its hash is wrong.
    """
    parts = urlsplit(url)
    name = unquote(PurePosixPath(parts.path).name)
    if parts.scheme != "https" or not name or "/" in name:
        raise UsageError(f"a checkpoint is a local file or an https URL of a file, got {url}")
    # Files of the same name from different places must not stand for each other.
    folder = cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:12]
    path = folder / name
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        _download(url, temporary, progress)
        _check_hash(url, name, temporary)
    return path


def _download(url: str, path: Path, progress: Progress | None) -> None:
    """Write what the URL gives to a file, a chunk at a time."""
    request = urllib.request.Request(url, headers={"User-Agent": "ocrdeploy"})  # noqa: S310  (https: checked above)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response, path.open("wb") as file:  # noqa: S310
            length = response.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            done = 0
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise CheckpointError(f"{url} cannot be downloaded: {error}") from error
    if total is not None and done != total:
        raise CheckpointError(f"{url}: the download was cut off after {done} of {total} bytes", "Try again.")


def _check_hash(url: str, name: str, path: Path) -> None:
    """Compare a downloaded file with the hash in its name, where there is one."""
    match = HASH_IN_NAME.search(name)
    if match is None:
        return
    actual = sha256_of(path)
    if not actual.startswith(match[1]):
        raise CheckpointError(
            f"{url}: the download's SHA-256 begins with {actual[: len(match[1])]}, its name promises {match[1]}",
            "Try again, or download it by hand and give the file.",
        )
