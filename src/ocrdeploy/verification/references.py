"""What models are compared with: PyTorch, the real MMOCR, or another model."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ocrdeploy.errors import UsageError
from ocrdeploy.mmocr_reference.reference import open_mmocr_reference
from ocrdeploy.model_spec import ExportOptions
from ocrdeploy.predictor import Predictor
from ocrdeploy.running.models import check_options, open_model, open_torch
from ocrdeploy.running.opening import USED_BY, Opening

from .comparison import Side

ReferenceKind = Literal["torch", "mmocr", "model"]
TITLES = {"torch": "PyTorch", "mmocr": "MMOCR"}


@dataclass(frozen=True, slots=True)
class Line:
    """Which models are compared with what.

    Attributes:
        kind: What the reference is.
        reference: Its file, if it is a model.
        candidates: The models that are compared with it.
    """

    kind: ReferenceKind
    reference: Path | None
    candidates: tuple[Path, ...]

    @property
    def models(self) -> tuple[Path, ...]:
        """All files of models."""
        return self.candidates if self.reference is None else (self.reference, *self.candidates)

    def name_of(self, path: Path) -> str:
        """Return a model's name: the file's, or its whole path where another model's file has the same name."""
        return str(path) if any(each.name == path.name and each != path for each in self.models) else path.name

    @property
    def reference_name(self) -> str:
        """What the reference is called beside other models."""
        return TITLES[self.kind] if self.reference is None else self.name_of(self.reference)


def line_up(models: Sequence[Path], reference: str | None = None) -> Line:
    """Return which models are compared with what.

    Args:
        models: The models.
        reference: `torch`, `mmocr` or a model's file. Without it one model is compared with PyTorch, and of several
            the first is the reference.

    Raises:
        UsageError: There is no model, or a model is named as its own reference.
    """
    if not models:
        raise UsageError("at least one model is compared, got none")
    match None if reference is None else reference.strip().lower():
        case "torch" | "pytorch":
            return Line("torch", None, tuple(models))
        case "mmocr":
            return Line("mmocr", None, tuple(models))
        case None if len(models) == 1:
            return Line("torch", None, tuple(models))
        case None:
            return Line("model", models[0], tuple(models[1:]))
    path = Path(str(reference))
    if any(os.path.realpath(model) == os.path.realpath(path) for model in models):
        raise UsageError(f"{path} is named as its own reference, with which it always agrees", "Name another one.")
    return Line("model", path, tuple(models))


def check_line(line: Line, opening: Opening) -> None:
    """Refuse options that neither a candidate nor the reference looks at, and files that are named and not there.

    A config is compared with nothing where all are models that hold specs.

    Raises:
        InputError: One cannot matter, or a file is missing.
    """
    models = [(path, opening.backend_of(path)) for path in line.candidates]
    if line.reference is not None:
        models.append((line.reference, opening.source(line.reference).backend))
        sources = [opening.source(path) for path, _ in models]
        if opening.config is not None and not any(each.is_checkpoint or each.own_spec is None for each in sources):
            raise UsageError("--config cannot matter where all models hold specs", "Leave it out.")
    check_options(opening, models, *(() if line.kind == "model" else USED_BY[line.kind]))


@dataclass(slots=True, eq=False)
class References:
    """Opens the reference of each candidate, and none twice.

    Attributes:
        line: Which models are compared with what.
        opening: How models are opened.
        stack: Closes what is opened.
    """

    line: Line
    opening: Opening
    stack: ExitStack
    _opened: dict[tuple[Path, Path, ExportOptions | None], Side] = field(default_factory=dict)
    _model: Predictor | None = None

    def of(self, path: Path, candidate: Predictor) -> Side:
        """Return the reference of a candidate.

        PyTorch and MMOCR are given the config and checkpoint that the candidate was made from; nothing else of it.

        Raises:
            InputError: A file is missing or broken.
            MachineError: PyTorch or MMOCR is missing.
        """
        model = self.line.reference
        if model is not None:
            if self._model is None:
                self._model = self.stack.enter_context(
                    open_model(model, replace(self.opening, backend=None), compare=False)
                )
            return self._model
        source = self.opening.source(path)
        if source.is_checkpoint and self.opening.config is not None:
            config, checkpoint = self.opening.config, self.opening.checkpoint_file or path
        else:
            config, checkpoint = source.made_from(self.opening.config, self.opening.checkpoint_file)
        key = config, checkpoint, candidate.spec.export
        if key not in self._opened:
            self._opened[key] = self._open(*key)
        return self._opened[key]

    def _open(self, config: Path, checkpoint: Path, export: ExportOptions | None) -> Side:
        """Open PyTorch or MMOCR."""
        if self.line.kind == "mmocr":
            return self.stack.enter_context(
                open_mmocr_reference(
                    config,
                    checkpoint,
                    export=export,
                    python=self.opening.mmocr_python,
                    trust_checkpoint=self.opening.trust_checkpoint,
                )
            )
        return self.stack.enter_context(open_torch(config, checkpoint, export, self.opening))
