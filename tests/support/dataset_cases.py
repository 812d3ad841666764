"""Data sets in the words of MMOCR's configs, for recording with MMOCR and for testing; and LMDB folders for both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lmdb

Config = dict[str, Any]

JSON_PARSER = {"type": "LineJsonParser", "keys": ["filename", "text"]}


def _ocr(ann_file: str, parser: Config, **loader: Any) -> Config:
    return {
        "type": "OCRDataset",
        "ann_file": ann_file,
        "img_prefix": "imgs",
        "loader": {"type": "AnnFileLoader", "parser": parser, **loader},
    }


def _words(ann_file: str, separator: str = " ", keys_idx: tuple[int, ...] = (0, 1)) -> Config:
    keys = ["filename", "text"]
    return _ocr(ann_file, {"type": "LineStrParser", "keys": keys, "keys_idx": list(keys_idx), "separator": separator})


def _text_det(ann_file: str, repeat: int = 1) -> Config:
    parser = {"type": "LineJsonParser", "keys": ["file_name", "height", "width", "annotations"]}
    loader = {"type": "AnnFileLoader", "parser": parser, "repeat": repeat}
    return {"type": "TextDetDataset", "ann_file": ann_file, "img_prefix": "imgs", "loader": loader}


def _icdar(ann_file: str, **more: int) -> Config:
    return {"type": "IcdarDataset", "ann_file": ann_file, "img_prefix": "imgs", **more}


def dataset_configs() -> Mapping[str, Config]:
    """Return data sets by name; `ann_file` is relative to the folder of the annotation files."""
    return {
        "icdar": _icdar("toy_dataset/instances_test.json"),
        "icdar_odd": _icdar("odd_instances.json"),
        "icdar_first_1": _icdar("toy_dataset/instances_test.json", select_first_k=1),
        "icdar_first_3": _icdar("toy_dataset/instances_test.json", select_first_k=3),
        "icdar_first_50": _icdar("toy_dataset/instances_test.json", select_first_k=50),
        "text_det": _text_det("toy_dataset/instances_test.txt"),
        "text_det_odd": _text_det("odd_instances.txt", repeat=2),
        "words": _words("ocr_toy_dataset/label.txt"),
        "words_odd": _words("odd_label.txt"),
        "words_last": _words("odd_label.txt", keys_idx=(0, -1)),
        "words_swapped": _words("ocr_toy_dataset/label.txt", keys_idx=(1, 0)),
        "words_tab": _words("odd_label_tab.txt", separator="\t"),
        "jsonl": _ocr("ocr_toy_dataset/label.jsonl", JSON_PARSER, repeat=3),
        "jsonl_odd": _ocr("odd_label.jsonl", JSON_PARSER, file_format="txt"),
        "lmdb_labels": _ocr("label.lmdb", JSON_PARSER, file_format="lmdb", repeat=2),
        "lmdb_images": _ocr("imgs.lmdb", JSON_PARSER, file_format="lmdb"),
        "lmdb_old": _ocr("old.lmdb", JSON_PARSER, file_format="lmdb"),
    }


LMDB_ENTRIES: Mapping[str, Mapping[str, bytes]] = {
    "label.lmdb": {
        "num-samples": b"3",
        "label-000000001": b'{"filename": "a b.jpg", "text": "two words"}',
        "label-000000002": b'{"text": "caf\xc3\xa9", "filename": "b.jpg", "more": 1}',
        "label-000000003": b'{"filename": "c.jpg", "text": ""}',
    },
    "imgs.lmdb": {
        "num-samples": b"2",
        "image-000000001": b"first image",
        "label-000000001": b"two words",
        "image-000000002": b"second image",
        "label-000000002": b"\xe4\xb8\xad",
    },
    "old.lmdb": {
        "total_number": b"3",
        "0": b"a.jpg Hello",
        "1": b"b.jpg caf\xc3\xa9",
        "2": b'{"filename":"c d.jpg", "text":"two words", "more":[1, 2]}',
    },
}


def make_lmdb(folder: Path, entries: Mapping[str, bytes]) -> Path:
    """Write an LMDB folder."""
    with lmdb.open(str(folder), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key.encode(), value)
    return folder
