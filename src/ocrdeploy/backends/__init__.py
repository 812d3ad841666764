"""Inference runtimes behind one protocol: a batch in, named arrays out. Importing this package imports none of them."""

from .protocol import (
    Array,
    Backend,
    BackendName,
    Batch,
    EstimatingBackend,
    ParallelBackend,
    check_finite,
    parse_backend,
)

__all__ = [
    "Array",
    "Backend",
    "BackendName",
    "Batch",
    "EstimatingBackend",
    "ParallelBackend",
    "check_finite",
    "parse_backend",
]
