"""A network as predictors use it: on batches of one shape, with all cores or with several runs beside each other."""

import contextlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ocrdeploy.backends import Array, Backend, Batch, EstimatingBackend, ParallelBackend, check_finite
from ocrdeploy.batch_choice import BatchChoice, measure_batch_size
from ocrdeploy.batches import blank_batch, check_batch, check_shape, make_batch
from ocrdeploy.decoders import Outputs
from ocrdeploy.errors import ImageError, ModelError, ShapeError, UsageError
from ocrdeploy.hardware import free_memory
from ocrdeploy.model_spec import ModelSpec, shape_text
from ocrdeploy.steps import Preprocessed
from ocrdeploy.tensors import TensorSpec

Run = Callable[[Batch], dict[str, Array]]

WARM_UP_LENGTH = 64
"""Height and width, where they are open, of the input that warms a network up."""

MAX_WORKERS = 8
"""Most images that are in work at once on the CPU: each takes the memory of a whole run of the network. With more
cores than that, each run takes several."""

MOST_BYTES_A_PIXEL = 2048
"""No network here takes more for a pixel of its input: CRNN about 500, PSENet of ResNet 50 about 500, DBNet 60 to 200.
Where that is free, nothing is looked at closely."""

ALWAYS_FREE = 2**28
"""What a run may take without a look at the memory, in bytes: words of 32×4096 pixels."""

MARGIN = 1.5
"""How much more than estimated a run is expected to take, at worst."""

TENSOR_BYTES = 8
"""Bytes a value of an input: as float32, and once more on its way there."""

SIDE_WORKERS = 2
"""Threads that read and decode beside a network that runs one batch at a time."""


