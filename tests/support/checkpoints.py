"""Checkpoint files in both of PyTorch's layouts, with any pickle in them."""

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

Layout = Literal["zip", "legacy"]
LAYOUTS: tuple[Layout, ...] = ("zip", "legacy")

LEGACY_HEAD = (
    pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    + pickle.dumps(1001, 2)
    + pickle.dumps(
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2
    )
)


def save(content: Any, path: Path, layout: Layout) -> Path:
    """Save with PyTorch."""
    torch.save(content, path, _use_new_zipfile_serialization=layout == "zip")
    return path


def write_pickle(data: bytes, path: Path, layout: Layout, storages: Mapping[str, bytes] | None = None) -> Path:
    """Write a checkpoint with this pickle and these storages, whose numbers are bytes."""
    stored = storages or {}
    if layout == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/version", "3\n")
            for key, value in stored.items():
                archive.writestr(f"archive/data/{key}", value)
    else:
        ends = [len(value).to_bytes(8, "little") + value for value in stored.values()]
        path.write_bytes(LEGACY_HEAD + data + pickle.dumps(list(stored), 2) + b"".join(ends))
    return path


class Reduced:
    """Pickles as a call of a function, which may be another `Reduced`; whoever unpickles it makes the call."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.parts

    def __call__(self) -> None:
        """Be what pickle takes for a function."""


class _Storage:
    """Stands for the storage that is called `0`."""


def tensor(size: Any = (4,), stride: Any = (1,), offset: Any = 0) -> Reduced:
    """Return what pickles as a tensor over the storage `0`."""
    return Reduced(torch._utils._rebuild_tensor_v2, _Storage(), offset, size, stride, False, None)


def dump(content: Any, storage: Any = None, length: int = 4) -> bytes:
    """Return a pickle.

    Args:
        content: What to pickle.
        storage: What the storage of its tensors is called, a tuple of five or six; by default `length` bytes in `0`.
        length: How many numbers the storage is said to have.
    """
    called = storage or ("storage", torch.ByteStorage, "0", "cpu", length)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> object:
            return called if isinstance(obj, _Storage) else None

    stream = io.BytesIO()
    Pickler(stream, 2).dump(content)
    return stream.getvalue()


def tensor_record(size: Any, stride: Any, offset: Any = 0, length: int = 4, storage: Any = None) -> bytes:
    """Return the pickle of `{"state_dict": {"a": TENSOR}}`."""
    return dump({"state_dict": {"a": tensor(size, stride, offset)}}, storage, length)
