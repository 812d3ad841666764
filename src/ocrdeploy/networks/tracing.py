"""Whether a network is run or traced."""

import torch
from torch import Tensor
from torch.fx import Proxy


def is_traced(images: Tensor | Proxy) -> bool:
    """Return whether a forward pass records a graph, in which a check of the input must leave nothing."""
    return isinstance(images, Proxy) or torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling()
