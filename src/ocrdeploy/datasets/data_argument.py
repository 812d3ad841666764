"""Recognising what a user names as data, without a config."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ocrdeploy.errors import AnnotationError
from ocrdeploy.images.headers import IMAGE_SUFFIXES
from ocrdeploy.model_spec import AnnFileLoader, IcdarDataset, LineJsonParser, OCRDataset, Task, TextDetDataset

from .folders import exists, find_folder, folders_below, is_file, list_folder
from .icdar import read_icdar_dataset
from .icdar_gt_folder import find_gt_files, image_stem, read_icdar_gt_folder
from .lmdb_store import is_lmdb
from .ocr import read_ocr_dataset
from .parsing import parse_json
from .samples import BrokenSample, Item, LmdbImage, Sample, Samples
from .sources import ImageRoot, image_root
from .text_det import read_text_det_dataset
from .text_lines import first_line
from .word_list import read_word_list

# How many images are looked for to find the folder of all; the first ones may be missing.
_N_NAMES = 10
# A first line longer than this is a whole file on one line, not the annotation of one image.
_MAX_LINE = 1_000_000

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

    Detection: a folder of `gt_*.txt` files, which may be up to two levels below the one that is named; a file that
    begins with a line of JSON with `file_name` (TextDetDataset); any other file is a COCO-like one (IcdarDataset).
    Recognition: an LMDB folder; a file that begins with a line of JSON (`filename` and `text`); any other file is a
    list of words. In place of a file, a folder may be named that holds no other of its kind.

    Args:
        path: The folder or file.
        task: What the data are labelled for.
        images: The folder (or LMDB) of the images. Without it they are looked for: in the annotations' own folder, in
            folders up to two levels below it, in the folder of the same path with `imgs` for `annotations`, and in
            the folders beside it.

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
        images = find_folder(gt_folder, named, lambda each: _has_image(each, stems), f"an image {stems[0]}")
    return read_icdar_gt_folder(gt_folder, images)


def _has_image(folder: Path, stems: Sequence[str]) -> bool:
    suffixes = IMAGE_SUFFIXES + tuple(suffix.upper() for suffix in IMAGE_SUFFIXES)
    return any(is_file(folder / f"{stem}{suffix}") for stem in stems for suffix in suffixes)


def _read_lmdb(folder: Path, images: Path | None) -> Samples:
    def build(root: ImageRoot) -> Samples:
        loader = AnnFileLoader(LineJsonParser(("filename", "text")), "lmdb")
        return read_ocr_dataset(OCRDataset(str(folder), loader, str(root.path)))

    samples = build(image_root(str(folder.parent)))
    holds_images = any(isinstance(sample.image, LmdbImage) for sample in _first_samples(samples))
    return samples if holds_images and images is None else _locate(folder, images, build)


def _only_file(folder: Path, task: Task) -> Path:
    suffixes = (".json", ".jsonl", ".txt") if task == "det" else (".jsonl", ".txt", ".tsv")
    files = [path for path in list_folder(folder) if path.suffix.lower() in suffixes and is_file(path)]
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "no annotation file"
        raise AnnotationError(f"{folder}: expected {_expected(task)}; the folder holds {names}", "Name the file.")
    return files[0]


def _read_file(path: Path, task: Task, images: Path | None) -> Samples:
    fields = _first_object(path)
    match task:
        case "det" if "file_name" in fields:
            return _locate(path, images, lambda root: read_text_det_dataset(_text_det_dataset(path, root)))
        case "det":
            samples = read_icdar_dataset(IcdarDataset(str(path)))
            return _locate(path, images, lambda root: replace(samples, root=root))
        case "recog" if "filename" in fields:
            return _locate(path, images, lambda root: read_ocr_dataset(_ocr_dataset(path, root)))
        case "recog" if fields:
            keys = ", ".join(map(repr, fields))
            raise AnnotationError(f"{path}: expected {_expected(task)}; the first line is JSON with the keys {keys}")
        case "recog":
            return _locate(path, images, lambda root: read_word_list(path, root))


def _text_det_dataset(path: Path, root: ImageRoot) -> TextDetDataset:
    return TextDetDataset(str(path), AnnFileLoader(LineJsonParser(("file_name", "annotations"))), str(root.path))


def _ocr_dataset(path: Path, root: ImageRoot) -> OCRDataset:
    return OCRDataset(str(path), AnnFileLoader(LineJsonParser(("filename", "text"))), str(root.path))


def _first_object(path: Path) -> dict[str, object]:
    """Return the JSON object on the first line, or an empty one where that line is something else."""
    text = first_line(path)
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
        path.parent, path.parent, lambda each: any(is_file(each / name) for name in names), f"the image {names[0]}"
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
