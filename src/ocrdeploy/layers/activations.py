"""What a network computes on the way: the output of each layer, and of each function between layers.

Layers are reached by forward hooks. Functions that a module calls itself, such as the addition of a shortcut or the
resizing of a feature map, are seen by a `TorchFunctionMode`. Both get the names that PyTorch's TorchScript exporter
gives their nodes in an ONNX graph.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .deformable_convolution import DeformableConv2d

FUNCTION_OPERATORS = {
    "add": "Add", "cat": "Concat", "div": "Div", "flatten": "Flatten", "interpolate": "Resize", "matmul": "MatMul",
    "mean": "ReduceMean", "mul": "Mul", "permute": "Transpose", "relu": "Relu", "reshape": "Reshape",
    "sigmoid": "Sigmoid", "softmax": "Softmax", "squeeze": "Squeeze", "sub": "Sub", "tanh": "Tanh",
    "transpose": "Transpose", "unsqueeze": "Unsqueeze", "view": "Reshape",
}  # fmt: skip
"""ONNX's operator for each function of PyTorch that is known; what the others give is not recorded."""

Inputs = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Activation:
    """One value that a network computes.

    Attributes:
        name: Its name, unique in the network. Of a function it is that of the exported node, such as `/neck/Resize_1`;
            of a layer it is the scope that all its exported nodes are in, such as `/backbone/conv1`.
        module: Path of the layer, or of the module that called the function, as in the checkpoint's keys.
        operator: The layer's class, or the function's operator in ONNX.
        is_layer: Whether a layer computed it.
        inputs: Names of the values that it was computed from; the network's input and parameters are not among them.
        shape: Its shape.
    """

    name: str
    module: str
    operator: str
    is_layer: bool
    inputs: frozenset[str]
    shape: tuple[int, ...]


def list_activations(network: nn.Module, inputs: Inputs) -> list[Activation]:
    """Return what a network computes for a batch, in order.

    Args:
        network: A network in evaluation mode.
        inputs: Its inputs, float32, in the order in which it takes them.
    """
    found: list[Activation] = []
    _run(network, inputs, lambda activation, _value: found.append(activation))
    return found


def activation_values(network: nn.Module, inputs: Inputs, names: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Return values that a network computes for a batch, by the names of `list_activations`."""
    values: dict[str, NDArray[np.float32]] = {}

    def keep(activation: Activation, value: Tensor) -> None:
        if activation.name in names:
            values[activation.name] = value.float().cpu().numpy().copy()

    _run(network, inputs, keep)
    return values


@torch.inference_mode()
def _run(network: nn.Module, inputs: Inputs, take: Callable[[Activation, Tensor], None]) -> None:
    """Run a network and give what it computes to a function."""
    place = next(network.parameters()).device
    recorder = _Recorder(take)
    handles = []
    for path, module in network.named_modules():
        if path:
            handles.append(module.register_forward_pre_hook(recorder.entering(path, module)))
            handles.append(module.register_forward_hook(recorder.leaving(module)))
    try:
        tensors = [torch.from_numpy(np.ascontiguousarray(array)).to(place) for array in inputs]
        for tensor in tensors:
            recorder.begin(tensor)
        with recorder:
            network(*tensors)
    finally:
        for handle in handles:
            handle.remove()


@dataclass(slots=True)
class _Scope:
    """A module that is running.

    Attributes:
        name: Its name in the graph; of a module that runs for the second time it ends in `_1`.
        first_name: The name that it had when it ran first, which the names of its parts begin with in every run.
        path: Where it is in the network.
        is_leaf: Whether it has no parts.
    """

    name: str
    first_name: str
    path: str
    is_leaf: bool


@dataclass(slots=True, eq=False)
class _Names:
    """Gives names as the exporter does: of several equal ones the second gets `_1`, the third `_2`."""

    _counts: Counter[str] = field(default_factory=Counter)

    def unique(self, name: str) -> str:
        """Return the name, with a number if it was given out before."""
        count = self._counts[name]
        self._counts[name] += 1
        return f"{name}_{count}" if count else name


class _Recorder(TorchFunctionMode):
    """Follows a forward pass."""

    def __init__(self, take: Callable[[Activation, Tensor], None]) -> None:
        super().__init__()
        self._take = take
        self._scopes = [_Scope("", "", "", is_leaf=False)]
        self._scope_names = _Names()
        self._node_names = _Names()
        # Keeps the tensors, so that none takes the identity of another that is gone.
        self._producers: dict[int, tuple[str, Tensor]] = {}
        self._is_recording = True

    def begin(self, tensor: Tensor) -> None:
        """Make an input of the network known, so that a layer which passes it on is seen to compute nothing."""
        self._producers[id(tensor)] = "", tensor

    def entering(self, path: str, module: nn.Module) -> Callable[..., None]:
        """Return the hook that is called before a module runs."""
        # A deformable convolution has a layer inside of it, and is one.
        is_leaf = next(module.children(), None) is None or isinstance(module, DeformableConv2d)

        def hook(*_arguments: Any) -> None:
            parent = self._scopes[-1]
            first = f"{parent.first_name}/{_child_name(path, parent.path)}"
            self._scopes.append(_Scope(self._scope_names.unique(first), first, path, is_leaf))

        return hook

    def leaving(self, module: nn.Module) -> Callable[..., None]:
        """Return the hook that is called after a module ran."""

        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            scope = self._scopes.pop()
            # A recurrent layer's first output is its sequence.
            value = output[0] if isinstance(output, tuple) else output
            if not scope.is_leaf or not isinstance(value, Tensor) or id(value) in self._producers:
                return
            if isinstance(module, nn.Linear) and module.bias is not None:
                # In a graph these are two nodes.
                with self._pausing():
                    product = value - module.bias
                self._record(f"{scope.name}/MatMul", scope, "MatMul", product, inputs, is_layer=False)
            self._record(scope.name, scope, type(module).__name__, value, inputs, is_layer=True)

        return hook

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of PyTorch and record what it gives."""
        output = func(*args, **(kwargs or {}))
        scope = self._scopes[-1]
        operator = FUNCTION_OPERATORS.get(getattr(func, "__name__", "").strip("_"))
        if operator and self._is_recording and not scope.is_leaf and isinstance(output, Tensor):
            name = self._node_names.unique(f"{scope.name}/{operator}")
            self._record(name, scope, operator, output, args, is_layer=False)
        return output

    def _record(
        self, name: str, scope: _Scope, operator: str, value: Tensor, given: Iterable[Any], *, is_layer: bool
    ) -> None:
        """Pass a value on."""
        tensors = [each for item in given for each in (item if isinstance(item, list | tuple) else (item,))]
        names = (self._producers[id(each)][0] for each in tensors if id(each) in self._producers)
        inputs = frozenset(name for name in names if name)
        self._producers[id(value)] = name, value
        with self._pausing():
            self._take(Activation(name, scope.path, operator, is_layer, inputs, tuple(value.shape)), value)

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        """Record nothing of what is computed here and not by the network."""
        self._is_recording = False
        try:
            yield
        finally:
            self._is_recording = True


def _child_name(path: str, parent: str) -> str:
    """Return what the exporter calls a module inside the one that calls it.

    A member of a list or sequence has the name of the whole before its number, such as `layer1.0`, and that of a
    sequence in another one both numbers.
    """
    relative = path.removeprefix(f"{parent}.") if parent else path
    last = relative.rpartition(".")[2]
    if not last.isdigit():
        return last
    parts = path.split(".")
    whole = max(place for place, part in enumerate(parts) if not part.isdigit())
    return ".".join(parts[whole:])
