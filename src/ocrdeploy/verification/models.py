"""Verification from models' files to verdicts: what `ocrdeploy verify` does, and `ocrdeploy.verify` in Python."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ocrdeploy.artifacts import atomic_write, check_writable
from ocrdeploy.datasets import ImageFile, Sample, read_dataset
from ocrdeploy.engines.files import replaced_file
from ocrdeploy.errors import AnnotationError, NonFiniteError, UsageError, warn
from ocrdeploy.predictor import ImageInput
from ocrdeploy.running.models import open_model
from ocrdeploy.running.opening import Opening, opening_of
from ocrdeploy.running.sources import ModelSource

from .bisecting import Bisection
from .comparison import Comparison, Side, rule_of_sides
from .inputs import SEED
from .output_difference import compared_outputs
from .pairs import Pair, PairOptions, Progress, Watcher
from .references import Line, References, check_line, line_up
from .report.page import render_report
from .tolerances import ALL_OUTPUTS, ToleranceRules

DATASET_IMAGES = 3
"""How many images of the data set are compared when none are given."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What was found of one model.

    Attributes:
        model: The model's file.
        reference: What it was compared with: `PyTorch`, `MMOCR` or a model's file.
        comparison: What was found; None where an output is not finite.
        bisection: Where the networks part; None where it was not looked for.
        error: Which output is not finite, on which input; None where all are.
        document: All of it, as `ocrdeploy verify --json` writes it.
    """

    model: Path
    reference: str
    comparison: Comparison | None
    bisection: Bisection | None
    error: NonFiniteError | None
    document: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether the model agrees with its reference."""
        return self.comparison is not None and self.comparison.passed


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What was found of all models.

    Attributes:
        verdicts: One of each model that was compared.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether all of them agree with their references."""
        return all(verdict.passed for verdict in self.verdicts)


class _Nobody:
    """A watcher that looks away, and progress that nobody sees."""

    def line(self, _text: str, /) -> None:
        """Forget a line."""

    def progress(self, _description: str, _total: int | None, /) -> nullcontext[Progress]:
        """Give what forgets how far work is."""
        return nullcontext(self)

    def advance(self) -> None:
        """Count nothing."""

    def update(self, done: int, total: int | None) -> None:
        """Set nothing."""


def verify(
    *models: str | Path,
    reference: str | Path | None = None,
    images: Sequence[ImageInput] | None = None,
    max_images: int | None = None,
    seed: int = SEED,
    atol: float | Mapping[str, float] | None = None,
    rtol: float | Mapping[str, float] | None = None,
    max_differing: float | None = None,
    bisect: bool = False,
    html: str | Path | None = None,
    backend: str | None = None,
    precision: str | None = None,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    custom_ops: Sequence[str | Path] = (),
    plugins: Sequence[str | Path] = (),
    trust_checkpoint: bool = False,
    other_libraries: bool = False,
    optimized_model_cache: str | Path | None = None,
    mmocr_python: str | Path | None = None,
    tf32: bool = False,
) -> Verification:
    """Tell whether models agree, and if not, where and by how much.

    Args:
        models: ONNX models, engines, or checkpoints with `config`. One model is compared with PyTorch; of several, the
            first is the reference.
        reference: What every model is compared with: `torch`, `mmocr` (the real one), or a model's file.
        images: What to compare on; by default the first images of the model's data set if they are here, else drawn
            ones.
        max_images: Compare on the first of them alone; by default all that are given, and 3 of the data set.
        seed: Seed of noise and drawn images.
        atol: Absolute tolerance of the networks' outputs, or of each by its name.
        rtol: Tolerance relative to the reference output's largest magnitude, which is added; likewise.
        max_differing: Part of the results that may differ where one side is bf16 or int8.
        bisect: Find the first node where the networks part.
        html: Where to write a report with pictures.
        backend: What runs the models: `torch`, `onnxruntime` or `tensorrt`; by default what each model is for.
        precision: What OpenVINO computes: `fp32`, `fp16`, `bf16` or `auto`; by default `fp32`.
        config: The MMOCR config, in place of the one that a model's spec records.
        checkpoint: The checkpoint, likewise.
        device: `cpu`, `cuda` or `cuda:N`; by default CUDA where the backend has it, else the CPU.
        threads: Number of CPU cores; by default those that this process may use.
        custom_ops: Shared libraries with operators that an ONNX model needs.
        plugins: Shared libraries with plugins that an engine needs.
        trust_checkpoint: Read checkpoints by running the code that they hold.
        other_libraries: Take libraries that are not those which a model was made with.
        optimized_model_cache: Folder in which ONNX Runtime's optimised models are kept.
        mmocr_python: The interpreter that holds the real MMOCR.
        tf32: Let a GPU compute float32 in TensorFloat-32, which has a tolerance of its own.

    Raises:
        InputError: A file is missing or broken, or an option cannot matter.
        MachineError: A package or device is missing.
    """
    line = line_up([Path(model) for model in models], None if reference is None else str(reference))
    if html is not None:
        check_writable(Path(html))
    rules = ToleranceRules(_by_output(atol), _by_output(rtol), max_differing)
    options = PairOptions(rules, seed, bisects=bisect, pictures=html is not None)
    opening = opening_of(
        config=config,
        checkpoint=checkpoint,
        backend=backend,
        precision=precision,
        device=device,
        threads=threads,
        custom_ops=custom_ops,
        plugins=plugins,
        trust_checkpoint=trust_checkpoint,
        other_libraries=other_libraries,
        optimized_model_cache=optimized_model_cache,
        mmocr_python=mmocr_python,
        tf32=tf32,
    )
    verdicts, parts = [], []
    for path, pair in compare_models(line, opening, options, images, max_images, _Nobody()):
        found = None if pair.error else pair.comparison
        verdicts.append(Verdict(path, pair.reference_name, found, pair.bisection, pair.error, pair.document()))
        parts += [pair.section()] if html is not None else []
    if html is not None:
        with atomic_write(Path(html)) as temporary:
            temporary.write_text(render_report(parts), encoding="utf-8", errors="backslashreplace", newline="\n")
    return Verification(tuple(verdicts))


def compare_models(
    line: Line,
    opening: Opening,
    options: PairOptions,
    images: Sequence[ImageInput] | None,
    max_images: int | None,
    watcher: Watcher,
) -> Iterator[tuple[Path, Pair]]:
    """Yield each candidate with what was found of it; all models stay open until the last was taken.

    Args:
        line: Which models are compared with what.
        opening: How they are opened.
        options: What is done with each.
        images: What to compare on; None for the first images of the model's data set.
        max_images: How many of them; None for all, and for `DATASET_IMAGES` of the data set.
        watcher: Who is told meanwhile.

    Raises:
        InputError: A file is missing or broken, or an option cannot matter.
        MachineError: A package or device is missing.
    """
    if options.bisects and line.kind == "mmocr":
        raise UsageError("--bisect cannot look into the real MMOCR", "Compare with --reference torch to bisect.")
    check_line(line, opening)
    with ExitStack() as stack:
        opened = [stack.enter_context(open_model(path, opening, compare=False)) for path in line.candidates]
        references = References(line, opening, stack)
        sides = [references.of(path, candidate) for path, candidate in zip(line.candidates, opened, strict=True)]
        options.rules.check(
            (compared_outputs(side.spec, candidate.spec), rule_of_sides(side, candidate))
            for side, candidate in zip(sides, opened, strict=True)
        )
        for path, side, candidate in zip(line.candidates, sides, opened, strict=True):
            _warn_of_other_source(line, opening.source(path))
            names = line.reference_name, line.name_of(path)
            pair = Pair(side, candidate, *names, line.reference, path, options)
            taken = _dataset_images(side, max_images or DATASET_IMAGES, watcher) if images is None else images
            watcher.line(pair.title)
            pair.compare(taken[:max_images], watcher)
            yield path, pair


def _warn_of_other_source(line: Line, candidate: ModelSource) -> None:
    """Warn where an engine is compared with the ONNX model that it was built from, and that was replaced since."""
    if line.reference is None or not candidate.is_engine:
        return
    replaced = replaced_file(candidate.record)
    if replaced is not None and os.path.realpath(candidate.record.onnx.path) == os.path.realpath(line.reference):
        warn(f"{candidate.path} was not built from {line.reference} as it is now: {replaced} was replaced since")


def _by_output(bound: float | Mapping[str, float] | None) -> Mapping[str, float]:
    """Return a tolerance by the name of the output."""
    if bound is None:
        return {}
    return bound if isinstance(bound, Mapping) else {ALL_OUTPUTS: bound}


def _dataset_images(reference: Side, count: int, watcher: Watcher) -> list[Path]:
    """Return the first images of the reference's data set, or none where the data set is not here."""
    for dataset in reference.spec.datasets:
        try:
            samples = [item for item in read_dataset(dataset) if isinstance(item, Sample)]
        except AnnotationError:
            continue
        files = (sample.image.path for sample in samples if isinstance(sample.image, ImageFile))
        found = list(islice((path for path in files if path.is_file()), count))
        if found:
            return found
    watcher.line("the model's data set is not here, so drawn images are compared (--images takes your own)")
    return []
