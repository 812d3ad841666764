"""Time the detection decoders on synthetic maps, one core, and MMOCR's post-processors on the same maps beside them.

    python benchmarks/decoders.py
    python benchmarks/decoders.py --mmocr-python /path/to/the/reference/environment/bin/python

Repeats are interleaved: each round runs every decoder once, ours and MMOCR's in turn, so that whatever else the
machine does falls on all of them alike. MMOCR runs in its own interpreter and reads the maps from .npy files; only
the call itself is timed there, as it is here.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.decoders import DBPostprocessor, PANPostprocessor, PSEPostprocessor
from ocrdeploy.decoders.db import decode_db
from ocrdeploy.decoders.pan import decode_pan
from ocrdeploy.decoders.pse import decode_pse
from ocrdeploy.results import Detection

Map = NDArray[np.float32]
Decode = Callable[[Map], list[Detection]]
Word = tuple[float, float, float, float, float]
"""A word's centre (x, y), width, height and angle in degrees."""

WORKER = Path(__file__).with_name("mmocr_decoders.py")
WARM_UPS = 3
PSE_KERNELS = 7
SMALLEST_KERNEL = 0.5
"""Size of PSENet's smallest kernel, and of the kernels of the others, as a part of its word's."""
LOGIT = 4.0
"""Text has this logit plus noise, everything else its negative."""


@dataclass(frozen=True)
class Scene:
    """Where the words of an image are, in pixels of a map that is a quarter of the network's input."""

    name: str
    height: int
    width: int
    words: tuple[Word, ...]


@dataclass
class Timing:
    """One row of the table."""

    scene: Scene
    decoder: str
    maps: Map
    decode: Decode
    instances: int = 0
    reference_instances: int = 0
    seconds: list[float] = field(default_factory=list)
    reference_seconds: list[float] = field(default_factory=list)


