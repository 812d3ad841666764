"""How a model is opened, as data: filled once, by the command line or by `open_predictor`.

It is imported to print a help text, so it imports nothing heavy.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ocrdeploy.errors import UsageError
from ocrdeploy.hardware import Device, parse_device
from ocrdeploy.whole_numbers import check_threads

if TYPE_CHECKING:
    from ocrdeploy.backends import BackendName
    from ocrdeploy.descriptions.loading import ModelConfig
    from ocrdeploy.model_spec import Task

    from .sources import ModelSource

OPTIONS = {
    "backend": "--backend",
    "config": "--config",
    "checkpoint": "--checkpoint",
    "custom_ops": "--custom-ops",
    "plugins": "--plugin",
    "other_libraries": "--other-libraries",
    "optimized_model_cache": "--optimized-model-cache",
    "trust_checkpoint": "--trust-checkpoint",
    "mmocr_python": "--mmocr-python",
    "device": "--device",
    "threads": "--threads",
    "tf32": "--tf32",
    "precision": "--precision",
}
"""The options that say how models are opened, by the fields that they fill."""
USED_BY = {
    "torch": frozenset({"config", "checkpoint", "trust_checkpoint", "device", "threads", "tf32"}),
    "onnxruntime": frozenset(
        {"config", "custom_ops", "other_libraries", "optimized_model_cache", "device", "threads", "tf32"}
    ),
    "openvino": frozenset({"config", "optimized_model_cache", "precision", "device", "threads"}),
    "tensorrt": frozenset({"config", "plugins", "other_libraries", "device", "threads"}),
    "mmocr": frozenset({"config", "checkpoint", "trust_checkpoint", "mmocr_python"}),
}
"""The fields that each backend, and the real MMOCR, looks at."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How models are opened.

    It remembers what was read, also when `dataclasses.replace` makes another of it: a config is a program, and runs
    once however many models and backends need it.

    Attributes:
        config: The MMOCR config, for a checkpoint, for a model that holds no spec, and for PyTorch in place of the
            config that the model's spec records.
        checkpoint: The checkpoint for PyTorch, in place of the one that the model's spec records. On a command line it
            may be a URL until it is downloaded.
        backend: `torch`, `onnxruntime`, `openvino` or `tensorrt`; None takes what the model's file is for.
        device: `cpu`, `cuda` or `cuda:N`; None takes CUDA where the backend has it, else the CPU.
        threads: Number of CPU cores for all stages together; None takes those that this process may use.
        custom_ops: Libraries with operators that an ONNX model needs.
        plugins: Libraries with plugins that an engine needs.
        optimized_model_cache: Folder in which ONNX Runtime's optimised models are kept.
        trust_checkpoint: Read checkpoints by running the code that they hold.
        mmocr_python: The interpreter that holds the real MMOCR.
        other_libraries: Take libraries that are not those which a model was made with.
        tf32: Let a GPU compute float32 in TensorFloat-32.
        for_reading: The model is a part of a reader: see `SessionSource`.
        precision: What OpenVINO computes: `fp32`, `fp16`, `bf16` or `auto`; None is `fp32`.

    Raises:
        UsageError: A value is none that exists.
    """

    config: Path | None = None
    checkpoint: Path | str | None = None
    backend: str | None = None
    device: str | None = None
    threads: int | None = None
    custom_ops: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    optimized_model_cache: Path | None = None
    trust_checkpoint: bool = False
    mmocr_python: Path | None = None
    other_libraries: bool = False
    tf32: bool = False
    precision: str | None = None
    for_reading: bool = False
    _configs: "dict[Path, ModelConfig]" = field(default_factory=dict, repr=False, compare=False)
    _sources: "dict[Path, ModelSource]" = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a device that does not exist and a number of threads that makes no sense."""
        if self.device is not None:
            parse_device(self.device)
        object.__setattr__(self, "threads", check_threads(self.threads))

    @property
    def place(self) -> Device | None:
        """The device that was named."""
        return None if self.device is None else parse_device(self.device)

    @property
    def checkpoint_file(self) -> Path | None:
        """The checkpoint that was named."""
        return None if self.checkpoint is None else Path(self.checkpoint)

    def backend_of(self, path: Path) -> "BackendName":
        """Return the backend that a model is opened with.

        Raises:
            UsageError: There is no such backend.
            ModelError: None was named, and the file's name is not that of a model.
        """
        from ocrdeploy.backends import parse_backend

        return self.source(path).backend if self.backend is None else parse_backend(self.backend)

    @property
    def given(self) -> dict[str, object]:
        """What was named, by its option."""
        values = {option: getattr(self, field) for field, option in OPTIONS.items()}
        return {option: value for option, value in values.items() if value not in {None, False, ()}}

    def check(self, used: Collection[str], what: str) -> None:
        """Refuse what cannot matter, and files that are named and not there.

        Args:
            used: The fields that are looked at; `backend` always is.
            what: What looks at them, for the message.

        Raises:
            UsageError: Something else was named.
            InputError: A file is missing.
        """
        kept = {"backend", *used}
        if not self.custom_ops and not self.plugins:
            kept.discard("other_libraries")
        left = [option for option in self.given if option not in {OPTIONS[each] for each in kept}]
        if left:
            raise UsageError(
                f"{', '.join(left)} cannot matter for {what}", f"Leave {'them' if left[1:] else 'it'} out."
            )
        self._check_files()

    def _check_files(self) -> None:
        """Refuse files that are named and not there."""
        from ocrdeploy.artifacts import check_file
        from ocrdeploy.errors import ConfigError, ModelError

        if self.config is not None:
            check_file(self.config, "config", ConfigError)
        if isinstance(self.checkpoint, Path):
            check_file(self.checkpoint, "checkpoint", ModelError)
        for kind, paths in (("operator library", self.custom_ops), ("plugin library", self.plugins)):
            for path in paths:
                check_file(path, kind, ModelError)
        if self.mmocr_python is not None:
            check_file(self.mmocr_python, "interpreter", UsageError)

    def read_config(self, path: Path, task: "Task | None" = None) -> "ModelConfig":
        """Return what an MMOCR config says; each is read once.

        Raises:
            ConfigError: It is broken, asks for what cannot be honoured, or is of another task.
        """
        from ocrdeploy.descriptions.loading import load_config
        from ocrdeploy.dialects.outline import check_task

        if path not in self._configs:
            self._configs[path] = load_config(path)
        check_task(self._configs[path], task)
        return self._configs[path]

    def source(self, path: Path) -> "ModelSource":
        """Return what is known of a model's file; each is read once."""
        from .sources import ModelSource

        if path not in self._sources:
            self._sources[path] = ModelSource(path)
        return self._sources[path]


def opening_of(
    *,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    backend: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    custom_ops: Iterable[str | Path] = (),
    plugins: Iterable[str | Path] = (),
    optimized_model_cache: str | Path | None = None,
    trust_checkpoint: bool = False,
    mmocr_python: str | Path | None = None,
    other_libraries: bool = False,
    tf32: bool = False,
    precision: str | None = None,
) -> Opening:
    """Return how models are opened as a Python program says it, with files as texts or paths; see `Opening`.

    Raises:
        UsageError: A value is none that exists.
    """
    return Opening(
        config=_path(config),
        checkpoint=_path(checkpoint),
        backend=backend,
        device=device,
        threads=threads,
        custom_ops=tuple(map(Path, custom_ops)),
        plugins=tuple(map(Path, plugins)),
        optimized_model_cache=_path(optimized_model_cache),
        trust_checkpoint=trust_checkpoint,
        mmocr_python=_path(mmocr_python),
        other_libraries=other_libraries,
        tf32=tf32,
        precision=precision,
    )


def _path(file: str | Path | None) -> Path | None:
    return None if file is None else Path(file)
