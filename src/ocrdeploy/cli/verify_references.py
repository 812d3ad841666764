"""What `verify` compares with: PyTorch, the real MMOCR, or a model."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ocrdeploy.model_spec import ExportOptions
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.verification.comparison import Side

ReferenceKind = Literal["torch", "mmocr", "model"]
TITLES = {"torch": "PyTorch", "mmocr": "MMOCR"}


@dataclass(frozen=True, slots=True)
class Opening:
    """How models are opened.

    Attributes:
        config: The MMOCR config that the user named.
        checkpoint: The checkpoint that the user named.
        device: The device that the user named.
        custom_ops: Libraries with operators.
        plugins: Libraries with plugins.
        mmocr_python: The interpreter that holds MMOCR.
        trust_checkpoint: Read checkpoints by running the code that they hold.
    """

    config: Path | None = None
    checkpoint: Path | None = None
    device: str | None = None
    custom_ops: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    mmocr_python: Path | None = None
    trust_checkpoint: bool = False

    def model(self, path: Path) -> "Predictor":
        """Open a model."""
        from ocrdeploy.opening import open_predictor

        return open_predictor(
            path,
            config=self.config,
            device=self.device,
            custom_ops=self.custom_ops,
            plugins=self.plugins,
            trust_checkpoint=self.trust_checkpoint,
        )


@dataclass(slots=True, eq=False)
class References:
    """Opens the reference of each candidate, and none twice.

    Attributes:
        kind: What the reference is.
        model: The reference, if it is a model.
        opening: How models are opened.
        stack: Closes what is opened.
    """

    kind: ReferenceKind
    model: Path | None
    opening: Opening
    stack: ExitStack
    _opened: "dict[tuple[Path, Path, ExportOptions | None], Side]" = field(default_factory=dict)
    _model: "Predictor | None" = None

    def of(self, path: Path, candidate: "Predictor") -> "Side":
        """Return the reference of a candidate.

        PyTorch and MMOCR are given the config and checkpoint that the candidate was made from; nothing else of it.

        Raises:
            InputError: A file is missing or broken.
            MachineError: PyTorch or MMOCR is missing.
        """
        if self.model is not None:
            if self._model is None:
                self._model = self.stack.enter_context(self.opening.model(self.model))
            return self._model
        from ocrdeploy.opening import find_source

        config, checkpoint = find_source(candidate.spec, path, self.opening.config, self.opening.checkpoint)
        key = config, checkpoint, candidate.spec.export
        if key not in self._opened:
            self._opened[key] = self._open(*key)
        return self._opened[key]

    def name(self, *, others: Sequence[Path] = ()) -> str:
        """Return what the reference is called beside other models."""
        return TITLES[self.kind] if self.model is None else model_name(self.model, others)

    def _open(self, config: Path, checkpoint: Path, export: "ExportOptions | None") -> "Side":
        """Open PyTorch or MMOCR."""
        trust, python = self.opening.trust_checkpoint, self.opening.mmocr_python
        if self.kind == "mmocr":
            from ocrdeploy.mmocr_reference.reference import open_mmocr_reference

            return self.stack.enter_context(
                open_mmocr_reference(config, checkpoint, export=export, python=python, trust_checkpoint=trust)
            )
        from ocrdeploy.hardware import parse_device
        from ocrdeploy.opening import open_torch

        device = None if self.opening.device is None else parse_device(self.opening.device)
        return self.stack.enter_context(open_torch(config, checkpoint, export, device, trust_checkpoint=trust))


def parse_reference(reference: str | None, models: Sequence[Path]) -> tuple[ReferenceKind, Path | None, list[Path]]:
    """Return what the reference is, its file if it is a model, and the candidates.

    Args:
        reference: What --reference says: `torch`, `mmocr` or a model's file. Without it one model is compared with
            PyTorch, and of several the first is the reference.
        models: The models in the order of the command line.
    """
    match None if reference is None else reference.strip().lower():
        case "torch" | "pytorch":
            return "torch", None, list(models)
        case "mmocr":
            return "mmocr", None, list(models)
        case None if len(models) == 1:
            return "torch", None, list(models)
        case None:
            return "model", models[0], list(models[1:])
    return "model", Path(str(reference)), list(models)


def model_name(path: Path, others: Sequence[Path]) -> str:
    """Return a model's name: the file's, or its whole path where another model's file has the same name."""
    return str(path) if any(other.name == path.name and other != path for other in others) else path.name
