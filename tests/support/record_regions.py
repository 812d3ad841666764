"""Record what MMOCR 0.6.3 and mmcv 1.7.2 make of region maps, into tests/data/postprocess_pse and postprocess_pan.

To be run from the checkout in an interpreter that holds them, with the folder of full-size recordings (`psenet.npz` and
`panet.npz`: raw maps of an image each, 1×C×H×W), of which crops are taken:

    PYTHONPATH=. /path/to/reference/bin/python tests/support/record_regions.py FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.ops import contour_expand, pixel_group
from mmocr.models.textdet.postprocess import PANPostprocessor, PSEPostprocessor
from numpy.typing import NDArray

from tests.support.reference_pan import kernel_contours
from tests.support.region_cases import ExpandCase, GroupCase, expand_case, group_case

DATA = Path(__file__).parents[1] / "data"
CASES = 60
MAX_SIZE = 20
CROPS = {"img_1.jpg": (slice(0, 24), slice(40, 80)), "img_10.jpg": (slice(40, 96), slice(0, 72))}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "postprocess_pse": [
        {"text_repr_type": "quad"},
        {"text_repr_type": "poly"},
        {"text_repr_type": "poly", "min_kernel_confidence": 0.3, "min_text_avg_confidence": 0.6, "min_text_area": 1},
        {"text_repr_type": "quad", "min_text_avg_confidence": 0.7, "min_kernel_area": 12, "min_text_area": 40},
    ],
    "postprocess_pan": [
        {"text_repr_type": "quad"},
        {"text_repr_type": "poly"},
        {"text_repr_type": "poly", "min_text_confidence": 0.3, "min_text_avg_confidence": 0.6, "min_text_area": 1},
        {"text_repr_type": "quad", "min_kernel_confidence": 0.7, "min_text_avg_confidence": 0.75, "min_text_area": 40},
    ],
}


def expanded(case: ExpandCase) -> NDArray[np.int32]:
    """Return the label map that mmcv's operator makes."""
    count = int(case.kernel_labels.max()) + 1
    rows = contour_expand(case.kernels.astype(np.uint8), case.kernel_labels, case.min_kernel_area, count)
    return np.array(rows, np.int32)


def grouped(case: GroupCase) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the label map and the scores that mmcv's operator makes."""
    count = int(case.kernel_labels.max()) + 1
    contours = kernel_contours(case.kernel_labels).astype(np.uint8) * 255
    embedding = np.ascontiguousarray(case.embedding.transpose(1, 2, 0))
    instances = pixel_group(case.scores, case.text, embedding, case.kernel_labels, contours, count, case.max_distance)
    labels = np.zeros(case.text.shape, np.int32)
    for label, (_, _, *coordinates) in enumerate(instances):
        points = np.array(coordinates, np.int64).reshape(-1, 2)
        labels[points[:, 1], points[:, 0]] = label
    return labels, np.array([instance[0] for instance in instances], np.float32)


def record_operators() -> None:
    """Write `regions.npz` of both decoders: inputs and outputs of case N under names that end in N."""
    rng = np.random.default_rng(20221101)
    pse: dict[str, NDArray[Any]] = {}
    pan: dict[str, NDArray[Any]] = {}
    for number in range(CASES):
        expand = expand_case(rng, MAX_SIZE)
        pse[f"kernels{number}"] = np.packbits(expand.kernels)
        pse[f"shape{number}"] = np.array(expand.kernels.shape)
        pse[f"kernel_labels{number}"] = expand.kernel_labels.astype(np.int16)
        pse[f"min_kernel_area{number}"] = np.array(expand.min_kernel_area)
        pse[f"labels{number}"] = expanded(expand).astype(np.int16)
        group = group_case(rng, MAX_SIZE)
        labels, scores = grouped(group)
        pan[f"text{number}"] = group.text
        pan[f"kernel_labels{number}"] = group.kernel_labels.astype(np.int16)
        pan[f"embedding{number}"] = group.embedding.astype(np.float16)
        pan[f"max_distance{number}"] = np.array(group.max_distance)
        pan[f"score_map{number}"] = group.scores.astype(np.float16)
        pan[f"labels{number}"] = labels.astype(np.int16)
        pan[f"scores{number}"] = scores
    # The stub of savez_compressed takes `allow_pickle` for one of the arrays.
    np.savez_compressed(DATA / "postprocess_pse" / "regions.npz", **pse)  # type: ignore[arg-type]
    np.savez_compressed(DATA / "postprocess_pan" / "regions.npz", **pan)  # type: ignore[arg-type]


def record_decoding(folder: Path) -> None:
    """Write `crops.npz`, raw maps in half precision, and `crops.json`, MMOCR's boundaries in several settings."""
    for name, source, post_processor in (
        ("postprocess_pse", "psenet.npz", PSEPostprocessor),
        ("postprocess_pan", "panet.npz", PANPostprocessor),
    ):
        crops, results = {}, []
        with np.load(folder / source) as images:
            for image, (rows, columns) in CROPS.items():
                crops[image] = images[image][0, :, rows, columns].astype(np.float16)
                for settings in SETTINGS[name]:
                    maps = torch.from_numpy(crops[image].astype(np.float32))
                    boundaries = post_processor(**settings)(maps)
                    results.append({"image": image, "settings": settings, "boundaries": boundaries})
        np.savez_compressed(DATA / name / "crops.npz", **crops)
        (DATA / name / "crops.json").write_text(json.dumps(results))


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for decoder in SETTINGS:
        (DATA / decoder).mkdir(exist_ok=True)
    record_operators()
    record_decoding(Path(sys.argv[1]))
