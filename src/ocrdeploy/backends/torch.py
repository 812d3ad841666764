"""PyTorch, for reference: the network as it was trained."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from ocrdeploy.errors import DeviceError
from ocrdeploy.hardware import CPU, Device, core_count

from .protocol import Array, BackendName


class TorchBackend:
    """A PyTorch network.

    Args:
        network: Maps N×C×H×W float32 to one tensor or several.
        output_names: What the tensors are called.
        device: Where to run; None takes CUDA where PyTorch and the machine have it, else the CPU.
        threads: Number of cores for one run, and for all runs that are beside each other; None takes those that this
            process may use.

    Raises:
        DeviceError: The device was named and PyTorch cannot use it.
    """

    name: BackendName = "torch"
    precision = "fp32"

    def __init__(
        self,
        network: torch.nn.Module,
        output_names: Sequence[str],
        device: Device | None = None,
        threads: int | None = None,
    ) -> None:
        self.device = choose_torch_device(device)
        self.network = network.to(str(self.device)).eval()
        self.threads = threads or core_count()
        self._output_names = tuple(output_names)

    def run(self, batch: Array) -> dict[str, Array]:
        """Compute the outputs of a batch N×C×H×W; see `Backend.run`."""
        return self._run(self.threads, batch)

    def parallel_run(self, workers: int) -> Callable[[Array], dict[str, Array]] | None:
        """Return a function for runs beside each other; see `ParallelBackend.parallel_run`. None on a GPU."""
        return None if self.device.is_cuda else partial(self._run, max(1, self.threads // workers))

    @torch.inference_mode()
    def _run(self, threads: int, batch: Array) -> dict[str, Array]:
        """Compute the outputs of a batch on a number of threads."""
        if torch.get_num_threads() != threads:  # it holds for the calling thread
            torch.set_num_threads(threads)
        tensor = torch.from_numpy(np.ascontiguousarray(batch)).to(str(self.device))
        output = self.network(tensor)
        outputs = (output,) if isinstance(output, torch.Tensor) else output
        return {name: value.cpu().numpy() for name, value in zip(self._output_names, outputs, strict=True)}

    def close(self) -> None:
        """Drop the network."""
        del self.network


def choose_torch_device(device: Device | None) -> Device:
    """Return the device that PyTorch is to use; None takes the first GPU where there is one.

    Raises:
        DeviceError: A GPU was named that PyTorch does not have.
    """
    count = torch.cuda.device_count()
    if device is None:
        return Device(0) if count else CPU
    if device.index is not None and device.index >= count:
        raise DeviceError(f"{device} does not exist: PyTorch shows {count} CUDA devices", "Use --device cpu.")
    return device
