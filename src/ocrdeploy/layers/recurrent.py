"""One step of an LSTM, by matrix products.

TensorRT makes a loop of an LSTM, and refuses one inside of another. What is written here is ONNX's LSTM taken apart.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


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
        weights = [getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")]
        gates = functional.linear(given, *weights[:2]) + functional.linear(hidden[layer], *weights[2:])
        opened, kept, new, shown = gates.chunk(4, dim=1)
        cells.append(kept.sigmoid() * cell[layer] + opened.sigmoid() * new.tanh())
        given = shown.sigmoid() * cells[-1].tanh()
        hiddens.append(given)
    return torch.stack(hiddens), torch.stack(cells)
