"""Graphs in mixed precision on a processor that has no float16."""

import msgspec
import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.artifacts import METADATA_KEY
from ocrdeploy.graphs.float16 import TypedGraph, replace_nodes
from ocrdeploy.model_spec import decode_spec, encode_spec

EXACT_OPERATORS = frozenset(
    {"Concat", "Flatten", "Gather", "Identity", "MaxPool", "Pad", "Relu", "Reshape", "Slice", "Split", "Squeeze"}
    | {"Transpose", "Unsqueeze"}
)
"""Operators that give numbers which they were given, so that there is nothing to round."""


def said_to_be_float16(model: ModelProto) -> ModelProto:
    """Return a converted model whose spec, which was the float32 model's, tells its precision."""
    for prop in model.metadata_props:
        if prop.key == METADATA_KEY:
            prop.value = encode_spec(msgspec.structs.replace(decode_spec(prop.value, "the model"), precision="fp16"))
    return model


def round_like_float16(model: ModelProto) -> None:
    """Let a graph in mixed precision compute in float32 and round to float16 what it has in float16.

    A processor without float16 arithmetic computes such a graph in float32, and ONNX Runtime then leaves the rounding
    out. With it the results are those of hardware that adds up in float32 and stores float16: a value beyond
    float16's range is infinite.

    Args:
        model: The model; changed.
    """
    graph = TypedGraph(model)
    halves = {name for name, kind in graph.types.items() if kind == TensorProto.FLOAT16}
    nodes: list[NodeProto] = []
    for node in graph.nodes:
        if node.op_type == "Constant" and node.output[0] in halves:
            node.attribute[0].t.CopyFrom(_widened(node.attribute[0].t))
        nodes.append(node)
        if node.op_type in {"Constant", *EXACT_OPERATORS}:
            continue
        for place, name in enumerate(node.output):
            if name in halves:
                node.output[place] = f"{name}_unrounded"
                # A cast to float16 stands in the graph already; one more does no harm.
                nodes.append(cast_node(node.output[place], f"{name}_rounded", TensorProto.FLOAT16))
                nodes.append(cast_node(f"{name}_rounded", name, TensorProto.FLOAT))
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(_widened(tensor))
    replace_nodes(model, nodes)


def _widened(tensor: TensorProto) -> TensorProto:
    """Return a float16 constant as float32."""
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)


def cast_node(source: str, target: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"{source}/Cast to {target}", to=kind)
