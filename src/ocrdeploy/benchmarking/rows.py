"""What a benchmark reports of each model, and the JSON of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ocrdeploy.backends import BackendName

from .measuring import Benchmark


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One model on one backend with one batch size.

    Attributes:
        model: The model as it was named.
        backend: Runtime.
        precision: Number format of the network, such as `fp32`.
        device: Where it ran: `cpu` or `cuda:N`.
        cpu: Name of the processor; empty where the system does not tell.
        measured: The numbers.
        tf32: Whether a GPU computed float32 in TF32.
        size_mib: Size of the model's file, in MiB; None where there is none.
    """

    model: str
    backend: BackendName
    precision: str
    device: str
    cpu: str
    measured: Benchmark
    tf32: bool = False
    size_mib: float | None = None

    def document(self) -> dict[str, Any]:
        """Return the row as what JSON can hold; latencies are milliseconds an image.

        `shape` is that of all batches, with -1 for a length that differs between them, and `shapes` has all.
        """
        fields = asdict(self.measured)
        del fields["model"]
        return {
            "model": self.model,
            "backend": self.backend,
            "precision": self.precision,
            **({"tf32": True} if self.tf32 else {}),
            "device": self.device,
            "cpu": self.cpu,
            "size_mib": self.size_mib,
            "shape": list(self.measured.shape),
            **fields,
            "shapes": [list(shape) for shape in self.measured.shapes],
        }

    def numbers(self) -> dict[str, float]:
        """Return the numbers that a gate can name, such as `images_per_second` and `inference:p90`."""
        measured = self.measured
        found = {
            "images_per_second": measured.images_per_second,
            "network_images_per_second": measured.network_images_per_second,
            "peak_rss_mib": measured.peak_rss_mib,
        }
        found |= {} if self.size_mib is None else {"size_mib": self.size_mib}
        for stage, latency in measured.stages.items():
            found |= {f"{stage}:{name}": value for name, value in asdict(latency).items()}
        return found

    @property
    def place(self) -> str:
        """What tells the row from others, in words."""
        return f"{self.model} on {self.backend} {self.precision}, {self.device}, batch {self.measured.batch}"


def benchmark_documents(rows: Sequence[BenchmarkRow]) -> list[dict[str, Any]]:
    """Return the rows as what JSON can hold."""
    return [row.document() for row in rows]
