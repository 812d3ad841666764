"""Recognising what a user names as data, without a config."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ocrdeploy.errors import AnnotationError, UsageError
from ocrdeploy.images.headers import IMAGE_SUFFIXES
from ocrdeploy.model_spec import (
    AnnFileLoader,
    IcdarDataset,
    JsonDataset,
    LineJsonParser,
    OCRDataset,
    Task,
    TextDetDataset,
)

from .folders import exists, find_folder, folders_below, is_file, list_folder
from .icdar import read_document, read_icdar_dataset
from .icdar_gt_folder import find_gt_files, image_stem, read_icdar_gt_folder
from .json_dataset import read_json_dataset
from .lmdb_store import is_lmdb
from .ocr import read_ocr_dataset
from .other_labels import read_doctr_pages, read_doctr_words, read_paddle_labels
from .parsing import parse_json
from .samples import BrokenSample, Item, LmdbImage, Sample, Samples
from .sources import ImageRoot, image_root
from .text_det import read_text_det_dataset
from .text_lines import first_line, numbered_lines
from .word_list import read_word_list

# How many images are looked for to find the folder of all; the first ones may be missing.
_N_NAMES = 10
# A first line longer than this is a whole file on one line, not the annotation of one image.
_MAX_LINE = 1_000_000
_FIRST_KEY = re.compile(r'\s*\{\s*"([^"]*)"\s*:')
_MAX_KEY = 1000
_GT_LINE = re.compile(r"\ufeff?\s*-?\d+(?:\.\d+)?(?:\s*[,\s]\s*-?\d+(?:\.\d+)?){3,}(?:\s*[,\s].*)?$")
"""A line of the labels of one image: four numbers of a box, or more of a polygon, and a text."""
_WORD_LINE = re.compile(r"[^\t{\[]+\.(?:png|jpe?g|bmp|tiff?|webp)\t[^{\[]", re.IGNORECASE)
_PADDLE_LABELS = re.compile(r"[^\t{]+\t\s*\[\s*(?:\{|\])")

_KEYS_OF_1X = ("metainfo", "data_list")
"""The keys of MMOCR 1.x's JSON, in either order."""
_EXPECTED_DET = (
    "a folder of ICDAR 2015's gt_img_N.txt files, a COCO-like JSON file (IcdarDataset) or a file of one JSON object "
    "a line (TextDetDataset)"
)
_EXPECTED_RECOG = (
    "a list of image<TAB>text lines, a file of one JSON object with filename and text a line, or an LMDB folder made "
    "by MMOCR's recog2lmdb"
)


def read_data_argument(path: Path, task: Task, images: Path | None = None) -> Samples:
    """Open labelled data that are named without a config.

    Detection: a folder of ground truth files (`gt_*.txt`, or named like their images), which may be up to two levels
    below the one that is named; a file that begins with a line of JSON with `file_name` (TextDetDataset); PaddleOCR's
    and docTR's labels; any other file is a COCO-like one (IcdarDataset). Recognition: an LMDB folder; a file that
    begins with a line of JSON (`filename` and `text`); docTR's labels; any other file is a list of words. In place of
    a file, a folder may be named that holds no other of its kind.

    Args:
        path: The folder or file.
        task: What the data are labelled for.
        images: The folder (or LMDB) of the images. Without it they are looked for: in the annotations' own folder, in
            folders up to two levels below it, and in the folder of the same path with `imgs` for `annotations`.

    Raises:
        AnnotationError: It is none of these, cannot be read, or its images are in none of those places or in several.
    """
    if images is not None and not images.is_dir():
        raise AnnotationError(f"{images}: there is no such folder of images")
    if not exists(path):
        raise AnnotationError(f"{path}: there is no such file or folder", f"Name {_expected(task)}.")
    if path.is_dir():
        return _read_folder(path, task, images)
    return _read_file(path, task, images)


def _read_folder(folder: Path, task: Task, images: Path | None) -> Samples:
    if task == "recog":
        return _read_lmdb(folder, images) if is_lmdb(folder) else _read_file(_only_file(folder, task), task, images)
    gt_folders = [each for each in (folder, *folders_below(folder)) if find_gt_files(each)]
    match gt_folders:
        case []:
            return _read_file(_only_file(folder, task), task, images)
        case [gt_folder]:
            return _read_gt_folder(gt_folder, folder, images)
        case _:
            names = ", ".join(map(str, gt_folders))
            raise AnnotationError(f"{folder}: expected one folder of gt_*.txt files, got {names}", "Name one of them.")


def _read_gt_folder(gt_folder: Path, named: Path, images: Path | None) -> Samples:
    if images is None:
        stems = [image_stem(gt_file) for gt_file in find_gt_files(gt_folder)[:_N_NAMES]]
        images = find_folder(gt_folder, named, lambda each: _count_images(each, stems), f"an image {stems[0]}")
    return read_icdar_gt_folder(gt_folder, images)


def _count_images(folder: Path, stems: Sequence[str]) -> int:
    suffixes = IMAGE_SUFFIXES + tuple(suffix.upper() for suffix in IMAGE_SUFFIXES)
    return sum(any(is_file(folder / f"{stem}{suffix}") for suffix in suffixes) for stem in stems)


