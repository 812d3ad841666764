"""What is fuzzed: every reader of files that a stranger may have written.

A target takes the fuzzer's bytes and an empty folder. Whatever the bytes, nothing but an error of ocrdeploy's may come
out of it, soon, and within the memory that `__main__` allows.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lmdb

from ocrdeploy.checkpoints.state_dict import read_state_dict
from ocrdeploy.datasets import (
    BrokenSample,
    Samples,
    read_data_argument,
    read_icdar_dataset,
    read_icdar_gt_folder,
    read_ocr_dataset,
    read_text_det_dataset,
)
from ocrdeploy.descriptions.loading import load_config, load_outline
from ocrdeploy.descriptions.specs import build_spec
from ocrdeploy.engines.files import read_engine
from ocrdeploy.errors import OcrDeployError
from ocrdeploy.images.headers import count_pages, lacks_png_end, memory_factor, read_size
from ocrdeploy.images.reading import decode_image
from ocrdeploy.model_spec import (
    AnnFileLoader,
    IcdarDataset,
    LineJsonParser,
    LineStrParser,
    OCRDataset,
    TextDetDataset,
    decode_spec,
    encode_spec,
)
from ocrdeploy.plain_text import one_line
from ocrdeploy.predictions.part_files import PartFile
from ocrdeploy.predictions.records import open_predictions
from tests.support.checkpoints import write_pickle

from . import seeds
from .mutations import Choices, mutate_bytes, mutate_document

MAX_PIXELS = 10**6
MAX_SAMPLES = 1000
"""How many samples are gone through: an LMDB may claim any number of entries."""


def check(read: Callable[[], object]) -> None:
    """Read, and let pass what may come out of it."""
    try:
        read()
    except OcrDeployError as error:
        one_line(str(error)).encode("utf-8", "backslashreplace")


def fuzz_annotations(data: bytes, folder: Path) -> None:
    """Read one of the five kinds of annotation files, as a config names it or as it is recognised."""
    kind, data = data[:1], data[1:]
    path = folder / "ann"
    match kind[0] % 6 if kind else 0:
        case 0:
            path.write_bytes(_mutated(seeds.annotation("instances_test.json"), data))
            check(lambda: _go_through(read_icdar_dataset(IcdarDataset(str(path)))))
        case 1:
            path.write_bytes(_mutated(seeds.annotation("instances_test.txt"), data))
            loader = AnnFileLoader(LineJsonParser(("file_name", "annotations")))
            check(lambda: _go_through(read_text_det_dataset(TextDetDataset(str(path), loader))))
        case 2:
            path.write_bytes(_mutated((json.loads(seeds.LABEL),), data))
            check(lambda: _go_through(read_ocr_dataset(OCRDataset(str(path), AnnFileLoader(LineJsonParser())))))
        case 3:
            path.write_bytes(mutate_bytes(b"a.jpg GRAND\nb.jpg text\n", Choices(data)))
            check(lambda: _go_through(read_ocr_dataset(OCRDataset(str(path), AnnFileLoader(LineStrParser())))))
        case 4:
            (folder / "gt_a.txt").write_bytes(mutate_bytes(seeds.GT_FOLDER, Choices(data)))
            (folder / "a.jpg").touch()
            check(lambda: _go_through(read_icdar_gt_folder(folder, folder)))
        case _:
            path.write_bytes(_mutated(seeds.annotation("instances_test.txt"), data))
            (folder / "a.jpg").touch()
            check(lambda: _go_through(read_data_argument(path, "det", folder)))
            check(lambda: _go_through(read_data_argument(path, "recog", folder)))


def fuzz_lmdb(data: bytes, folder: Path) -> None:
    """Read an LMDB folder with broken entries, or cut off."""
    choices = Choices(data)
    entries = [(b"num-samples", b"2"), (b"label-000000001", seeds.LABEL), (b"label-000000002", seeds.LABEL)]
    if choices.below(2):
        entries = [(b"total_number", b"2"), (b"0", b"a.jpg text"), (b"1", seeds.LABEL)]
    with lmdb.open(str(folder), map_size=2**20) as environment, environment.begin(write=True) as transaction:
        for key, value in entries:
            transaction.put(key, mutate_bytes(value, choices) if choices.below(2) else value)
    data = (folder / "data.mdb").read_bytes()
    if not choices.below(4):
        (folder / "data.mdb").write_bytes(data[: choices.below(len(data))])
    dataset = OCRDataset(str(folder), AnnFileLoader(LineJsonParser(), "lmdb"))
    check(lambda: _go_through(read_ocr_dataset(dataset)))
    check(lambda: _go_through(read_data_argument(folder, "recog")))


def fuzz_spec(data: bytes, folder: Path) -> None:
    """Read a model spec and an engine's sidecar; what is read can be written and read again."""
    spec = seeds.specs()[len(data) % 2]
    check(lambda: _write_again(_mutated((spec,), data)))
    engine = folder / "model.engine"
    engine.write_bytes(b"plan")
    (folder / "model.engine.json").write_bytes(_mutated((seeds.sidecar(hashlib.sha256(b"plan").hexdigest()),), data))
    check(lambda: read_engine(engine))


