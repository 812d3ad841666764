"""PyTorch, for reference: the network as it was trained."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock, RLock
from typing import Any

import numpy as np
import torch

from ocrdeploy.errors import DeviceError
from ocrdeploy.hardware import CPU, Device, core_count, cuda_device_count
from ocrdeploy.tensors import TensorSpec

from .protocol import Array, BackendName, Batch, check_tf32, warn_of_cpu

PROBE_LENGTH = 64
"""Height and width, at most, of the input that memory is estimated by."""


class TorchBackend:
    """A PyTorch network.

    Args:
        network: Maps its inputs, float32, to one tensor or several.
        inputs: Its inputs in the order in which it takes them, the images first.
        output_names: What the tensors are called.
        device: Where to run; None takes CUDA where PyTorch and the machine have it, else the CPU.
        threads: Number of cores for one run, and for all runs that are beside each other; None takes those that this
            process may use.
        tf32: Let a GPU compute with TF32.

    Raises:
        DeviceError: The device was named and PyTorch cannot use it.
        UsageError: TF32 was asked for without a GPU.
    """

    name: BackendName = "torch"
    precision = "fp32"

    def __init__(
        self,
        network: torch.nn.Module,
        inputs: Sequence[TensorSpec],
        output_names: Sequence[str],
        device: Device | None = None,
        threads: int | None = None,
        *,
        tf32: bool = False,
    ) -> None:
        self.device = choose_torch_device(device)
        check_tf32(self.device, tf32=tf32)
        self.tf32 = tf32
        self.network = network.to(str(self.device)).eval()
        self.threads = threads or core_count()
        self.inputs = tuple(inputs)
        self._output_names = tuple(output_names)
        self._pid = os.getpid()
        self._probed: dict[tuple[int, ...], int] = {}

    def run(self, batch: Batch) -> dict[str, Array]:
        """Compute the outputs of a batch; see `Backend.run`."""
        return self._run(self.threads, batch)

    def parallel_run(self, workers: int) -> Callable[[Batch], dict[str, Array]] | None:
        """Return a function for runs beside each other; see `ParallelBackend.parallel_run`. None on a GPU."""
        return None if self.device.is_cuda else partial(self._run, max(1, self.threads // workers))

    def _run(self, threads: int, batch: Batch) -> dict[str, Array]:
        """Compute the outputs of a batch on a number of threads."""
        if os.getpid() != self._pid:
            threads = 1  # OpenMP's threads are gone after a fork, and waiting for them would have no end
        with torch.inference_mode(), _threads(threads), _precision(self.device, tf32=self.tf32):
            arrays = (np.ascontiguousarray(batch[tensor.name]) for tensor in self.inputs)
            output = self.network(*(torch.from_numpy(array).to(str(self.device)) for array in arrays))
            outputs = (output,) if isinstance(output, torch.Tensor) else output
            return {name: value.cpu().numpy() for name, value in zip(self._output_names, outputs, strict=True)}

    def run_bytes(self, shape: tuple[int, ...]) -> int:
        """Return about how many bytes a run takes; see `EstimatingBackend`.

        A small image is run, and the layer that has most before and behind it counts twice, for what else is held.
        """
        small = (1, shape[1], min(shape[2], PROBE_LENGTH), min(shape[3], PROBE_LENGTH))
        if small not in self._probed:
            self._probed[small] = self._probe(small)
        return 2 * self._probed[small] * math.prod(shape) // math.prod(small)

    def _probe(self, shape: tuple[int, ...]) -> int:
        """Return the bytes before and behind the layer that has most of them, in a run on zeros."""
        most = 0

        def count(_module: torch.nn.Module, given: Any, made: Any) -> None:
            nonlocal most
            most = max(most, sum(each.nbytes for each in (*given, made) if isinstance(each, torch.Tensor)))

        layers = [module for module in self.network.modules() if not any(module.children())]
        hooks = [layer.register_forward_hook(count) for layer in layers]
        try:
            images, *others = self.inputs
            lengths = {tensor.name: [each for each in tensor.shape[1:] if isinstance(each, int)] for tensor in others}
            one = {name: np.ones((1, *rest), np.float32) for name, rest in lengths.items()}
            self._run(1, {images.name: np.zeros(shape, np.float32)} | one)
        finally:
            for hook in hooks:
                hook.remove()
        return most

    def close(self) -> None:
        """Drop the network."""
        self.network = torch.nn.Module()


def choose_torch_device(device: Device | None) -> Device:
    """Return the device that PyTorch is to use; None takes the first GPU where there is one.

    Raises:
        DeviceError: A GPU was named that PyTorch does not have.
    """
    count = torch.cuda.device_count()
    if device is None:
        if not count and cuda_device_count():
            warn_of_cpu("this PyTorch shows no CUDA device", "Install a PyTorch that is built for this driver's CUDA.")
        return Device(0) if count else CPU
    if device.index is not None and device.index >= count:
        raise DeviceError(f"{device} does not exist: PyTorch shows {count} CUDA devices", "Use --device cpu.")
    return device


class _ProcessThreads:
    """The number of threads that the process had before the first of the runs that are under way."""

    def __init__(self) -> None:
        self.lock, self.runs, self.before = Lock(), 0, 1


_process = _ProcessThreads()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let PyTorch use so many threads in this thread, and leave it and the process as they were.

    PyTorch keeps a number for each thread, and one that a thread which has none yet begins with; setting the first
    sets the second. So while runs are under way, what a new thread finds may be a run's number, not the user's.
    """
    with _process.lock:
        found = torch.get_num_threads()
        if not _process.runs:
            _process.before = found
        before = _process.before if found == count else found
        _process.runs += 1
        if found != count:
            torch.set_num_threads(count)
    try:
        yield
    finally:
        with _process.lock:
            _process.runs -= 1
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)


_precision_lock = RLock()
"""The switches belong to the process, so on a GPU one run at a time has them."""


@contextmanager
def _precision(device: Device, *, tf32: bool) -> Iterator[None]:
    """Switch TF32 on or off in cuBLAS and cuDNN on a GPU, and leave the process as it was."""
    if not device.is_cuda:
        yield
        return
    with _precision_lock:
        switches, name, value = _tf32_switches(tf32=tf32)
        before = [getattr(switch, name) for switch in switches]
        try:
            for switch in switches:
                setattr(switch, name, value)
            yield
        finally:
            for switch, old in zip(switches, before, strict=True):
                setattr(switch, name, old)


def _tf32_switches(*, tf32: bool) -> tuple[tuple[Any, ...], str, str | bool]:
    """Return the objects that have a switch, the switch's name, and its value; PyTorch 2.9 has new ones."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(cudnn, "conv") and hasattr(cudnn.conv, "fp32_precision"):
        return (matmul, cudnn.conv, cudnn.rnn), "fp32_precision", "tf32" if tf32 else "ieee"
    return (matmul, cudnn), "allow_tf32", tf32
