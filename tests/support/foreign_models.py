"""Small ONNX models as strangers make them: a detector of bright places, and a recogniser of stripes."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CHARACTERS = "ab"
STRIPE = 16
"""Columns of a word that make one step."""


def write_detector(path: Path, *, sigmoid: bool = True) -> Path:
    """Write a network whose map is high where an image normalised to -1 to 1 is bright."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["grey", "steep"], ["logits"]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["logits"], ["map"]),
    ]
    constants = [numpy_helper.from_array(np.array(20, np.float32), "steep")]
    return _write(path, nodes, constants, ["n", 3, "h", "w"], ["n", 1, "h", "w"], {})


def write_recogniser(path: Path, *, metadata: bool = True, softmax: bool = True) -> Path:
    """Write a network that reads stripes with a bright place as `a`, grey ones as blanks, dark ones as `b`."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["line"], axes=[1, 2], keepdims=1),
        helper.make_node("AveragePool", ["line"], ["pooled"], kernel_shape=[1, STRIPE], strides=[1, STRIPE]),
        helper.make_node("Squeeze", ["pooled"], ["flat"], axes=[1, 2]),
        helper.make_node("Unsqueeze", ["flat"], ["values"], axes=[2]),
        helper.make_node("MatMul", ["values", "slopes"], ["sloped"]),
        helper.make_node("Add", ["sloped", "offsets"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["out"], axis=2),
    ]
    if not softmax:
        nodes[-1] = helper.make_node("Identity", ["logits"], ["out"])
    constants = [
        numpy_helper.from_array(np.array([[0, 20, -20, 0]], np.float32), "slopes"),
        numpy_helper.from_array(np.array([5, 0, 0, -50], np.float32), "offsets"),
    ]
    kept = {"character": "\n".join(CHARACTERS)} if metadata else {}
    return _write(path, nodes, constants, ["n", 3, 48, "w"], ["n", "steps", 4], kept)


def write_classifier(path: Path) -> Path:
    """Write a network that calls a line upside down where its left half is darker than its right one."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["line"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["line", "halves"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["out"], axis=1),
    ]
    halves = np.zeros((192, 2), np.float32)
    halves[:96, 0] = halves[96:, 1] = 1
    constants = [numpy_helper.from_array(halves, "halves")]
    return _write(path, nodes, constants, ["n", 3, 48, 192], ["n", 2], {})


def photo() -> NDArray[np.uint8]:
    """Return a dark photo, 200×600×3 BGR, with three bright words in two lines."""
    image = np.zeros((200, 600, 3), np.uint8)
    for left, top, right, bottom in ((40, 30, 200, 70), (260, 34, 420, 74), (60, 120, 220, 160)):
        image[top:bottom, left:right] = 255
    return image


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    shape: list[int | str],
    output: list[int | str],
    metadata: dict[str, str],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, output)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    helper.set_model_props(model, metadata)
    onnx.save_model(model, path)
    return path
