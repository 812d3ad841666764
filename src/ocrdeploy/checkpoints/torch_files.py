"""The two layouts of PyTorch's checkpoint files: a pickle, and the numbers of the tensors beside it.

Since PyTorch 1.6 a checkpoint is a zip archive; before that, and with `_use_new_zipfile_serialization=False`, which
MMOCR's model zoo was written with, it is five pickles and then the numbers of one storage after the other.
"""

import io
import mmap
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from ocrdeploy.checkpoints.pickle_machine import Name, PersistentId, RefusedPickleError, read_pickle

ZIP_START = b"PK\x03\x04"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
LENGTH_BYTES = 8
"""Before the numbers of a storage in the older layout stands how many there are, as 64 bits, little-endian."""


@dataclass(frozen=True, slots=True)
class StorageKey:
    """One-dimensional numbers that tensors are views of.

    Attributes:
        kind: PyTorch's name for the type of the numbers, such as `FloatStorage`.
        key: The storage's name in the file.
        length: How many numbers there are.
    """

    kind: str
    key: str
    length: int


class CheckpointFile(Protocol):
    """An open checkpoint."""

    @property
    def content(self) -> object:
        """What was saved, with tensors and all other objects as the pickle describes them."""
        ...

    def read_storage(self, storage: StorageKey, item_bytes: int) -> bytearray:
        """Return the bytes of a storage, little-endian.

        Raises:
            pickle.UnpicklingError: They are not there, or not as many as the pickle says.
        """
        ...


def storage_key(persistent_id: PersistentId) -> StorageKey | None:
    """Return which storage an identifier in the pickle means, or None if it means something else."""
    match persistent_id.identifier:
        # The last part, of the older layout, speaks of views, which no version since 0.4 has written.
        case ("storage", Name(name=kind), str(key), _, int(length)) | (
            "storage", Name(name=kind), str(key), _, int(length), None
        ) if length >= 0:  # fmt: skip
            return StorageKey(kind, key, length)
    return None


@contextmanager
def open_checkpoint(path: Path, item_bytes: dict[str, int]) -> Iterator[CheckpointFile]:
    """Open a checkpoint of either layout.

    Args:
        path: The file.
        item_bytes: How many bytes a number of each kind of storage has.

    Raises:
        pickle.UnpicklingError: It is no checkpoint, or broken.
        zipfile.BadZipFile: It begins like a zip archive and is none.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(len(ZIP_START))
        if not start:
            raise pickle.UnpicklingError("it is empty")
        if start == ZIP_START:
            with zipfile.ZipFile(file) as archive:
                yield _read_zip(_Archive(archive, path.stat().st_size))
        else:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield _read_legacy(data, item_bytes)


class _Archive:
    """A zip archive as PyTorch writes them: without compression, so that no entry is larger than the file."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._bytes_left = size
        self.names = frozenset(archive.namelist())

    def read(self, name: str) -> bytearray:
        """Return the bytes of an entry."""
        if name not in self.names:
            raise pickle.UnpicklingError(f"the archive holds no {name}")
        entry = self._archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise RefusedPickleError(f"{name} is compressed, which PyTorch does not do")
        # Entries that lie upon each other would make much of little.
        self._bytes_left -= entry.file_size
        if self._bytes_left < 0:
            raise pickle.UnpicklingError("the archive's entries are larger than the archive")
        data = bytearray(entry.file_size)
        with self._archive.open(entry) as file:
            if cast("io.BufferedIOBase", file).readinto(data) != len(data):
                raise pickle.UnpicklingError(f"{name} is cut off")
        return data


@dataclass(frozen=True, slots=True)
class _ZipCheckpoint:
    """A checkpoint of the newer layout, in one folder of an archive."""

    content: object
    archive: _Archive
    folder: str

    def read_storage(self, storage: StorageKey, item_bytes: int) -> bytearray:
        """Return the bytes of a storage; see `CheckpointFile.read_storage`."""
        data = self.archive.read(f"{self.folder}/data/{storage.key}")
        _check_length(storage, len(data), item_bytes)
        return data


def _read_zip(archive: _Archive) -> _ZipCheckpoint:
    """Read the pickle of a checkpoint of the newer layout."""
    found = [name for name in archive.names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(found) != 1:
        raise pickle.UnpicklingError("it is a zip archive without the data.pkl of a checkpoint")
    folder = found[0].removesuffix("/data.pkl")
    if f"{folder}/constants.pkl" in archive.names:
        raise RefusedPickleError("it is a TorchScript archive, which holds a program and no checkpoint")
    if f"{folder}/byteorder" in archive.names and archive.read(f"{folder}/byteorder") != b"little":
        raise RefusedPickleError("it was written on a big-endian machine")
    content, _ = read_pickle(io.BytesIO(archive.read(found[0])))
    return _ZipCheckpoint(content, archive, folder)


def _check_length(storage: StorageKey, length: int, item_bytes: int) -> None:
    """Refuse a storage that is not as long as the pickle says."""
    expected = storage.length * item_bytes
    if length != expected:
        raise pickle.UnpicklingError(f"storage {storage.key} has {length} bytes instead of {expected}")


@dataclass(frozen=True, slots=True)
class _LegacyCheckpoint:
    """A checkpoint of the older layout; `offsets` are where the numbers of each storage begin and end."""

    content: object
    data: mmap.mmap
    offsets: dict[str, tuple[int, int]]

    def read_storage(self, storage: StorageKey, item_bytes: int) -> bytearray:
        """Return the bytes of a storage; see `CheckpointFile.read_storage`."""
        if storage.key not in self.offsets:
            raise pickle.UnpicklingError(f"the file holds no storage {storage.key}")
        begin, end = self.offsets[storage.key]
        _check_length(storage, end - begin, item_bytes)
        return bytearray(self.data[begin:end])


def _read_legacy(data: mmap.mmap, item_bytes: dict[str, int]) -> _LegacyCheckpoint:
    """Read the pickles of a checkpoint of the older layout, and find its storages."""
    try:
        magic, _ = read_pickle(data)
    except pickle.UnpicklingError:
        magic = None
    if magic != LEGACY_MAGIC:
        raise pickle.UnpicklingError("it is no checkpoint of PyTorch")
    version, _ = read_pickle(data)
    system, _ = read_pickle(data)
    if version != LEGACY_VERSION or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise pickle.UnpicklingError("it was written by another version of PyTorch or on a big-endian machine")
    content, persistent_ids = read_pickle(data)
    keys, _ = read_pickle(data)
    storages = {storage.key: storage for storage in map(storage_key, persistent_ids) if storage is not None}
    offsets: dict[str, tuple[int, int]] = {}
    position = data.tell()
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in storages or storages[key].kind not in item_bytes:
            raise pickle.UnpicklingError("it lists a storage that its pickle does not know")
        length = int.from_bytes(data[position : position + LENGTH_BYTES], "little")
        begin = position + LENGTH_BYTES
        position = begin + length * item_bytes[storages[key].kind]
        if position > len(data):
            raise pickle.UnpicklingError(f"it is cut off in storage {key}")
        offsets[key] = (begin, position)
    return _LegacyCheckpoint(content, data, offsets)
