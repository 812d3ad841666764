"""Nothing is sent and no identity is kept, seen from outside the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REFUSE_SOCKETS = """
import ctypes, os
class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint)]
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]
socket_call = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
# Load the number of the system call; where it is that of socket, end the process, else allow it.
program = (Instruction * 4)((0x20, 0, 0, 0), (0x15, 0, 1, socket_call), (6, 0, 0, 0x80000000), (6, 0, 0, 0x7FFF0000))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
if libc.prctl(22, 2, ctypes.byref(Program(4, program))):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    raise SystemExit(77)
"""
NO_FILTERS = 77
PREDICT = """
import sys, time
from ocrdeploy import open_predictor
with open_predictor(sys.argv[1], threads=1) as predictor:
    predictor(sys.argv[2])
    time.sleep(1)
"""
SOCKET = "import socket; socket.socket()"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64"), reason="seccomp filters are Linux's"
)


def run(program: str, home: Path, *arguments: Path) -> int:
    """Run a program that may open no socket, as a user's shell would outside of a CI, and return its exit code."""
    marks = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in marks} | {"HOME": str(home)}
    command = [sys.executable, "-c", REFUSE_SOCKETS + program, *map(str, arguments)]
    code = subprocess.run(command, env=environment, check=False).returncode
    if code == NO_FILTERS:
        pytest.skip("this kernel takes no seccomp filters")
    return code


def test_a_socket_would_end_the_process(tmp_path: Path) -> None:
    assert run(SOCKET, tmp_path) < 0


def test_a_predictor_opens_no_socket_and_leaves_nothing_in_the_home_folder(
    sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    assert run(PREDICT, tmp_path, sample_onnx, sample_dir / "imgs" / "syn_0022.jpg") == 0
    assert list(tmp_path.rglob("*")) == []


def test_what_the_user_has_set_stays() -> None:
    program = "import os, ocrdeploy.backends.onnx_sessions\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
