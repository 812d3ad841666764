import errno
import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.checkpoints import download as downloads
from ocrdeploy.checkpoints.download import cache_folder, fetch_checkpoint, is_url
from ocrdeploy.errors import CheckpointError, OutputError, UsageError

from .conftest import Answer, Server

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCRDEPLOY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def test_a_url_is_no_file() -> None:
    assert is_url("https://example.org/a.pth")
    assert is_url("http://example.org/a.pth")
    assert not is_url("a.pth")
    assert not is_url("/models/https/a.pth")


def test_a_file_is_downloaded_once(server: Server, cache: Path) -> None:
    url = server.give("/models/a.pth", CONTENT)
    path = fetch_checkpoint(url)
    assert path.read_bytes() == CONTENT
    assert path.name == "a.pth"
    assert cache in path.parents
    assert fetch_checkpoint(url) == path
    assert server.requests == ["/models/a.pth"]


def test_files_of_one_name_are_kept_apart(server: Server) -> None:
    first, second = fetch_checkpoint(server.give("/x/a.pth", b"1")), fetch_checkpoint(server.give("/y/a.pth", b"2"))
    third = fetch_checkpoint(server.give("/x/a.pth?version=2", b"3"))
    assert [path.read_bytes() for path in (first, second, third)] == [b"1", b"2", b"3"]
    assert {path.name for path in (first, second, third)} == {"a.pth"}


def test_names_are_decoded(server: Server) -> None:
    assert fetch_checkpoint(server.give("/m%C3%BCller%20a.pth", b"1")).name == "müller a.pth"


def test_progress_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "CHUNK_BYTES", 4096)
    told: list[tuple[int, int | None]] = []

    def tell(done: int, total: int | None) -> None:
        told.append((done, total))

    fetch_checkpoint(server.give("/a.pth", CONTENT), tell)
    assert told == [(4096, 10240), (8192, 10240), (10240, 10240)]
    server.answers["/b.pth"] = Answer(body=CONTENT)
    told.clear()
    assert (
        fetch_checkpoint(server.url + "/b.pth", lambda done, total: told.append((done, total))).read_bytes() == CONTENT
    )
    assert told[-1] == (10240, None)


@pytest.mark.parametrize("digits", [8, 12, 64])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_the_hash_in_a_name_is_checked(server: Server, cache: Path, digits: int, suffix: str) -> None:
    good = server.give(f"/dbnet_r18_fpnc_sbn_1200e_icdar2015_20210329-{DIGEST[:digits]}{suffix}", CONTENT)
    assert fetch_checkpoint(good).read_bytes() == CONTENT
    wrong = "0" * digits
    bad = server.give(f"/other_20210329-{wrong}{suffix}", CONTENT)
    with pytest.raises(CheckpointError) as caught:
        fetch_checkpoint(bad)
    assert caught.value.message == (
        f"{bad}: the download's SHA-256 begins with {DIGEST[:digits]}, its name promises {wrong}"
    )
    assert [path.suffix for path in files(cache)] == [suffix]


@pytest.mark.parametrize("name", ["a-1234567.pth", "a-abcdefgh.pth", "a_00000000.pth", "20210329-00000000.zip"])
def test_other_names_promise_no_hash(server: Server, name: str) -> None:
    assert fetch_checkpoint(server.give(f"/{name}", CONTENT)).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT) + 1, 10 * len(CONTENT)])
def test_a_download_that_is_cut_off_is_refused(server: Server, cache: Path, length: int) -> None:
    url = server.give("/a.pth", CONTENT, **{"Content-Length": str(length)})
    with pytest.raises(CheckpointError) as caught:
        fetch_checkpoint(url)
    assert caught.value.message == f"{url}: the download was cut off after {len(CONTENT)} of {length} bytes"
    assert not files(cache)
    server.give("/a.pth", CONTENT)
    assert fetch_checkpoint(url).read_bytes() == CONTENT


def test_a_download_that_is_cut_off_between_chunks_is_refused(server: Server, cache: Path) -> None:
    server.answers["/a.pth"] = Answer(200, {"Transfer-Encoding": "chunked"}, b"5\r\nhello\r\n8\r\nwor")
    with pytest.raises(CheckpointError, match=r"/a\.pth cannot be downloaded: IncompleteRead"):
        fetch_checkpoint(server.url + "/a.pth")
    assert not files(cache)


def test_an_empty_download_is_refused(server: Server, cache: Path) -> None:
    with pytest.raises(CheckpointError, match=r"/a\.pth: the download was cut off after 0 bytes"):
        fetch_checkpoint(server.give("/a.pth", b""))
    server.answers["/b.pth"] = Answer()
    with pytest.raises(CheckpointError, match=r"/b\.pth: the download was cut off after 0 bytes"):
        fetch_checkpoint(server.url + "/b.pth")
    assert not files(cache)


