"""Checkpoints from the web, downloaded once."""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPMessage
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

import platformdirs

from ocrdeploy.artifacts import atomic_write, sha256_of
from ocrdeploy.errors import CheckpointError, OutputError, UsageError

CACHE_VARIABLE = "OCRDEPLOY_CACHE"
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$")
"""MMOCR's file names end with the first digits of the file's SHA-256: `dbnet_r18_..._20210329-ba3ab597.pth`."""
SAFE_NAME = re.compile(r"(?!\.)[^/\\:\x00-\x1f]{1,200}")
"""Names that make one file in the cache folder, on any system."""
CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60

Progress = Callable[[int, int | None], None]
"""Called with the bytes got so far, and with their number in all where the server tells it."""


def is_url(checkpoint: str) -> bool:
    """Tell whether a checkpoint argument is a URL rather than a file."""
    return "://" in checkpoint


def cache_folder() -> Path:
    """Return the folder of downloaded checkpoints: $OCRDEPLOY_CACHE, or ocrdeploy where the system caches."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own)
    return platformdirs.user_cache_path("ocrdeploy", appauthor=False)


def fetch_checkpoint(url: str, progress: Progress | None = None) -> Path:
    """Return the local file of a checkpoint on the web, downloading it if it is not in the cache.

    A file whose name carries a hash, as MMOCR's do, is checked against it before it enters the cache.

    Raises:
        UsageError: The URL is not https.
        CheckpointError: The download failed, or its hash is wrong.
        OutputError: The cache cannot be written to.
    """
    name = _file_name(url)
    # Files of the same name from different places must not stand for each other.
    folder = cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:12]
    path = folder / name
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the cache folder {folder} cannot be made: {error.strerror}", f"Name another with {CACHE_VARIABLE}."
        ) from error
    with atomic_write(path) as temporary:
        _download(url, temporary, progress)
        _check_hash(url, name, temporary)
    return path


def _file_name(url: str) -> str:
    """Return the name of the file that a URL ends with, which must be one that can be made in a folder."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url} is no URL: {error}") from error
    name = unquote(PurePosixPath(parts.path).name)
    if parts.scheme != "https" or not parts.hostname or not SAFE_NAME.fullmatch(name):
        raise UsageError(f"a checkpoint is a local file or an https URL of a file, got {url}")
    return name


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https alone: over http anyone on the way could put another file in the place."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request to go on with; see the base class."""
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(url: str, path: Path, progress: Progress | None) -> None:
    """Write what the URL gives to a file, a chunk at a time."""
    total: int | None = None
    done = 0
    with path.open("wb") as file:
        for chunk, total in _chunks(url):
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    if done == 0 or (total is not None and done != total):
        size = f"{done} bytes" if total is None else f"{done} of {total} bytes"
        raise CheckpointError(f"{url}: the download was cut off after {size}", "Try again.")


def _chunks(url: str) -> Iterator[tuple[bytes, int | None]]:
    """Give the content of a URL in pieces, each with the number of bytes in all, where the server tells it."""
    opener = urllib.request.build_opener(_HttpsOnly)
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "ocrdeploy"})  # noqa: S310  (https: checked)
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            length = response.headers.get("Content-Length")
            total = int(length) if length and length.isdecimal() else None
            while chunk := response.read(CHUNK_BYTES):
                yield chunk, total
    except urllib.error.HTTPError as error:
        with error:
            raise CheckpointError(f"{url} cannot be downloaded: HTTP {error.code} {error.reason}") from error
    # OSError: TLS, sockets, URLError; ValueError: hosts and redirections that are no URLs.
    except (OSError, HTTPException, ValueError) as error:
        text = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        raise CheckpointError(f"{url} cannot be downloaded: {text}") from error


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