def _read_lmdb(folder: Path, images: Path | None) -> Samples:
    def build(root: ImageRoot) -> Samples:
        loader = AnnFileLoader(LineJsonParser(("filename", "text")), "lmdb")
        return read_ocr_dataset(OCRDataset(str(folder), loader, str(root.path)))

    samples = build(image_root(str(folder.parent)))
    if not any(isinstance(sample.image, LmdbImage) for sample in _first_samples(samples)):
        return _locate(folder, images, build)
    if images is not None:
        raise UsageError(f"--img-prefix {images} cannot matter: {folder} holds the images too", "Leave it out.")
    return samples


def _only_file(folder: Path, task: Task) -> Path:
    suffixes = (".json", ".jsonl", ".txt") if task == "det" else (".json", ".jsonl", ".txt", ".tsv", ".csv")
    files = [path for path in list_folder(folder) if path.suffix.lower() in suffixes and is_file(path)]
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "no annotation file"
        raise AnnotationError(f"{folder}: expected {_expected(task)}; the folder holds {names}", "Name the file.")
    return files[0]


def _read_file(path: Path, task: Task, images: Path | None) -> Samples:
    if _first_key(path) in _KEYS_OF_1X:
        samples = read_json_dataset(JsonDataset(str(path)))
        return _locate(path, images, lambda root: replace(samples, root=root))
    line = first_line(path)
    return _read_scenes(path, line, images) if task == "det" else _read_words(path, line, images)


def _read_scenes(path: Path, line: str, images: Path | None) -> Samples:
    """Open a file of text detection that begins with a line."""
    if "file_name" in _object_of(line, path):
        return _locate(path, images, lambda root: read_text_det_dataset(_text_det_dataset(path, root)))
    if _PADDLE_LABELS.match(line):
        return _locate(path, images, lambda root: read_paddle_labels(path, root))
    key = _first_key(path)
    if _is_image_name(key):
        pages = read_document(path)
        return _locate(path, images, lambda root: read_doctr_pages(path, root, pages))
    if _GT_LINE.match(line):
        raise AnnotationError(f"{path} holds the labels of one image", f"Name the folder of all: --data {path.parent}")
    if _WORD_LINE.match(line):
        raise AnnotationError(
            f"{path} is a list of words, image<TAB>text, for models that read; the model finds text",
            f"Name {_EXPECTED_DET}.",
        )
    samples = read_icdar_dataset(IcdarDataset(str(path)))
    return _locate(path, images, lambda root: replace(samples, root=root))


def _read_words(path: Path, line: str, images: Path | None) -> Samples:
    """Open a file of text recognition that begins with a line."""
    fields = _object_of(line, path)
    if "filename" in fields:
        return _locate(path, images, lambda root: read_ocr_dataset(_ocr_dataset(path, root)))
    key = _first_key(path)
    if _is_image_name(key):
        words = read_document(path)
        return _locate(path, images, lambda root: read_doctr_words(path, root, words))
    if fields:
        keys = ", ".join(map(repr, fields))
        raise AnnotationError(f"{path}: expected {_EXPECTED_RECOG}; the first line is JSON with the keys {keys}")
    return _locate(path, images, lambda root: read_word_list(path, root))


def _text_det_dataset(path: Path, root: ImageRoot) -> TextDetDataset:
    return TextDetDataset(str(path), AnnFileLoader(LineJsonParser(("file_name", "annotations"))), str(root.path))


def _ocr_dataset(path: Path, root: ImageRoot) -> OCRDataset:
    return OCRDataset(str(path), AnnFileLoader(LineJsonParser(("filename", "text"))), str(root.path))


def _first_key(path: Path) -> str:
    """Return the first key of a file that is a JSON object, else an empty text."""
    head = "".join(text[:_MAX_KEY] for _, text in islice(numbered_lines(path), 2))
    match = _FIRST_KEY.match(head)
    return match[1] if match else ""


def _is_image_name(key: str) -> bool:
    """Tell whether a key names an image, as those of docTR's labels do."""
    return key.lower().endswith(IMAGE_SUFFIXES)


def _object_of(text: str, path: Path) -> dict[str, object]:
    """Return the JSON object that a line is, or an empty one where it is something else."""
    if len(text) > _MAX_LINE:
        return {}
    try:
        value = parse_json(text, str(path))
    except AnnotationError:
        return {}
    return value if isinstance(value, dict) else {}


def _locate(path: Path, images: Path | None, build: Callable[[ImageRoot], Samples]) -> Samples:
    """Build samples whose images are in the folder that is given, or else in the one that is found."""
    if images is not None:
        return build(image_root(str(images)))
    names = [sample.name for sample in _first_samples(build(ImageRoot(path.parent)))]
    folder = find_folder(
        path.parent, path.parent, lambda each: sum(is_file(each / name) for name in names), f"the image {names[0]}"
    )
    return build(ImageRoot(folder))


def _first_samples(samples: Samples) -> list[Sample]:
    """Return what is whole of the first few samples.

    Raises:
        AnnotationError: Nothing is.
    """
    items: list[Item] = list(islice(samples, _N_NAMES))
    whole = [item for item in items if isinstance(item, Sample)]
    if not whole:
        raise next(item.error for item in items if isinstance(item, BrokenSample))
    return whole


def _expected(task: Task) -> str:
    return _EXPECTED_DET if task == "det" else _EXPECTED_RECOG
