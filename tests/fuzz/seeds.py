"""What the fuzzer's changes start from: small whole files of every kind that is read."""

import io
import json
import pickle
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import torch

from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.model_spec import ENGINE_SCHEMA_VERSION, EngineRecord, FileRecord, ShapeProfile, encode_spec
from tests.support.configs import detection_config, recognition_config
from tests.support.specs import DETECTOR, RECOGNIZER

DATA = Path(__file__).parents[1] / "data"
SAMPLE = Path(__file__).parents[2] / "src/ocrdeploy/demo_data"

GT_FOLDER = b"\xef\xbb\xbf377,117,463,117,465,130,378,130,Genaxis Theatre\r\n493,115,519,115,519,131,493,131,###\r\n"
LABEL = b'{"filename": "a.jpg", "text": "GRAND"}'
PREDICTIONS = (
    {"image": "a.jpg", "model": "m", "backend": "b", "polygons": [[0, 0, 9, 0, 9, 9]], "scores": [0.5]},
    {"image": "a.jpg", "model": "m", "backend": "b", "text": "ab", "char_scores": [0.5, 1.0]},
    {"image": "a.jpg", "model": "m", "backend": "b", "skipped": "it is broken"},
)

FORMATS = (".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm", ".jp2", ".gif", ".hdr", ".ras", ".pfm", ".avif")


@cache
def annotation(name: str) -> tuple[Any, ...]:
    """Return the documents of an annotation file: the whole of a JSON file, or its first lines."""
    text = (DATA / "datasets/toy_dataset" / name).read_text("utf-8")
    if not name.endswith(".json"):
        return tuple(json.loads(line) for line in text.splitlines()[:3])
    document = json.loads(text)
    return (document | {"images": document["images"][:3], "annotations": document["annotations"][:5]},)


@cache
def specs() -> tuple[Any, ...]:
    """Return the documents of a detector's and a recogniser's spec."""
    return tuple(json.loads(encode_spec(spec)) for spec in (DETECTOR, RECOGNIZER))


@cache
def sidecar(plan_sha256: str) -> Any:
    """Return the document of the sidecar of an engine with this hash."""
    shape = (1, 3, 64, 64)
    record = EngineRecord(
        schema=ENGINE_SCHEMA_VERSION,
        plan_sha256=plan_sha256,
        onnx=FileRecord("model.onnx", "1" * 64),
        runtime="tensorrt-rtx",
        version="1.4",
        gpu_architectures=("sm86",),
        precision="fp16",
        profiles=(ShapeProfile(shape, shape, shape),),
        rebuild="ocrdeploy build-engine model.onnx",
        spec=DETECTOR,
    )
    return msgspec.to_builtins(record)


@cache
def configs() -> tuple[dict[str, Any], ...]:
    """Return whole configs, without their bases."""
    files = [*sorted((DATA / "configs").glob("*.py")), SAMPLE / "dbnet_sample.py"]
    return (detection_config(), recognition_config(), *(read_config(path) for path in files))


@cache
def checkpoint_files() -> tuple[bytes, ...]:
    """Return checkpoints of both layouts."""
    content = {"state_dict": {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(1)}, "meta": {"epoch": 1}}
    files = []
    with TemporaryDirectory() as folder:
        for is_zip in (True, False):
            path = Path(folder) / "checkpoint.pth"
            torch.save(content, path, _use_new_zipfile_serialization=is_zip)
            files.append(path.read_bytes())
    return tuple(files)


@cache
def pickles() -> tuple[bytes, ...]:
    """Return the pickle inside a checkpoint, and pickles of plain containers by every protocol."""
    from zipfile import ZipFile

    with ZipFile(io.BytesIO(checkpoint_files()[0])) as archive:
        inner = archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
    plain = {"state_dict": {"a": [1, 2.5, ("x", None)], "b": {True}}}
    return (inner, *(pickle.dumps(plain, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)))


@cache
def pictures() -> tuple[bytes, ...]:
    """Return small images in many formats."""
    import cv2
    import numpy as np

    pixels = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    encoded = []
    for suffix in FORMATS:
        image = pixels.astype(np.float32) if suffix in (".hdr", ".pfm") else pixels
        try:
            encoded.append(np.asarray(cv2.imencode(suffix, image)[1]).tobytes())
        except cv2.error:  # not every version writes every format
            continue
    files = sorted((DATA / "preprocessing").glob("*.*g"))
    return (*encoded, *(path.read_bytes() for path in files if path.stat().st_size < 4000))
