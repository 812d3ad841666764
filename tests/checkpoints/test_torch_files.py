import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ocrdeploy.checkpoints.state_dict import read_state_dict
from ocrdeploy.errors import CheckpointError
from tests.support.checkpoints import LAYOUTS, LEGACY_HEAD, Layout, save, tensor_record, write_pickle

both_layouts = pytest.mark.parametrize("layout", LAYOUTS)

WEIGHTS = {"a": torch.arange(6.0), "b": torch.tensor([True, False]), "c": torch.ones(2, 3, dtype=torch.float16)}
NUMBERS = {"0": bytes([1, 2, 3, 4])}


def refusal(path: Path) -> str:
    """Return the message of the error, without the checkpoint's name."""
    with pytest.raises(CheckpointError) as caught:
        read_state_dict(path)
    message = caught.value.message
    assert message.startswith(f"checkpoint {path} ")
    assert "\n" not in message
    return message.removeprefix(f"checkpoint {path} cannot be read: ")


@both_layouts
def test_a_checkpoint_written_by_hand_is_read(tmp_path: Path, layout: Layout) -> None:
    path = write_pickle(tensor_record((2, 2), (1, 2)), tmp_path / "a.pth", layout, NUMBERS)
    assert read_state_dict(path)["a"].tolist() == [[1, 3], [2, 4]]


@both_layouts
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, layout: Layout) -> None:
    whole = save({"state_dict": WEIGHTS}, tmp_path / "a.pth", layout).read_bytes()
    path = tmp_path / "b.pth"
    for length in [0, 1, 3, 4, 20, *range(50, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert refusal(path)


def test_a_zip_archive_with_another_byte_in_a_tensor_is_refused(tmp_path: Path) -> None:
    path = save({"state_dict": {"a": torch.full((64,), 7, dtype=torch.uint8)}}, tmp_path / "a.pth", "zip")
    content = path.read_bytes()
    assert content.count(b"\x07" * 64) == 1
    path.write_bytes(content.replace(b"\x07" * 64, b"\x07" * 63 + b"\x06"))
    assert refusal(path).startswith("a: Bad CRC-32 for file ")


def archive_of(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


RECORD = tensor_record((4,), (1,))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "it is no checkpoint of PyTorch"),
        ({"readme.txt": b"x"}, "it is a zip archive without the data.pkl of a checkpoint"),
        ({"a/b/data.pkl": RECORD}, "it is a zip archive without the data.pkl of a checkpoint"),
        ({"a/data.pkl": RECORD, "b/data.pkl": RECORD}, "it is a zip archive without the data.pkl of a checkpoint"),
        ({"a/data.pkl": RECORD}, "a: the archive holds no a/data/0"),
        ({"a/data.pkl": RECORD, "a/data/0": b"123"}, "a: storage 0 has 3 bytes instead of 4"),
        ({"a/data.pkl": RECORD, "a/data/0": b"12345"}, "a: storage 0 has 5 bytes instead of 4"),
        (
            {"a/data.pkl": RECORD, "a/data/0": b"1234", "a/byteorder": b"big"},
            "it was written on a big-endian machine",
        ),
        ({"a/data.pkl": b""}, "the pickle is broken: pickle exhausted before seeing STOP"),
    ],
)
def test_other_archives_are_refused(tmp_path: Path, entries: dict[str, bytes], message: str) -> None:
    assert refusal(archive_of(tmp_path / "a.pth", entries)).startswith(message)


def test_compressed_archives_are_refused(tmp_path: Path) -> None:
    # A gigabyte of zeros would be a megabyte here.
    entries = {"a/data.pkl": RECORD, "a/data/0": bytes(4)}
    path = archive_of(tmp_path / "a.pth", entries, zipfile.ZIP_DEFLATED)
    assert refusal(path) == "a/data.pkl is compressed, which PyTorch does not do"


