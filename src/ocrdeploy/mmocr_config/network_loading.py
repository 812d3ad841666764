"""A config and a checkpoint to a network in PyTorch."""

from pathlib import Path

import torch

from ocrdeploy.model_spec import ExportOptions
from ocrdeploy.networks.build import build_network
from ocrdeploy.networks.weights import load_weights

from .checkpoints import read_state_dict
from .loading import ModelConfig


def load_network(
    config: ModelConfig, checkpoint: Path, export: ExportOptions | None, *, trust_checkpoint: bool = False
) -> torch.nn.Module:
    """Return the network with the checkpoint's weights, on the CPU, in evaluation mode.

    Args:
        config: What the config says.
        checkpoint: The checkpoint's file.
        export: The export that the network is for or compared with; None for MMOCR's own upsampling and the one
            output that decoding reads.
        trust_checkpoint: Read the checkpoint by running the code that it holds.

    Raises:
        CheckpointError: The checkpoint is broken or does not fit.
    """
    network = build_network(
        config.network,
        upsample="nearest" if export is None else export.upsample,
        all_outputs=export is not None and export.all_outputs,
        decode_in_graph=export is not None and export.decode_in_graph,
    )
    load_weights(network, read_state_dict(checkpoint, trust=trust_checkpoint), str(checkpoint))
    return network.eval()
