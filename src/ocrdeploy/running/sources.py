"""What is known of a model's file before a runtime opens it."""

from functools import cached_property
from pathlib import Path

from ocrdeploy.artifacts import METADATA_KEY, sha256_of, spec_from_metadata
from ocrdeploy.backends import BackendName
from ocrdeploy.dialects.config_file import config_files
from ocrdeploy.engines.files import read_record
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import EngineRecord, FileRecord, ModelSpec, Source
from ocrdeploy.onnx_file import OnnxFacts, read_onnx_facts

ONNX_SUFFIXES = (".onnx",)
ENGINE_SUFFIXES = (".engine", ".plan", ".trt")
CHECKPOINT_SUFFIXES = (".pth", ".pt", ".safetensors")


class ModelSource:
    """A model's file, and the sidecar of an engine; each part is read at most once, when it is asked for.

    Args:
        path: The file.

    Attributes:
        path: As given.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_onnx(self) -> bool:
        """Whether its name is that of an ONNX model."""
        return self.path.suffix.lower() in ONNX_SUFFIXES

    @property
    def is_engine(self) -> bool:
        """Whether its name is that of an engine."""
        return self.path.suffix.lower() in ENGINE_SUFFIXES

    @property
    def is_checkpoint(self) -> bool:
        """Whether its name is that of a checkpoint."""
        return self.path.suffix.lower() in CHECKPOINT_SUFFIXES

    @property
    def backend(self) -> BackendName:
        """The backend that the file is for, by its suffix.

        Raises:
            ModelError: The suffix is none of a model.
        """
        if self.is_onnx:
            return "onnxruntime"
        if self.is_checkpoint:
            return "torch"
        if self.is_engine:
            return "tensorrt"
        known = ", ".join(ONNX_SUFFIXES + ENGINE_SUFFIXES + CHECKPOINT_SUFFIXES)
        raise ModelError(f"{self.path} is not a model: its name should end with one of {known}")

    @cached_property
    def facts(self) -> OnnxFacts:
        """What an ONNX model says of itself.

        Raises:
            ModelError: The file is missing or no ONNX model.
        """
        return read_onnx_facts(self.path)

    @cached_property
    def record(self) -> EngineRecord:
        """An engine's sidecar; whether it is that of the plan is checked when the engine is opened.

        Raises:
            ModelError: A file is missing, or the sidecar is broken.
        """
        return read_record(self.path)

    @cached_property
    def own_spec(self) -> ModelSpec | None:
        """The spec that an ONNX model or an engine holds; None where it holds none.

        Raises:
            ModelError: The file is missing or broken, or the spec is.
        """
        if self.is_engine:
            return self.record.spec
        return self.spec if METADATA_KEY in self.facts.metadata else None

    @cached_property
    def spec(self) -> ModelSpec:
        """The spec in an ONNX model.

        Raises:
            ModelError: The file is missing or broken, or holds no spec.
        """
        return spec_from_metadata(self.facts.metadata, self.path)

    @property
    def files(self) -> list[Path]:
        """The files that hold the model: its own, and those that hold weights of an ONNX model."""
        external = self.facts.external if self.is_onnx and self.path.is_file() else ()
        return [self.path, *(self.path.parent / name for name in external)]

    def made_from(self, config: Path | None = None, checkpoint: Path | None = None) -> tuple[Path, Path]:
        """Return the config and the checkpoint that an ONNX model was made from.

        Args:
            config: The config, if the user named it.
            checkpoint: The checkpoint, if the user named it.

        Raises:
            ModelError: One is neither named nor recorded, or not there.
        """
        if config is not None and checkpoint is not None:
            return config, checkpoint
        source = self._source
        return (
            config or self._find_config(source),
            checkpoint or self._find(source.checkpoint, "checkpoint"),
        )

    @property
    def _source(self) -> Source:
        """What the spec records."""
        spec = self.own_spec
        if spec is None or spec.source is None:
            raise ModelError(
                f"the spec of {self.path} names no config and checkpoint", "Give --config and --checkpoint."
            )
        return spec.source

    def _find_config(self, source: Source) -> Path:
        """Return the config that the spec records, if the files that it is based on are those that are recorded."""
        config = self._find(source.config, "config")
        for base, record in zip(config_files(config)[1:], source.bases, strict=False):
            if base.is_file() and (sha256 := sha256_of(base)) != record.sha256:
                raise ModelError(
                    f"{base}, on which {config} is based, is not the file that {self.path} was exported with: its "
                    f"SHA-256 is {sha256}, and {record.sha256} is recorded",
                    f"To take it all the same, name the config: --config {config}",
                )
        return config

    def _find(self, record: FileRecord, kind: str) -> Path:
        """Return the file that the spec records, from its old place or from beside the model, whichever holds it."""
        recorded = Path(record.path)
        places = [path for path in (recorded, self.path.parent / recorded.name) if path.is_file()]
        others: list[tuple[Path, str]] = []
        for path in places:
            sha256 = sha256_of(path)
            if sha256 == record.sha256:
                return path
            others.append((path, sha256))
        if not others:
            raise ModelError(
                f"the {kind} that {self.path} was exported from, {recorded}, is not there", f"Give it with --{kind}."
            )
        path, sha256 = others[0]
        raise ModelError(
            f"{path} is not the {kind} that {self.path} was exported from: its SHA-256 is {sha256}, and "
            f"{record.sha256} is recorded",
            f"To take it all the same, name it: --{kind} {path}",
        )