def fuzz_config(data: bytes, folder: Path) -> None:
    """Read an MMOCR config of literals only: configs are run, and a fuzzer shall not write programs."""
    choices = Choices(data)
    path = folder / "config.py"
    if choices.below(4):
        values = mutate_document(choices.of(seeds.configs()), choices)
        if not isinstance(values, dict):
            return
        lines = [f"{key} = {value!r}" for key, value in values.items() if key.isidentifier()]
        path.write_text("nan = inf = 1e999\n" + "\n".join(lines), encoding="utf-8")
    else:
        source = choices.of(sorted((seeds.DATA / "configs").glob("*.py")))
        (folder / "_base_").symlink_to(seeds.DATA / "configs/_base_")
        path.write_bytes(_without_lines(source.read_bytes(), choices))
    check(lambda: _write_again(encode_spec(build_spec(load_config(path))).encode()))
    check(lambda: load_outline(path))


def fuzz_checkpoint(data: bytes, folder: Path) -> None:
    """Read a checkpoint of either layout whose pickle, or whose file, is broken."""
    path = folder / "checkpoint.pth"
    choices = Choices(data[:16])
    kind = choices.below(4)
    match kind:
        case 0:
            path.write_bytes(mutate_bytes(choices.of(seeds.checkpoint_files()), choices))
        case 1 | 2:
            pickled = mutate_bytes(choices.of(seeds.pickles()), choices)
            write_pickle(pickled, path, "zip" if kind == 1 else "legacy", {"0": bytes(64)})
        case _:
            write_pickle(data[16:], path, "zip", {"0": bytes(64)})
    check(lambda: read_state_dict(path))


def fuzz_image(data: bytes, folder: Path) -> None:
    """Read the header of an image, and the image."""
    choices = Choices(data[:16])
    picture = mutate_bytes(choices.of(seeds.pictures()), choices) if choices.below(2) else data[16:]
    size = read_size(picture)
    assert size is None or min(size) >= 0
    assert count_pages(picture) >= 0
    assert memory_factor(picture) >= 1
    lacks_png_end(picture)
    check(lambda: decode_image(picture, "color", "image", max_pixels=MAX_PIXELS))


def fuzz_predictions(data: bytes, folder: Path) -> None:
    """Read a file of predictions, whole and as the part of a run that is gone on with."""
    lines = _mutated(seeds.PREDICTIONS, data)
    path = folder / "predictions.jsonl"
    path.write_bytes(lines)
    check(lambda: _read_predictions(path))
    path.write_bytes(b'{"predictions_of": {}}\n' + lines)
    check(lambda: _resume(path))


TARGETS = (
    fuzz_annotations,
    fuzz_lmdb,
    fuzz_spec,
    fuzz_config,
    fuzz_checkpoint,
    fuzz_image,
    fuzz_predictions,
)


def _mutated(documents: Sequence[Any], data: bytes) -> bytes:
    """Return lines of JSON with something wrong in what they say, in how they are written, or all of it."""
    if data[:1] == b"\0":
        return data[1:]
    choices = Choices(data)
    how = choices.below(4)
    wrong = [mutate_document(document, choices) if how < 3 else document for document in documents]
    text = "\n".join(json.dumps(document) for document in wrong).encode() + b"\n"
    return text if how < 2 else mutate_bytes(text, choices)


def _without_lines(text: bytes, choices: Choices) -> bytes:
    """Return the text of a program with lines left out and repeated: it does nothing that it did not do before."""
    lines = text.splitlines(keepends=True)
    for _ in range(1 + choices.below(3)):
        index = choices.below(len(lines))
        lines[index : index + 1] = [] if choices.below(2) else [lines[index], lines[index]]
        lines = lines or [b""]
    return b"".join(lines)


def _go_through(samples: Samples) -> None:
    count = 0
    for item in samples:
        count += 1
        if isinstance(item, BrokenSample):
            one_line(str(item.error)).encode("utf-8", "backslashreplace")
        if count >= MAX_SAMPLES:
            return
    assert count == len(samples)


def _write_again(document: bytes) -> None:
    spec = decode_spec(document, "model.onnx")
    assert decode_spec(encode_spec(spec), "model.onnx") == spec


def _read_predictions(path: Path) -> None:
    with open_predictions(path) as reader:
        while reader.peek() is not None:
            reader.drop()


def _resume(path: Path) -> None:
    with path.open("r+b") as file:
        part = PartFile(file, path, {}, resume=True)
        part.begin(0)
        part.begin_data_set()
        for image in range(5):
            part.earlier(image)
        list(part.results())
