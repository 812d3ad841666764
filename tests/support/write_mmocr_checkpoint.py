"""Writes a checkpoint with seeded weights for any MMOCR 0.x config, whether or not this package has its network.

Run by an interpreter that holds MMOCR, from the project's root::

    PYTHONPATH=. python tests/support/write_mmocr_checkpoint.py CONFIG CHECKPOINT
"""

import sys

import numpy as np
import torch
from mmcv import Config
from mmocr.models import build_detector

from tests.support.weights import seeded_array

SEED = 7


def main() -> None:
    """Write the checkpoint that the command line names."""
    config = Config.fromfile(sys.argv[1])
    config.model.pretrained = None
    state = build_detector(config.model).state_dict()
    seeded = {key: seeded_array(key, tuple(value.shape), SEED) for key, value in state.items()}
    # Buffers that are computed, such as the grid of a spatial transformer, are no weights.
    weights = {
        key: state[key] if "GridGenerator" in key else torch.from_numpy(np.asarray(value))
        for key, value in seeded.items()
    }
    torch.save({"state_dict": weights}, sys.argv[2])


if __name__ == "__main__":
    main()
