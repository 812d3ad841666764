"""Whether a network is run or traced."""

import torch


def is_traced() -> bool:
    """Return whether a forward pass records a graph, in which a check of the input must leave nothing."""
    return torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling()
