"""Faults, planted in exported models: what a deployed model that is not the trained one looks like."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import ModelProto, NodeProto, numpy_helper

from ocrdeploy.artifacts import embed_spec, read_onnx_spec
from ocrdeploy.model_spec import ModelSpec

GraphEdit = Callable[[ModelProto], None]
SpecEdit = Callable[[ModelSpec], ModelSpec]


def plant(
    model: Path,
    folder: Path,
    graph: GraphEdit = lambda _: None,
    spec: SpecEdit = lambda spec: spec,
    name: str = "faulty",
) -> Path:
    """Write a copy of a model that was changed after its export, in its graph or in its spec."""
    edited = onnx.load_model(model)
    graph(edited)
    embed_spec(edited, spec(read_onnx_spec(model)))
    path = folder / f"{name}.onnx"
    onnx.save_model(edited, path)
    return path


def changed_weight(node: str, place: int = 1, factor: float = -1) -> GraphEdit:
    """Multiply one parameter of a node: the input at a place, 1 being the weight and 2 the bias."""

    def edit(model: ModelProto) -> None:
        name = _node(model, node).input[place]
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        values = numpy_helper.to_array(tensor) * np.float32(factor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))

    return edit


def changed_attributes(node: str, **values: str) -> GraphEdit:
    """Set attributes of a node, such as the mode of a Resize."""

    def edit(model: ModelProto) -> None:
        for attribute in _node(model, node).attribute:
            if attribute.name in values:
                attribute.s = values[attribute.name].encode()

    return edit


def changed_operator(node: str, operator: str) -> GraphEdit:
    """Make a node compute something else."""

    def edit(model: ModelProto) -> None:
        _node(model, node).op_type = operator

    return edit


def changed_step(kind: type, **values: object) -> SpecEdit:
    """Set fields of a step of the pre-processing."""

    def edit(spec: ModelSpec) -> ModelSpec:
        steps = tuple(
            msgspec.structs.replace(step, **values) if isinstance(step, kind) else step for step in spec.preprocessing
        )
        return msgspec.structs.replace(spec, preprocessing=steps)

    return edit


def changed_decoder(**values: object) -> SpecEdit:
    """Set fields of the post-processing."""

    def edit(spec: ModelSpec) -> ModelSpec:
        decoder = msgspec.structs.replace(spec.postprocessing, **values)
        return msgspec.structs.replace(spec, postprocessing=decoder)

    return edit


def _node(model: ModelProto, name: str) -> NodeProto:
    """Return the node of a name."""
    found: NodeProto = next(node for node in model.graph.node if node.name == name)
    return found


def zeros_from_image(index: int) -> GraphEdit:
    """Let a model with one output give zeros for the images of a batch from one on."""

    def edit(model: ModelProto) -> None:
        graph = model.graph
        name = graph.output[0].name
        rank = len(graph.output[0].type.tensor_type.shape.dim)
        for node in graph.node:
            node.output[:] = ["whole" if each == name else each for each in node.output]
        constants = {
            "n_zero": np.int64(0), "n_one": np.int64(1), "n_first": np.int64(index), "v_zero": np.float32(0),
            "as_column": np.array([-1] + [1] * (rank - 1), np.int64),
        }  # fmt: skip
        graph.initializer.extend(numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items())
        graph.node.extend(
            [
                onnx.helper.make_node("Shape", ["whole"], ["lengths"]),
                onnx.helper.make_node("Gather", ["lengths", "n_zero"], ["n"]),
                onnx.helper.make_node("Range", ["n_zero", "n", "n_one"], ["images"]),
                onnx.helper.make_node("Less", ["images", "n_first"], ["is_early"]),
                onnx.helper.make_node("Reshape", ["is_early", "as_column"], ["is_early_column"]),
                onnx.helper.make_node("Where", ["is_early_column", "whole", "v_zero"], [name]),
            ]
        )

    return edit
