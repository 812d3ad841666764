"""Opening a reader: two models, or three, as one."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .models import check_options, open_model
from .opening import Opening
from .pages import MIN_SCORE, ReadSettings
from .reading import Reader


def open_reader(
    detector: str | Path,
    recogniser: str | Path,
    *,
    classifier: str | Path | None = None,
    backend: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    min_score: float = MIN_SCORE,
    tight: bool = False,
    auto_orient: bool = True,
) -> Reader:
    """Open a detector and a recogniser to read photos.

    In ONNX Runtime numbers below float32's usual form count as zero then; if these are the process's first models, that
    holds for all that its threads compute from then on.

    Args:
        detector: A model that finds words: an ONNX model or an engine.
        recogniser: A model that reads a word.
        classifier: A model that tells lines which are upside down.
        backend: `onnxruntime` or `tensorrt`; by default what each model's file is for.
        device: `cpu`, `cuda` or `cuda:N`; by default CUDA where the backend has it, else the CPU.
        threads: Number of CPU cores for all stages together; by default those that this process may use.
        min_score: Words below it are left out, and words of blanks alone.
        tight: Compute only the columns that a word has: half the work, and some texts in a hundred change.
        auto_orient: Turn images as their EXIF tag says.

    Returns:
        A reader, which is a context manager. Called with one image it returns the image's words in reading order; with
        a list, a list of these in order. Polygons are in pixels of the image as it is shown.

    Raises:
        InputError: A file is missing, broken, or in the other's place.
        MachineError: A package or device is missing.
    """
    opening = Opening(backend=backend, device=device, threads=threads)
    models = [Path(each) for each in (detector, recogniser, classifier) if each is not None]
    return open_as_reader(models, opening, ReadSettings(min_score, tight, auto_orient))


def open_as_reader(models: list[Path], opening: Opening, settings: ReadSettings) -> Reader:
    """Open a detector, a recogniser and, as a third, a classifier as one; see `open_reader`."""
    opening = replace(opening, for_reading=True)
    check_options(opening, [(path, opening.backend_of(path)) for path in models])
    with ExitStack() as stack:
        opened = [stack.enter_context(open_model(path, opening)) for path in models]
        detector, recogniser, *others = opened
        reader = Reader(detector, recogniser, others[0] if others else None, settings)
        stack.pop_all()
        return reader
