import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.artifacts import atomic_write, check_folder, check_writable, temporary_folder
from ocrdeploy.errors import OutputError


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".a.txt.")
        temporary.write_text("new")
        assert not path.exists()
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "new"


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_the_old_file_stays_when_the_block_raises(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


KILLED = """
import sys, time
from pathlib import Path
from ocrdeploy.artifacts import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    file.write("half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process is killed by a signal")
def test_the_old_file_stays_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
    # What is left over does not stand in the way of the next run.
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_of_new_files(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
        assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    target = tmp_path / "inner" / "b.txt"
    target.write_text("old")
    link = tmp_path / "a.txt"
    link.symlink_to(target)
    with atomic_write(link) as temporary:
        assert temporary.parent == target.parent
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_link_to_nothing_makes_the_file(tmp_path: Path) -> None:
    link = tmp_path / "a.txt"
    link.symlink_to(tmp_path / "b.txt")
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "b.txt").read_text() == "new"


def test_a_link_in_a_circle_becomes_the_file(tmp_path: Path) -> None:
    link = tmp_path / "a.txt"
    link.symlink_to(link)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert (link.is_symlink(), link.read_text()) == (False, "new")


def test_names_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250 + ".txt")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("check", [check_writable, lambda path: atomic_write(path).__enter__()])
def test_places_where_nothing_can_be_written_are_named(tmp_path: Path, check: Any) -> None:
    with pytest.raises(OutputError, match=r"cannot be written: it is a folder$"):
        check(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: .*file is no folder"):
        check(tmp_path / "file" / "new" / "a.txt")


def test_folders_are_made_when_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "below" / "a.txt"
    check_writable(path)
    check_folder(path.parent)
    assert not (tmp_path / "new").exists()
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    path.with_name("file").touch()
    with pytest.raises(OutputError, match=r"the folder .*file/x cannot be written: .*file is no folder"):
        check_folder(path.with_name("file") / "x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_and_devices_are_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path(os.devnull)):
        with pytest.raises(OutputError, match=r"cannot be written: it is no regular file$"):
            check_writable(path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    with pytest.raises(OutputError) as caught:
        check_writable(tmp_path / "a.txt")
    assert (
        caught.value.message
        == f"{tmp_path / 'a.txt'} cannot be written: no permission to write to {tmp_path.resolve()}"
    )


def raising(code: int) -> Any:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("method", ["open", "replace"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_errors_of_the_system_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, code: int) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(Path, method, raising(code))
        with pytest.raises(OutputError) as caught, atomic_write(path):
            pass
    assert caught.value.message == f"{path} cannot be written: {os.strerror(code)}"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: No space left on device$"), atomic_write(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: a reason of its own$"), atomic_write(path):
        raise OSError("a reason of its own")
    assert not list(tmp_path.iterdir())


def test_a_share_without_permissions_takes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(Path, "chmod", raising(errno.EPERM))
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_stored_before_the_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    stored: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _file: stored.append(path.exists()))
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert stored == [False]


def test_a_file_system_that_cannot_store_on_request_takes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    monkeypatch.setattr(os, "fsync", raising(errno.EINVAL))
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    monkeypatch.setattr(os, "fsync", raising(errno.EIO))
    with pytest.raises(OutputError, match="Input/output error"), atomic_write(path) as temporary:
        temporary.write_text("newer")
    assert path.read_text() == "new"


@pytest.mark.parametrize("letter", ["a", "\u044f", "\u6a21", "\U0001f600"])
def test_names_may_be_255_bytes_long_in_any_script(tmp_path: Path, letter: str) -> None:
    path = tmp_path / (letter * (255 // len(letter.encode())))
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_without_a_folder_for_temporary_files_shared_memory_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", raising(errno.ENOENT))
    monkeypatch.setattr("ocrdeploy.artifacts.SHARED_MEMORY", tmp_path)
    with temporary_folder() as folder:
        assert folder.parent == tmp_path


def test_without_a_folder_for_temporary_files_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.artifacts.SHARED_MEMORY", tmp_path / "none")
    monkeypatch.setattr(tempfile, "gettempdir", raising(errno.ENOENT))
    with pytest.raises(OutputError, match=r"^there is no folder for temporary files .*\. Name one with TMPDIR\.$"):
        temporary_folder().__enter__()


STOPPED = """
import signal, sys, time
from pathlib import Path
from ocrdeploy.artifacts import atomic_write, temporary_folder
signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
with temporary_folder() as folder, atomic_write(Path(sys.argv[1])) as temporary:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process is stopped by a signal")
def test_a_process_that_is_stopped_leaves_no_temporary_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with subprocess.Popen([sys.executable, "-c", STOPPED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.is_dir()
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []
