"""How much memory a run of a graph takes, by the sizes of its tensors and how long each is needed.

Beside what ONNX Runtime took on the CPU the estimate was 0.75 (DBNet at 1472×2624) to 1.9 times (at 736×1312) as much,
for CRNN at 32×20000 and 32×60000 1.1 to 1.2 times.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import onnx

from .inputs import fix_shapes

SMALL_BYTES = 4096
"""Weights that are larger say nothing about shapes, and are left out."""


def run_bytes(path: Path, shape: Sequence[int]) -> int:
    """Return about how many bytes the tensors of a run hold at the time when they hold most; weights are left out.

    Each operator has its inputs and outputs beside each other, and a tensor is held until its last reader is done. A
    tensor whose shape cannot be inferred counts as nothing.

    Args:
        path: The ONNX model.
        shape: The shape N×C×H×W of the images.
    """
    model = onnx.load_model(path, load_external_data=False)
    graph = model.graph
    for item in graph.initializer:
        if len(item.raw_data) > SMALL_BYTES:
            item.ClearField("raw_data")
    given = fix_shapes(graph, shape, {item.name for item in graph.initializer})
    graph.ClearField("value_info")
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    sizes = {each.name: _size(each) for each in (*given, *inferred.value_info, *inferred.output)}
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    held, most = sum(sizes[each.name] for each in given), 0
    for index, node in enumerate(graph.node):
        held += sum(sizes.get(name, 0) for name in node.output)
        most = max(most, held)
        held -= sum(sizes.get(name, 0) for name in {*node.input, *node.output} if last.get(name, -1) == index)
    return most


def _size(tensor: onnx.ValueInfoProto) -> int:
    kind = tensor.type.tensor_type
    if not kind.HasField("shape"):
        return 0
    item: int = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    lengths: list[int] = [each.dim_value for each in kind.shape.dim]
    return item * math.prod(lengths)
