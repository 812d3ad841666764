import os
import subprocess
import sys
from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
import torch

from ocrdeploy.backends import torch as backend_module
from ocrdeploy.backends.torch import TorchBackend
from ocrdeploy.errors import UsageError
from ocrdeploy.hardware import CPU, Device
from ocrdeploy.tensors import TensorSpec

INPUT = TensorSpec("input", ("batch", 3, "height", "width"), "images")
BATCH = {"input": np.zeros((1, 3, 8, 8), np.float32)}


class Probe(torch.nn.Module):
    """Gives its input, and notes the number of threads that it had."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.threads.append(torch.get_num_threads())
        return batch


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_the_number_of_threads_is_put_back() -> None:
    probe = Probe()
    backend = TorchBackend(probe, [INPUT], ["maps"], CPU, 2)
    backend.run(BATCH)
    run = backend.parallel_run(2)
    assert run is not None
    run(BATCH)
    assert probe.threads == [2, 1]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_it_is_put_back_for_new_threads_after_runs_beside_each_other() -> None:
    met = Barrier(2)

    class Meeting(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            met.wait()
            return batch

    run = TorchBackend(Meeting(), [INPUT], ["maps"], CPU, 2).parallel_run(2)
    assert run is not None
    after: list[int] = []

    def work() -> None:
        run(BATCH)
        after.append(torch.get_num_threads())

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    later = Thread(target=lambda: after.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert after == [3, 3, 3]


def switches() -> tuple[str, str, str]:
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    return matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="this PyTorch has the older switches")
@pytest.mark.parametrize(("tf32", "inside"), [(False, "ieee"), (True, "tf32")])
def test_tf32_is_off_or_on_during_a_run_on_a_gpu_alone(tf32: bool, inside: str) -> None:
    before = switches()
    with backend_module._precision(Device(0), tf32=tf32):
        assert switches() == (inside,) * 3
    assert switches() == before
    with backend_module._precision(CPU, tf32=tf32):
        assert switches() == before


@pytest.mark.parametrize("tf32", [False, True])
def test_older_switches_do_the_same(tf32: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Switch:
        allow_tf32 = not tf32

    matmul, cudnn = Switch(), Switch()
    monkeypatch.setattr(torch.backends.cuda, "matmul", matmul)
    monkeypatch.setattr(torch.backends, "cudnn", cudnn)
    with backend_module._precision(Device(0), tf32=tf32):
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (tf32, tf32)
    assert (matmul.allow_tf32, cudnn.allow_tf32) == (not tf32, not tf32)


def test_tf32_is_refused_on_the_cpu() -> None:
    with pytest.raises(UsageError, match="TF32 is for NVIDIA GPUs, and the network runs on cpu"):
        TorchBackend(Probe(), [INPUT], ["maps"], CPU, tf32=True)


def test_it_closes_twice() -> None:
    backend = TorchBackend(Probe(), [INPUT], ["maps"], CPU)
    backend.close()
    backend.close()


FORKED = """
import os, signal
import numpy as np, torch
from ocrdeploy.backends.torch import TorchBackend
from ocrdeploy.hardware import CPU
from ocrdeploy.tensors import TensorSpec
image = TensorSpec("input", ("n", 3, "h", "w"), "")
backend = TorchBackend(torch.nn.Conv2d(3, 32, 3), [image], ["maps"], CPU, 2)
batch = {"input": np.ones((1, 3, 256, 256), np.float32)}
expected = backend.run(batch)["maps"]
child = os.fork()
if not child:
    signal.alarm(60)
    np.testing.assert_allclose(backend.run(batch)["maps"], expected, atol=1e-5)
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_it_runs_in_a_process_that_was_forked_after_a_run() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", FORKED], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
