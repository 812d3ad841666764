"""A model of one node, to try a runtime with."""

from pathlib import Path

import onnx


def write_small_model(path: Path) -> None:
    """Write a model that maps `x`, one float32, to `y`; old versions of ONNX Runtime take it too."""
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "small", tensors[:1], tensors[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(model, path)
