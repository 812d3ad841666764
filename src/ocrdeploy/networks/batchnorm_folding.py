"""Folding batch normalisation into the convolution before it."""

import copy
from typing import TypeVar, cast

import torch
from torch import Tensor, fx, nn

Network = TypeVar("Network", bound=nn.Module)


def fold_batchnorm(network: Network) -> Network:
    """Return a copy in which each batch normalisation that follows a convolution is part of that convolution.

    At inference batch normalisation is a factor and an offset a channel, so the convolution's weight and bias can carry
    them; in place of the normalisation stands an identity, so modules keep their names. What the network's forward pass
    does not use, such as DBNet's threshold branch without all outputs, stays as it is.

    Args:
        network: A network that torch.fx can trace. It is not changed.

    Returns:
        The copy, in evaluation mode, with the same outputs up to rounding.
    """
    folded = copy.deepcopy(network).eval()
    for conv_name, norm_name in _pairs(folded):
        conv = cast("nn.Conv2d | nn.ConvTranspose2d", folded.get_submodule(conv_name))
        _fold(conv, cast("nn.BatchNorm2d", folded.get_submodule(norm_name)))
        parent, _, child = norm_name.rpartition(".")
        setattr(folded.get_submodule(parent), child, nn.Identity())
    return folded


def _pairs(network: nn.Module) -> list[tuple[str, str]]:
    """Return the names of each convolution and of the batch normalisation that alone reads it, each run but once."""
    nodes = [node for node in fx.Tracer().trace(network).nodes if node.op == "call_module"]
    names = [str(node.target) for node in nodes]
    pairs = []
    for node in nodes:
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) != 1:
            continue
        conv_name, norm_name = str(before.target), str(node.target)
        foldable = isinstance(network.get_submodule(norm_name), nn.BatchNorm2d) and isinstance(
            network.get_submodule(conv_name), nn.Conv2d | nn.ConvTranspose2d
        )
        if foldable and names.count(conv_name) == 1 and names.count(norm_name) == 1:
            pairs.append((conv_name, norm_name))
    return pairs


def _fold(conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> None:
    """Give a convolution the weight and bias that make its batch normalisation needless, computed in float64."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("batch normalisation without running statistics cannot be folded")
    with torch.no_grad():
        factor = torch.rsqrt(norm.running_var.double() + norm.eps)
        if norm.affine:
            factor = factor * norm.weight.double()
        offset = -norm.running_mean.double() if conv.bias is None else conv.bias.double() - norm.running_mean.double()
        bias = offset * factor + (norm.bias.double() if norm.affine else 0.0)
        weight = _scaled(conv, factor)
        conv.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=conv.weight.requires_grad)
        conv.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=conv.weight.requires_grad)


def _scaled(conv: nn.Conv2d | nn.ConvTranspose2d, factor: Tensor) -> Tensor:
    """Return a convolution's weight in float64, each output channel multiplied by its factor.

    The weight of a convolution is out×(in/groups)×h×w, that of a transposed one in×(out/groups)×h×w, where the input
    channels of a group lie together, and its output channels too.
    """
    weight = conv.weight.double()
    if not isinstance(conv, nn.ConvTranspose2d):
        return weight * factor.reshape(-1, 1, 1, 1)
    grouped = weight.reshape(conv.groups, -1, *weight.shape[1:])
    return (grouped * factor.reshape(conv.groups, 1, -1, 1, 1)).reshape(weight.shape)
