"""What `verify` compares with: PyTorch, the real MMOCR, or a model."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocrdeploy.running.opening import Opening

if TYPE_CHECKING:
    from ocrdeploy.model_spec import ExportOptions
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.verification.comparison import Side

ReferenceKind = Literal["torch", "mmocr", "model"]
TITLES = {"torch": "PyTorch", "mmocr": "MMOCR"}


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
            from ocrdeploy.running.models import open_model

            if self._model is None:
                self._model = self.stack.enter_context(open_model(self.model, replace(self.opening, backend=None)))
            return self._model
        source = self.opening.source(path)
        config, checkpoint = source.made_from(self.opening.config, self.opening.checkpoint_file)
        key = config, checkpoint, candidate.spec.export
        if key not in self._opened:
            self._opened[key] = self._open(*key)
        return self._opened[key]

    def name(self, *, others: Sequence[Path] = ()) -> str:
        """Return what the reference is called beside other models."""
        return TITLES[self.kind] if self.model is None else model_name(self.model, others)

    def _open(self, config: Path, checkpoint: Path, export: "ExportOptions | None") -> "Side":
        """Open PyTorch or MMOCR."""
        if self.kind == "mmocr":
            from ocrdeploy.mmocr_reference.reference import open_mmocr_reference

            return self.stack.enter_context(
                open_mmocr_reference(
                    config,
                    checkpoint,
                    export=export,
                    python=self.opening.mmocr_python,
                    trust_checkpoint=self.opening.trust_checkpoint,
                )
            )
        from ocrdeploy.running.models import open_torch

        return self.stack.enter_context(open_torch(config, checkpoint, export, self.opening))


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
