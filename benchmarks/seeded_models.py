"""Export MMOCR's official architectures with seeded weights that find nothing: the network's full cost, an empty map.

    python benchmarks/seeded_models.py FOLDER CONFIG...

Checkpoint and model of each config are written to the folder, under the config's name. The bias of the last layer is
-1e6, so that decoding has nothing to do.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
import torch

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.exporting import ExportRequest, export_model

LAST_BIASES = ("bbox_head.binarize.6.bias", "bbox_head.out_conv.bias")
SILENT = -1e6


def main() -> None:
    """Write the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("configs", type=Path, nargs="+")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for config in options.configs:
        checkpoint = options.folder / f"{config.stem}.pth"
        shapes = build_network(load_config(config)).state_dict()
        weights = {key: seeded(key, tuple(value.shape)) for key, value in shapes.items()}
        torch.save({"state_dict": weights}, checkpoint)
        report = export_model(ExportRequest(config, checkpoint, checkpoint.with_suffix(".onnx"), dynamic=True))
        print(report.path)


def seeded(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a tensor of a checkpoint: small random weights, normalisation near one."""
    generator = np.random.default_rng(zlib.crc32(key.encode()))
    if key in LAST_BIASES:
        values = np.full(shape, SILENT)
    elif key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    elif key.endswith(("running_var", "weight")) and len(shape) == 1:
        values = generator.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = generator.normal(0, 0.05, shape)
    else:
        values = generator.normal(0, np.prod(shape[1:]) ** -0.5, shape)
    return torch.from_numpy(values.astype(np.float32))


if __name__ == "__main__":
    main()
