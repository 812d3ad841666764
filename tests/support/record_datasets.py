"""Record what MMOCR 0.6.3 reads from annotation files, for tests/data/datasets.

Run with an interpreter that holds MMOCR 0.x: `python tests/support/record_datasets.py tests/data/datasets`.
"""

import copy
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.dataset_cases import LMDB_ENTRIES, dataset_configs, make_lmdb


def truth_of(info: Any) -> dict[str, Any]:
    """Return the polygons that MMOCR evaluates."""
    return {"gt": [mask[0] for mask in info["masks"]], "ignored": [mask[0] for mask in info["masks_ignore"]]}


def read(config: dict[str, Any]) -> list[Any]:
    """Return the samples of a data set: the image's name and the truth."""
    datasets = importlib.import_module("mmocr.datasets")
    dataset = datasets.build_dataset({**copy.deepcopy(config), "pipeline": [], "test_mode": True})
    infos = [dataset.data_infos[index] for index in range(len(dataset))]
    match config["type"]:
        case "IcdarDataset":
            return [[info["file_name"], truth_of(dataset.get_ann_info(i))] for i, info in enumerate(infos)]
        case "TextDetDataset":
            return [[info["file_name"], truth_of(dataset._parse_anno_info(info["annotations"]))] for info in infos]
        case _:
            return [[info["filename"], info["text"]] for info in infos]


def main() -> None:
    """Write `mmocr.json` beside the annotation files."""
    folder = Path(sys.argv[1])
    samples = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, entries in LMDB_ENTRIES.items():
            make_lmdb(Path(scratch) / name, entries)
        for name, config in dataset_configs().items():
            root = Path(scratch) if config["ann_file"] in LMDB_ENTRIES else folder
            samples[name] = read({**config, "ann_file": str(root / config["ann_file"])})
    (folder / "mmocr.json").write_text(json.dumps(samples, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