@pytest.mark.parametrize(("status", "text"), [(404, "HTTP 404 Not Found"), (503, "HTTP 503 Service Unavailable")])
def test_answers_of_refusal_are_told(server: Server, cache: Path, status: int, text: str) -> None:
    server.answers["/a.pth"] = Answer(status, {"Content-Length": "4"}, b"oops")
    with pytest.raises(CheckpointError) as caught:
        fetch_checkpoint(server.url + "/a.pth")
    assert caught.value.message == f"{server.url}/a.pth cannot be downloaded: {text}"
    assert not files(cache)


def test_redirections_to_https_are_followed(server: Server) -> None:
    target = server.give("/b.pth", CONTENT)
    server.answers["/a.pth"] = Answer(302, {"Location": target, "Content-Length": "0"})
    path = fetch_checkpoint(server.url + "/a.pth")
    assert (path.name, path.read_bytes()) == ("a.pth", CONTENT)


@pytest.mark.parametrize("target", ["http://localhost:1/b.pth", "ftp://localhost/b.pth", "file:///etc/passwd"])
def test_other_redirections_are_refused(server: Server, cache: Path, target: str) -> None:
    server.answers["/a.pth"] = Answer(301, {"Location": target, "Content-Length": "0"})
    with pytest.raises(CheckpointError) as caught:
        fetch_checkpoint(server.url + "/a.pth")
    assert caught.value.message.startswith(f"{server.url}/a.pth cannot be downloaded: ")
    assert server.requests == ["/a.pth"]
    assert not files(cache)


def test_redirections_without_end_are_refused(server: Server) -> None:
    server.answers["/a.pth"] = Answer(302, {"Location": server.url + "/a.pth", "Content-Length": "0"})
    with pytest.raises(CheckpointError, match="cannot be downloaded: HTTP 302"):
        fetch_checkpoint(server.url + "/a.pth")


def test_a_certificate_that_is_not_trusted_is_refused(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(CheckpointError, match=r"cannot be downloaded: .*CERTIFICATE_VERIFY_FAILED"):
        fetch_checkpoint(server.give("/a.pth", CONTENT))
    assert not files(cache)


def test_a_server_that_is_not_there_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(CheckpointError, match=r"cannot be downloaded: \[Errno \d+\] Connection refused"):
        fetch_checkpoint(f"https://localhost:{port}/a.pth")
    assert not files(cache)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.pth",
        "ftp://example.org/a.pth",
        "file:///models/a.pth",
        "https://example.org",
        "https://example.org/",
        "https:///a.pth",
        "https://example.org/..",
        "https://example.org/.pth",
        "https://example.org/a%2Fb.pth",
        "https://example.org/a%5Cb.pth",
        "https://example.org/a%00b.pth",
        f"https://example.org/{'a' * 300}.pth",
    ],
)
def test_other_urls_are_refused(cache: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        fetch_checkpoint(url)
    assert caught.value.message == f"a checkpoint is a local file or an https URL of a file, got {url}"
    assert not cache.exists()


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^https://\[::1/a\.pth is no URL: Invalid IPv6 URL$"):
        fetch_checkpoint("https://[::1/a.pth")


@pytest.mark.parametrize("url", ["https://localhost:1/a b.pth", "https://localhost:99999/a.pth"])
def test_what_cannot_be_asked_for_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(CheckpointError) as caught:
        fetch_checkpoint(url)
    assert caught.value.message.startswith(f"{url} cannot be downloaded: ")


def test_an_interrupted_download_leaves_nothing(server: Server, cache: Path) -> None:
    def interrupt(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    url = server.give("/a.pth", CONTENT)
    with pytest.raises(KeyboardInterrupt):
        fetch_checkpoint(url, interrupt)
    assert not files(cache)
    assert fetch_checkpoint(url).read_bytes() == CONTENT


def test_a_full_disk_is_told(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFile:
        def __enter__(self) -> "FullFile":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _chunk: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    genuine = Path.open

    def open_file(path: Path, mode: str = "r", **options: Any) -> Any:
        return FullFile() if mode == "wb" else genuine(path, mode, **options)

    monkeypatch.setattr(Path, "open", open_file)
    with pytest.raises(OutputError, match=r"a\.pth cannot be written: No space left on device$"):
        fetch_checkpoint(server.give("/a.pth", CONTENT))
    assert not files(cache)


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("OCRDEPLOY_CACHE", str(blocked))
    with pytest.raises(OutputError, match=r"^the cache folder .* cannot be made: Not a directory") as caught:
        fetch_checkpoint("https://example.org/a.pth")
    assert caught.value.fix == "Name another with OCRDEPLOY_CACHE."


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("OCRDEPLOY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/ocrdeploy")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/ocrdeploy")