def grid(height: int, width: int, rows: int, columns: int, *, gap: float, turn: float) -> tuple[Word, ...]:
    """Lay out words in rows and columns, with a gap between them in pixels and turned by up to `turn` degrees."""
    angles = np.random.default_rng(0).uniform(-turn, turn, rows * columns).tolist()
    cell_height, cell_width = height / rows, width / columns
    return tuple(
        (
            (index % columns + 0.5) * cell_width,
            (index // columns + 0.5) * cell_height,
            cell_width - gap,
            cell_height - gap,
            angle,
        )
        for index, angle in enumerate(angles)
    )


def scenes() -> list[Scene]:
    """Return what is measured: an image as they come, and two that are as bad as it gets."""
    return [
        Scene("20 words, 1280x720", 184, 328, grid(184, 328, 5, 4, gap=20, turn=12)),
        Scene("text everywhere", 320, 560, grid(320, 560, 1, 1, gap=-2, turn=0)),
        Scene("1000 touching words", 320, 560, grid(320, 560, 40, 25, gap=0, turn=0)),
    ]


def draw(scene: Scene, scale: float, factor: int = 1) -> NDArray[np.bool_]:
    """Return a mask of the scene's words, each shrunk to `scale` of its size, on a map `factor` times as large."""
    mask = np.zeros((scene.height * factor, scene.width * factor), np.uint8)
    for x, y, width, height, angle in scene.words:
        inset = min(width, height) * (1 - scale)
        box = cv2.boxPoints(((x * factor, y * factor), ((width - inset) * factor, (height - inset) * factor), angle))
        cv2.fillPoly(mask, [np.rint(box).astype(np.int32)], 1)
    return mask.astype(np.bool_)


def logit_map(mask: NDArray[np.bool_], rng: np.random.Generator) -> Map:
    """Return logits that say what the mask says, with noise."""
    return (np.where(mask, LOGIT, -LOGIT) + rng.normal(0, 0.5, mask.shape)).astype(np.float32)


def pse_maps(scene: Scene) -> Map:
    """Return the kernels of PSENet, the text first."""
    rng = np.random.default_rng(1)
    scales = np.linspace(1, SMALLEST_KERNEL, PSE_KERNELS).tolist()
    return np.stack([logit_map(draw(scene, scale), rng) for scale in scales])


def pan_maps(scene: Scene) -> Map:
    """Return text, kernel and a four-channel embedding that tells neighbouring words apart."""
    rng = np.random.default_rng(2)
    numbers = np.zeros((scene.height, scene.width), np.int32)
    for x, y, width, height, angle in scene.words:
        box = np.rint(cv2.boxPoints(((x, y), (width, height), angle))).astype(np.int32)
        cv2.fillPoly(numbers, [box], int(numbers.max()) + 1)
    vectors = rng.normal(0, 1, (len(scene.words) + 1, 4))
    embedding = vectors[numbers].transpose(2, 0, 1) + rng.normal(0, 0.1, (4, scene.height, scene.width))
    score = [logit_map(draw(scene, scale), rng) for scale in (1, SMALLEST_KERNEL)]
    return np.concatenate([np.stack(score), embedding]).astype(np.float32)


def db_maps(scene: Scene) -> Map:
    """Return DBNet's probability map, which is four times as large and holds shrunk words."""
    rng = np.random.default_rng(3)
    logits = logit_map(draw(scene, SMALLEST_KERNEL, 4), rng)
    return (1 / (1 + np.exp(-logits)))[np.newaxis].astype(np.float32)


def timings(text_repr_type: str) -> list[Timing]:
    """Return a row for each scene and decoder, not yet timed."""
    rows = []
    for scene in scenes():
        match text_repr_type:
            case "poly":
                pse, pan, db = PSEPostprocessor(), PANPostprocessor(), DBPostprocessor()
            case _:
                pse = PSEPostprocessor(text_repr_type="quad")
                pan = PANPostprocessor(text_repr_type="quad")
                db = DBPostprocessor(text_repr_type="quad")
        rows.append(Timing(scene, "PSE", pse_maps(scene), partial(decode_pse, settings=pse)))
        rows.append(Timing(scene, "PAN", pan_maps(scene), partial(decode_pan, settings=pan)))
        rows.append(Timing(scene, "DB", db_maps(scene), partial(_decode_first, settings=db)))
    return rows


def _decode_first(maps: Map, settings: DBPostprocessor) -> list[Detection]:
    """Call DB's decoder, which takes the probability map alone."""
    return decode_db(maps[0], settings)


@contextmanager
def reference_worker(python: str | None, rows: list[Timing], text_repr_type: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that lets MMOCR decode a row's maps once and notes the time; without MMOCR it does nothing."""
    if python is None:
        yield lambda _: None
        return
    with tempfile.TemporaryDirectory() as folder:
        for index, row in enumerate(rows):
            np.save(Path(folder, f"{index}.npy"), row.maps)
        command = [python, "-W", "ignore", str(WORKER), text_repr_type, folder, *(row.decoder for row in rows)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:

            def run(index: int) -> None:
                answer = _ask(worker, str(index))
                rows[index].reference_instances = int(answer[0])
                rows[index].reference_seconds.append(float(answer[1]))

            yield run
            worker.communicate()


def _ask(worker: "subprocess.Popen[str]", question: str) -> list[str]:
    """Send the worker a line and return the words of its answer."""
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("the worker has no pipes")
    with suppress(BrokenPipeError):  # a worker that is gone gives no answer either
        worker.stdin.write(f"{question}\n")
        worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("decoded "):
            return line.split()[1:]
    sys.exit("The interpreter given with --mmocr-python failed; what it says stands above.")


def measure(rows: list[Timing], run_reference: Callable[[int], None], repeats: int) -> None:
    """Time every row `repeats` times, interleaved, after some rounds that do not count."""
    for repeat in range(-WARM_UPS, repeats):
        for index, row in enumerate(rows):
            start = time.perf_counter()
            row.instances = len(row.decode(row.maps))
            row.seconds.append(time.perf_counter() - start)
            run_reference(index)
        if repeat < 0:
            for row in rows:
                row.seconds.clear()
                row.reference_seconds.clear()


def summary(seconds: list[float]) -> str:
    """Return median and quartiles in milliseconds."""
    if not seconds:
        return "-"
    low, middle, high = np.percentile(seconds, [25, 50, 75]) * 1000
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def print_table(rows: list[Timing]) -> None:
    """Print a line a row: median and quartiles of ours and of MMOCR's, and the ratio of the medians."""
    print(
        f"{'scene':<20} {'decoder':<8}{'maps':<15}{'found':>6}{'ms':>22}{'MMOCR found':>13}{'MMOCR ms':>22}{'ratio':>7}"
    )
    for row in rows:
        ratio = f"{np.median(row.seconds) / np.median(row.reference_seconds):.2f}" if row.reference_seconds else "-"
        found = str(row.reference_instances) if row.reference_seconds else "-"
        shape = "x".join(str(size) for size in row.maps.shape)
        print(
            f"{row.scene.name:<20} {row.decoder:<8}{shape:<15}{row.instances:>6}{summary(row.seconds):>22}"
            f"{found:>13}{summary(row.reference_seconds):>22}{ratio:>7}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--mmocr-python", metavar="PATH", help="an interpreter that holds MMOCR 0.x with mmcv's operators"
    )
    parser.add_argument("--repeats", type=int, default=30, help="how often each decoder is timed (default: 30)")
    parser.add_argument("--text-repr-type", choices=["poly", "quad"], default="poly", help="outline (default: poly)")
    options = parser.parse_args()
    if options.mmocr_python and not shutil.which(options.mmocr_python):
        parser.error(f"--mmocr-python: no such program: {options.mmocr_python}")
    if hasattr(os, "sched_setaffinity"):  # inherited by the worker
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    rows = timings(options.text_repr_type)
    with reference_worker(options.mmocr_python, rows, options.text_repr_type) as run_reference:
        measure(rows, run_reference, options.repeats)
    print(f"Median (quartiles) of {options.repeats} runs on one core, {options.text_repr_type}")
    print_table(rows)


if __name__ == "__main__":
    main()
