"""Checkpoints that were made to harm whoever reads them."""

import builtins
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ocrdeploy.checkpoints.state_dict import read_state_dict
from ocrdeploy.errors import CheckpointError
from tests.support.checkpoints import LAYOUTS, Layout, Reduced, dump, save, tensor, tensor_record, write_pickle

both_layouts = pytest.mark.parametrize("layout", LAYOUTS)

MEMORY_LIMIT_MIB = 400
"""What reading a file of a few megabytes may need at most, beside what Python and PyTorch have before."""


class Stateful:
    """Does harm when its state is set."""

    def __setstate__(self, state: str) -> None:
        Path(state).touch()


def by_system(marker: Path) -> Any:
    return Reduced(os.system, f"touch {marker}")


def by_eval(marker: Path) -> Any:
    return Reduced(builtins.eval, f"open({str(marker)!r}, 'w').close()")


def by_attributes(marker: Path) -> Any:
    # The function is itself the result of a call: no dangerous name is spoken.
    return Reduced(Reduced(getattr, Path(marker), "touch"))


def by_state(marker: Path) -> Any:
    return Reduced(Stateful, state=str(marker))


def by_new_object(marker: Path) -> Any:
    return Reduced(subprocess.Popen, ["touch", str(marker)])


def by_torch(marker: Path) -> Any:
    return Reduced(torch.save, {"a": 1}, str(marker))


Harm = Callable[[Path], Any]
HARMS: list[Harm] = [by_system, by_eval, by_attributes, by_state, by_new_object, by_torch]


@pytest.mark.parametrize("harm", HARMS)
def test_an_ordinary_reader_would_come_to_harm(tmp_path: Path, harm: Harm) -> None:
    marker = tmp_path / "marker"
    result = pickle.loads(dump(harm(marker)))  # noqa: S301  (shows that the other tests can fail)
    if isinstance(result, subprocess.Popen):
        result.wait()
    assert marker.exists()


@both_layouts
@pytest.mark.parametrize("harm", HARMS)
def test_nothing_is_run(tmp_path: Path, layout: Layout, harm: Harm) -> None:
    marker = tmp_path / "marker"
    evil = harm(marker)
    for number, content in enumerate([evil, {"state_dict": evil}, {"state_dict": {"a": evil}}, {"a": evil}, [evil]]):
        path = write_pickle(dump(content), tmp_path / f"{number}.pth", layout)
        with pytest.raises(CheckpointError):
            read_state_dict(path)
    assert not marker.exists()


@both_layouts
@pytest.mark.parametrize("harm", HARMS)
def test_weights_beside_it_are_read(tmp_path: Path, layout: Layout, harm: Harm) -> None:
    marker = tmp_path / "marker"
    data = dump({"meta": harm(marker), "state_dict": {"a": tensor()}, "optimizer": [harm(marker)]})
    path = write_pickle(data, tmp_path / "a.pth", layout, {"0": b"\x01\x02\x03\x04"})
    assert read_state_dict(path)["a"].tolist() == [1, 2, 3, 4]
    assert not marker.exists()


@both_layouts
def test_a_storage_under_a_dangerous_name_is_only_a_name(tmp_path: Path, layout: Layout) -> None:
    record = tensor_record((2,), (1,), storage=("storage", os.system, "0", "cpu", 4))
    with pytest.raises(CheckpointError, match="numbers of type system are not known"):
        read_state_dict(write_pickle(record, tmp_path / "a.pth", layout))


@both_layouts
def test_pytorchs_own_functions_are_not_called(tmp_path: Path, layout: Layout) -> None:
    for number, call in enumerate(
        [
            Reduced(torch.ones, (10**6, 10**6)),
            Reduced(torch.hub.load, "a/b", "c"),
            Reduced(torch.load, str(tmp_path / "b")),
            Reduced(torch.nn.Linear, 10**6, 10**6),
        ]
    ):
        path = save({"state_dict": {"a": torch.ones(2), "b": call}}, tmp_path / f"{number}.pth", layout)
        assert list(read_state_dict(path)) == ["a"]


def test_classes_of_pytorch_are_not_changed(tmp_path: Path) -> None:
    # BUILD on a class sets its attributes, and on a function those of the function.
    before = dict(vars(torch.FloatStorage)), torch._utils._rebuild_tensor_v2.__defaults__
    for name in (b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n"):
        data = b"\x80\x02" + name + b"N}(X\x0c\x00\x00\x00__defaults__)X\x05\x00\x00\x00dtypeK\x01u\x86b."
        with pytest.raises(CheckpointError, match=r"holds the name torch\..* and no state dict"):
            read_state_dict(write_pickle(data, tmp_path / "a.pth", "zip"))
    assert (dict(vars(torch.FloatStorage)), torch._utils._rebuild_tensor_v2.__defaults__) == before


def bombs(folder: Path) -> list[Path]:
    """Write small files that would grow to gigabytes in the memory of an ordinary reader."""
    shared_list = b"]q\x00(" + b"K\x01" * 100_000 + b"e"
    copies = b"(" + (b"ccollections\nOrderedDict\nh\x00\x85R" * 20_000) + b"l"
    programs = {
        "memo": b"\x80\x02}r\xff\xff\xff\x7f.",
        "length": b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"x.",
        "array": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.",
        "ones": dump({"a": Reduced(torch.ones, (10**6, 10**6))}),
        "bytes": dump({"a": Reduced(bytearray, 10**12)}),
        "copies": b"\x80\x02" + shared_list + copies + b".",
        "dictionaries": b"\x80\x02" + b"}" * 900_000 + b".",
        "doubling": b"\x80\x02}" + b")" + b"2\x86" * 400_000 + b"K\x01s.",
        "resize": tensor_record((10**6, 10**5), (10**5, 1)),
        "storage": tensor_record((10**11,), (1,), length=10**11),
    }
    paths = [
        write_pickle(data, folder / f"{name}.{layout}.pth", layout)
        for name, data in programs.items()
        for layout in LAYOUTS
    ]
    deflated = folder / "deflated.pth"
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"N0" * 20_000_000 + b"N.")
    return [*paths, deflated]


PROGRAM = """
import resource, sys
from pathlib import Path
from ocrdeploy.errors import CheckpointError
from ocrdeploy.checkpoints.state_dict import read_state_dict

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

before = peak()
for name in sys.argv[1:]:
    try:
        read_state_dict(Path(name))
    except CheckpointError:
        print(Path(name).name, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in kilobytes on Linux alone")
def test_memory_stays_in_proportion(tmp_path: Path) -> None:
    paths = bombs(tmp_path)
    assert all(path.stat().st_size < 2_000_000 for path in paths)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, paths)], capture_output=True, text=True, timeout=120, check=True
    )
    growth = dict(line.split() for line in done.stdout.splitlines())
    assert list(growth) == [path.name for path in paths]
    assert max(map(int, growth.values())) < MEMORY_LIMIT_MIB, growth
