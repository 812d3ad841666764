"""Reading LMDB folders, by any number of readers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lmdb

DATA_FILE = "data.mdb"


@dataclass(frozen=True, slots=True)
class LmdbReader:
    """An open LMDB; used by any number of threads."""

    environment: lmdb.Environment

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None where there is no such key.

        Raises:
            OSError: The LMDB is broken.
        """
        import lmdb

        try:
            with self.environment.begin() as transaction:
                value: bytes | None = transaction.get(key.encode())
                return value
        except lmdb.BadValsizeError:  # an empty key, or one longer than any that can be stored
            return None
        except lmdb.Error as error:
            raise OSError(str(error)) from error


@dataclass(slots=True)
class _Shared:
    """An open LMDB and how many readers it has."""

    reader: LmdbReader
    users: int = 0


# A process may open an LMDB only once at a time, so readers of the same folder share one that is open.
_open_folders: dict[Path, _Shared] = {}
_lock = threading.Lock()


def is_lmdb(folder: Path) -> bool:
    """Tell whether a folder looks like an LMDB: it holds `data.mdb`."""
    return (folder / DATA_FILE).is_file()


@contextmanager
def open_lmdb(folder: Path) -> Iterator[LmdbReader]:
    """Open an LMDB folder for reading, without locking it or writing to it.

    Raises:
        OSError: There is no such folder, or it is no LMDB.
    """
    path = folder.resolve()
    with _lock:
        shared = _open_folders.get(path)
        if shared is None:
            shared = _open_folders[path] = _Shared(LmdbReader(_open(path)))
        shared.users += 1
    try:
        yield shared.reader
    finally:
        with _lock:
            shared.users -= 1
            if shared.users == 0:
                del _open_folders[path]
                shared.reader.environment.close()


def _open(path: Path) -> lmdb.Environment:
    import lmdb

    if not is_lmdb(path):
        raise OSError(f"{path} holds no {DATA_FILE}")
    try:
        environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        expected = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    except lmdb.Error as error:
        raise OSError(str(error)) from error
    # LMDB maps the file into memory: a page that is not in it any more would end the process with a bus error.
    size = (path / DATA_FILE).stat().st_size
    if size < expected:
        environment.close()
        raise OSError(f"{DATA_FILE} is cut off: it has {size} bytes instead of {expected}")
    return environment
