"""MMOCR's post-processors on saved maps, for `decoders.py`, which starts this in the interpreter that holds MMOCR.

Arguments: the outline, the folder of the maps N.npy, and for each N the decoder. For every line with a number N on
standard input a line `decoded INSTANCES SECONDS` is printed.
"""

import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch


def post_processors(text_repr_type: str) -> dict[str, Any]:
    """Return MMOCR's post-processors with their default thresholds."""
    from mmocr.models.textdet.postprocess import (
        DBPostprocessor,
        PANPostprocessor,
        PSEPostprocessor,
    )

    return {
        "PSE": PSEPostprocessor(text_repr_type),
        "PAN": PANPostprocessor(text_repr_type),
        "DB": DBPostprocessor(text_repr_type),
    }


def main() -> None:
    """Answer until standard input ends."""
    text_repr_type, folder, *decoders = sys.argv[1:]
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    available = post_processors(text_repr_type)
    maps = [torch.from_numpy(np.load(Path(folder, f"{index}.npy"))) for index in range(len(decoders))]
    for line in sys.stdin:
        index = int(line)
        decode = available[decoders[index]]
        copy = maps[index].clone()  # PANPostprocessor changes its input
        start = time.perf_counter()
        instances = decode(copy)
        print("decoded", len(instances), time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
