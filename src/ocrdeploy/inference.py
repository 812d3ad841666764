"""A network as predictors use it: on batches of one shape, with all cores or with several runs beside each other."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ocrdeploy.backends import Array, Backend, ParallelBackend, check_finite
from ocrdeploy.batch_choice import BatchChoice, measure_batch_size
from ocrdeploy.decoders import Outputs
from ocrdeploy.errors import ShapeError
from ocrdeploy.image_inputs import check_shape, stack_batch
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.steps import Preprocessed

Run = Callable[[Array], dict[str, Array]]

WARM_UP_LENGTH = 64
"""Height and width, where they are open, of the input that warms a network up."""

MAX_WORKERS = 8
"""Most images that are in work at once on the CPU: each takes the memory of a whole run of the network. With more
cores than that, each run takes several."""

SIDE_WORKERS = 2
"""Threads that read and decode beside a network that runs one batch at a time."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A network that is ready to run.

    Attributes:
        spec: What it takes, gives and means.
        backend: The network.
        threads: Number of cores to use.
        name: What errors call the model.
    """

    spec: ModelSpec
    backend: Backend
    threads: int
    name: str

    def batch_size(self, wanted: int) -> int:
        """Return the batch size to use: a static model has its own."""
        fixed = self.spec.input.shape[0]
        return fixed if isinstance(fixed, int) else wanted

    def choose_run(self) -> tuple[int, Run | None]:
        """Return how many threads a stream has, and how each runs the network; None where one does for all."""
        workers = min(self.threads, MAX_WORKERS)
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
        by_width = sorted((item.tensor for item in prepared), key=lambda tensor: tensor.shape[2])
        median = by_width[len(by_width) // 2]
        check_shape((1, *median.shape), self.spec)
        return measure_batch_size(self.backend.run if run is None else run, median)

    def warm_up(self) -> None:
        """Run the network as a stream does, once and on a small input, so that what that sets up is not measured."""
        lengths = [length if isinstance(length, int) else WARM_UP_LENGTH for length in self.spec.input.shape[1:]]
        _, run = self.choose_run()
        # An engine whose profiles leave this size out has warmed up when it was opened.
        with contextlib.suppress(ShapeError):
            (self.backend.run if run is None else run)(np.zeros((self.batch_size(1), *lengths), np.float32))

    def outputs(self, batch: Array, run: Run | None = None) -> dict[str, Array]:
        """Run the network.

        Args:
            batch: N×C×H×W float32, already normalised.
            run: One of the backend's functions; by default the one that uses all cores.

        Returns:
            The outputs by name.

        Raises:
            ShapeError: The model does not take this shape.
            NonFiniteError: An output holds NaN or infinity.
        """
        check_shape(batch.shape, self.spec)
        outputs = (run or self.backend.run)(batch)
        for name, output in outputs.items():
            check_finite(output, name, f"{self.name} on {self.backend.name}")
        return outputs

    def infer(self, prepared: Sequence[Preprocessed], run: Run | None = None) -> Outputs:
        """Run images as one batch, padded to the widest, and return what decoding reads, an entry an image."""
        batch = stack_batch(prepared, self.batch_size(len(prepared)))
        return self.spec.read_outputs(self.outputs(batch, run), len(prepared))