def test_an_entry_that_says_to_be_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.pth", {"a/data.pkl": RECORD, "a/data/0": b"1234"})
    content = bytearray(path.read_bytes())
    # The length of the first entry, as the directory at the end of the archive has it.
    begin = content.index(b"PK\x01\x02")
    content[begin + 20 : begin + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    path.write_bytes(content)
    assert refusal(path) == "the archive's entries are larger than the archive"


def test_entries_that_lie_upon_each_other_are_refused(tmp_path: Path) -> None:
    names = [f"a/data/{index}" for index in range(30)]
    path = archive_of(tmp_path / "a.pth", {"a/data.pkl": RECORD} | {name: bytes(50) for name in names})
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\x03\x04")
    begin = content.index(b"PK\x01\x02")
    while begin >= 0:  # every entry of the directory leads to the first
        content[begin + 42 : begin + 46] = struct.pack("<I", first)
        begin = content.find(b"PK\x01\x02", begin + 4)
    path.write_bytes(content)
    assert refusal(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_archive_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    assert refusal(path) == "it is a TorchScript archive, which holds a program and no checkpoint"


def test_other_files_are_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.pth"
    image.write_bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    noise = tmp_path / "noise.pth"
    noise.write_bytes(np.random.RandomState(0).bytes(5000))
    text = tmp_path / "text.pth"
    text.write_text("model = dict()\n")
    other = tmp_path / "other.pth"
    other.write_bytes(pickle.dumps({"a": 1}))
    archive = tmp_path / "archive.pth"
    with tarfile.open(archive, "w") as tar:
        for name in ("storages", "tensors", "pickle"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(CheckpointError, match=r"archive\.pth is a tar archive: unpack it"):
        read_state_dict(archive)
    for path in (image, noise, text, other):
        assert refusal(path) == "it is no checkpoint of PyTorch"
    empty = tmp_path / "empty.pth"
    empty.write_bytes(b"")
    assert refusal(empty) == "it is empty"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LEGACY_HEAD, "the pickle is broken"),
        (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(900) + pickle.dumps({}), "it was written by another"),
        (
            LEGACY_HEAD.replace(b"\x88", b"\x89") + RECORD,
            "it was written by another version of PyTorch or on a big-end",
        ),
        (LEGACY_HEAD + RECORD, "the pickle is broken"),
        (LEGACY_HEAD + RECORD + pickle.dumps([]), "a: the file holds no storage 0"),
        (LEGACY_HEAD + RECORD + pickle.dumps("0"), "a: the file holds no storage 0"),
        (LEGACY_HEAD + RECORD + pickle.dumps(["1"]), "it lists a storage that its pickle does not know"),
        (LEGACY_HEAD + RECORD + pickle.dumps([0]), "it lists a storage that its pickle does not know"),
        (LEGACY_HEAD + RECORD + pickle.dumps(["0"]), "it is cut off in storage 0"),
        (LEGACY_HEAD + RECORD + pickle.dumps(["0"]) + struct.pack("<Q", 4) + b"123", "it is cut off in storage 0"),
        (LEGACY_HEAD + RECORD + pickle.dumps(["0"]) + struct.pack("<Q", 2**62), "it is cut off in storage 0"),
        (
            LEGACY_HEAD + RECORD + pickle.dumps(["0"]) + struct.pack("<Q", 3) + b"123",
            "a: storage 0 has 3 bytes instead",
        ),
    ],
)
def test_broken_files_of_the_older_layout_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    assert refusal(path).startswith(message)


@both_layouts
@pytest.mark.parametrize(
    ("record", "message"),
    [
        (tensor_record((5,), (1,)), "a: it needs 5 numbers, its storage has 4"),
        (tensor_record((2,), (4,)), "a: it needs 5 numbers, its storage has 4"),
        (tensor_record((1,), (1,), offset=4), "a: it needs 5 numbers, its storage has 4"),
        (tensor_record((10**6, 10**6), (10**6, 1)), "a: it needs 1000000000000 numbers, its storage has 4"),
        (tensor_record((2,), (1,), offset=-1), "a: its size, stride and offset do not belong together"),
        (tensor_record((2, 2), (1,)), "a: its size, stride and offset do not belong together"),
        (tensor_record((-1,), (1,)), "a: its size or stride is no tuple of lengths"),
        (tensor_record((2,), (-1,)), "a: its size or stride is no tuple of lengths"),
        (tensor_record([2], [1]), "a: its size or stride is no tuple of lengths"),
        (tensor_record(("2",), (1,)), "a: its size or stride is no tuple of lengths"),
        (tensor_record((2,), (1,), offset="0"), "a: tensors made by torch._utils._rebuild_tensor_v2 are not known"),
        (tensor_record((2,), (1,), length=-4), "a: numbers of type unknown are not known"),
        (tensor_record((2,), (1,), storage=("module", 1, "0", "cpu", 4)), "a: numbers of type unknown are not known"),
    ],
)
def test_tensors_that_reach_beyond_their_numbers_are_refused(
    tmp_path: Path, layout: Layout, record: bytes, message: str
) -> None:
    stored = {} if b"module" in record or "unknown" in message else NUMBERS
    assert refusal(write_pickle(record, tmp_path / "a.pth", layout, stored)).startswith(message)


@both_layouts
def test_a_tensor_of_the_same_number_over_and_over_is_a_view(tmp_path: Path, layout: Layout) -> None:
    path = write_pickle(tensor_record((10**6, 10**6), (0, 0)), tmp_path / "a.pth", layout, NUMBERS)
    tensor = read_state_dict(path)["a"]
    assert (tensor.shape, tensor.stride(), tensor.untyped_storage().nbytes()) == ((10**6, 10**6), (0, 0), 4)


@both_layouts
def test_other_types_of_numbers_are_refused(tmp_path: Path, layout: Layout) -> None:
    called: Any = ("storage", torch.QInt8Storage, "0", "cpu", 4)
    record = tensor_record((2,), (1,), storage=called)
    assert (
        refusal(write_pickle(record, tmp_path / "a.pth", layout, {})) == "a: numbers of type QInt8Storage are not known"
    )
