"""A config and a checkpoint to a network in PyTorch."""

from pathlib import Path

import torch

from ocrdeploy.checkpoints.generations import check_generation
from ocrdeploy.checkpoints.state_dict import read_checkpoint
from ocrdeploy.checkpoints.weights import load_weights
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.errors import ConfigError
from ocrdeploy.families.family import AS_TRAINED
from ocrdeploy.model_spec import ExportOptions


def build_network(config: ModelConfig, export: ExportOptions | None = None) -> torch.nn.Module:
    """Return the network with random weights, in evaluation mode; see `load_network`.

    Raises:
        ConfigError: It does not fit in memory.
    """
    try:
        return config.family.build(config.network, export or AS_TRAINED).eval()
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error) and "overflow" not in str(error):
            raise
        raise ConfigError(
            f"the network that {config.record.path} describes does not fit in memory", "Check its numbers of channels."
        ) from error


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
        ConfigError: The network does not fit in memory.
        CheckpointError: The checkpoint is broken, does not fit, or is of the other generation of MMOCR.
    """
    network = build_network(config, export)
    content = read_checkpoint(checkpoint, trust=trust_checkpoint)
    check_generation(content.generation, "0.x" if config.dialect == "mmocr0" else "1.x", checkpoint, config.task)
    weights = {neutral_key(key, config): value for key, value in content.weights.items()}
    load_weights(network, weights, str(checkpoint))
    return network


def neutral_key(key: str, config: ModelConfig) -> str:
    """Return a key of a checkpoint's weights as networks have it: parts of some have other names in MMOCR 1.x."""
    if config.dialect == "mmocr1":
        for theirs, ours in (("det_head.", "bbox_head."), *config.family.prefixes1):
            if key.startswith(theirs):
                return ours + key.removeprefix(theirs)
    return key
