"""One step of an LSTM, by matrix products.

TensorRT makes a loop of an LSTM, and refuses one inside of another. What is written here is ONNX's LSTM taken apart.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
"""PyTorch's names of a layer's weights."""


def lstm_step(lstm: nn.LSTM, given: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return the states of all layers of an LSTM after one step; the last layer's hidden state is its output.

    Args:
        lstm: The LSTM, of one direction and without projection.
        given: What the first layer is given, N×C, float.
        hidden: Hidden states before the step, layers×N×D.
        cell: Cell states before it, layers×N×D.
    """
    hiddens: list[Tensor] = []
    cells: list[Tensor] = []
    for layer in range(lstm.num_layers):
        weights = [getattr(lstm, f"{name}_l{layer}") for name in WEIGHTS]
        given, after = lstm_cell(weights, given, hidden[layer], cell[layer])
        hiddens.append(given)
        cells.append(after)
    return torch.stack(hiddens), torch.stack(cells)


def lstm_cell(weights: Sequence[Tensor], given: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return hidden and cell state of one layer after one step, N×D each.

    Args:
        weights: Those of the layer, in the order of `WEIGHTS`.
        given: What it is given, N×C, float.
        hidden: Its hidden state before the step, N×D.
        cell: Its cell state before it, N×D.
    """
    from_given, given_bias, from_hidden, hidden_bias = weights
    gates = functional.linear(given, from_given, given_bias) + functional.linear(hidden, from_hidden, hidden_bias)
    opened, kept, new, shown = gates.chunk(4, dim=1)
    after = kept.sigmoid() * cell + opened.sigmoid() * new.tanh()
    return shown.sigmoid() * after.tanh(), after