def worker_count(threads: int) -> int:
    """Return how many workers share the cores so that fewest are idle: 12 cores are 6 workers with 2, not 8 with 1."""
    most = min(threads, MAX_WORKERS)
    return max(range(min(most, MAX_WORKERS // 2), most + 1), key=lambda count: (count * (threads // count), count))


class Lifetime:
    """In which process a network was opened, and whether it is closed."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.is_closed = False


@dataclass(frozen=True, slots=True)
class Inference:
    """A network that is ready to run.

    Attributes:
        spec: What it takes, gives and means.
        backend: The network.
        threads: Number of cores to use.
        name: What errors call the model.
        lifetime: When it can be used.
    """

    spec: ModelSpec
    backend: Backend
    threads: int
    name: str
    lifetime: Lifetime = field(default_factory=Lifetime)

    def check_usable(self) -> None:
        """Refuse to use a network that is closed, or that a fork has cut off from its GPU.

        Raises:
            UsageError: It is.
        """
        if self.lifetime.is_closed:
            raise UsageError(f"the predictor of {self.name} is closed", "Open it again.")
        if self.backend.device.is_cuda and os.getpid() != self.lifetime.process:
            raise UsageError(
                f"the predictor of {self.name} was opened before this process was forked, and a GPU cannot be used "
                "across a fork",
                "Open it in each process.",
            )

    def batch_size(self, wanted: int) -> int:
        """Return the batch size to use: a static model has its own."""
        fixed = self.spec.input.shape[0]
        return fixed if isinstance(fixed, int) else wanted

    def choose_run(self) -> tuple[int, Run | None]:
        """Return how many threads a stream has, and how each runs the network; None where one does for all."""
        self.check_usable()
        workers = worker_count(self.threads)
        run = self.backend.parallel_run(workers) if isinstance(self.backend, ParallelBackend) else None
        return (SIDE_WORKERS, None) if run is None else (workers, run)

    def choose_batch_size(self, prepared: Sequence[Preprocessed]) -> BatchChoice:
        """Return how many images a stream had best run together.

        For recognition it is measured on the image of median width, in a run as a stream has it. Detectors run one
        image at a time: on two cores without a GPU, batches of 2 to 16 took 1.0 to 1.3 times the time an image of one
        alone (PANet at 640×864, DBNet at 192×320), because their feature maps no longer fit into the caches, while CRNN
        was up to 1.35 times as fast.

        Args:
            prepared: Some of the images; without any, one at a time is chosen.
        """
        fixed = self.spec.input.shape[0]
        if isinstance(fixed, int) or self.spec.task == "det" or not prepared:
            return BatchChoice(fixed if isinstance(fixed, int) else 1)
        _, run = self.choose_run()
        by_width = sorted(prepared, key=lambda item: item.tensor.shape[2])
        median = by_width[len(by_width) // 2]
        check_shape((1, *median.tensor.shape), self.spec)
        return measure_batch_size(self.backend.run if run is None else run, make_batch([median], self.spec, 1))

    def warm_up(self) -> None:
        """Run the network as a stream does, once and on a small input, so that what that sets up is not measured."""
        lengths = [length if isinstance(length, int) else WARM_UP_LENGTH for length in self.spec.input.shape[1:]]
        _, run = self.choose_run()
        # An engine whose profiles leave this size out has warmed up when it was opened.
        with contextlib.suppress(ShapeError):
            (self.backend.run if run is None else run)(blank_batch(self.spec, (self.batch_size(1), *lengths)))

    def outputs(self, batch: Batch, run: Run | None = None) -> dict[str, Array]:
        """Run the network.

        Args:
            batch: An array for each of the network's inputs.
            run: One of the backend's functions; by default the one that uses all cores.

        Returns:
            The outputs that the spec names; others are not judged.

        Raises:
            ShapeError: The model does not take these inputs or shapes, or is given no float32.
            ModelError: An output is not what the spec says.
            NonFiniteError: An output holds NaN or infinity.
            UsageError: The predictor is closed.
        """
        self.check_usable()
        check_batch(batch, self.spec)
        outputs = (run or self.backend.run)(batch)
        images = batch[self.spec.input.name].shape
        return {tensor.name: self._judge(outputs[tensor.name], tensor, images) for tensor in self.spec.outputs}

    def _judge(self, output: Array, tensor: TensorSpec, images: tuple[int, ...]) -> Array:
        """Return an output as the type that the spec says, or refuse it."""
        is_float = tensor.dtype == "float32" and output.dtype.kind == "f"
        if not is_float and not (output.dtype.kind == np.dtype(tensor.dtype).kind == "i"):
            raise ModelError(
                f"the output {tensor.name!r} of {self.name} is an array of {output.dtype}, and its spec says "
                f"{tensor.dtype}"
            )
        self._check_output_shape(output.shape, tensor, images)
        check_finite(output, tensor.name, f"{self.name} on {self.backend.name}")
        return output.astype(tensor.dtype, copy=False)

    def _check_output_shape(self, shape: tuple[int, ...], tensor: TensorSpec, images: tuple[int, ...]) -> None:
        """Refuse an output that is not an entry an image, and of maps those of another size than the decoder takes."""
        expected = [images[0], *tensor.shape[1:]]
        decoder = self.spec.postprocessing
        names = (output.name for output in self.spec.outputs)
        sizes = dict(zip(names, decoder.map_sizes((images[2], images[3])), strict=False))
        if len(expected) == 4:
            expected[2:] = sizes.get(tensor.name, expected[2:])
        fits = len(shape) == len(expected) and all(
            not isinstance(length, int) or length == actual for length, actual in zip(expected, shape, strict=True)
        )
        if not fits:
            raise ModelError(
                f"the output {tensor.name!r} of {self.name} is {shape_text(shape)} for an input of "
                f"{shape_text(images)}, and {shape_text(tuple(expected))} is what {type(decoder).__name__} reads"
            )

    def check_memory(self, shape: tuple[int, ...], beside: int = 1) -> None:
        """Refuse an input for which the memory does not suffice, before anything of it is made.

        Args:
            shape: N×C×H×W.
            beside: How many such runs there may be at a time.

        Raises:
            ImageError: Says shape, memory and limit.
        """
        pixels = shape[0] * math.prod(shape[2:])
        if pixels * MOST_BYTES_A_PIXEL <= ALWAYS_FREE or self.backend.device.is_cuda:
            return
        free = free_memory()
        limit = pixels * MOST_BYTES_A_PIXEL if free is None else free // (2 * beside)
        if pixels * MOST_BYTES_A_PIXEL <= limit or not isinstance(self.backend, EstimatingBackend):
            return
        needed = math.prod(shape) * TENSOR_BYTES + int(MARGIN * self.backend.run_bytes(shape))
        if needed > limit:
            each = f", for each of {beside} at a time" if beside > 1 else ""
            raise ImageError(
                f"the network's input would be {shape_text(shape)}, {shape[3]} pixels wide, which takes about "
                f"{needed / 1e9:.1f} GB of memory, and {limit / 1e9:.1f} GB is the limit: half of what is free{each}",
                "Scale the image down or cut it into parts, or export the model with a smaller scale or max_width.",
            )

    def infer(self, prepared: Sequence[Preprocessed], run: Run | None = None) -> Outputs:
        """Run images as one batch, padded to the widest, and return what decoding reads, an entry an image."""
        size = self.batch_size(len(prepared))
        if len(prepared) > 1:
            widest = max((item.tensor for item in prepared), key=lambda tensor: tensor.shape[2])
            self.check_memory((size, *widest.shape), 1 if run is None else worker_count(self.threads))
        outputs = self.outputs(make_batch(prepared, self.spec, size), run)
        return self.spec.read_outputs(outputs, len(prepared))
