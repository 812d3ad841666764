"""Loops in ONNX graphs: a step that was traced once, between two markers, becomes the body of ONNX's Loop.

PyTorch's exporter records what runs, so it would write a decoder's loop out, 25 to 40 times its layers, and could not
end it early. A network that is traced therefore runs one step and marks where it begins and ends
(`ocrdeploy.layers.greedy`). The body is what lies between the markers and depends on the first one; what is the same in
every step, such as the keys and values of the image, stays outside of itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from .nodes import FreeNames

MARKERS = "ocrdeploy.loop"
"""Domain of the two markers."""
START = "Start"
"""Reads the initial values; gives the number of the step (int64, no dimension) and the values as the step reads them.
The attribute `steps` is the largest number of steps."""
END = "End"
"""Reads whether there is to be another step (bool, no dimension) and the values as the step leaves them; gives the
values behind the last step."""


@dataclass(slots=True)
class _Step:
    """A marked step, while its nodes are collected."""

    start: NodeProto
    body: list[NodeProto] = field(default_factory=list)
    inside: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.inside.update(self.start.output)

    def takes(self, node: NodeProto) -> bool:
        """Take a node into the body if it depends on the step."""
        if self.inside.isdisjoint(node.input):
            return False
        self.body.append(node)
        self.inside.update(node.output)
        return True


def close_loops(model: ModelProto) -> None:
    """Make a Loop of each pair of markers; a graph without markers stays as it is.

    Args:
        model: A traced model; changed. Its nodes stand in an order in which they can be computed, and one step ends
            before another begins. A value that a step leaves has the type and the shape of the one that it reads, which
            is known. Nodes with graphs inside depend on no step.
    """
    graph = model.graph
    if all(node.domain != MARKERS for node in graph.node):
        return
    known = {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}
    names = FreeNames(model)
    kept: list[NodeProto] = []
    step: _Step | None = None
    for node in graph.node:
        if node.domain == MARKERS and node.op_type == START:
            step = _Step(node)
        elif node.domain == MARKERS and step is not None:
            kept += _loop(step, node, known, names)
            step = None
        elif step is None or not step.takes(node):
            kept.append(node)
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in kept]
    made = {name for node in nodes for name in node.output}
    infos = [value for value in graph.value_info if value.name in made]
    for old, new in ((graph.node, nodes), (graph.value_info, infos)):
        del old[:]
        old.extend(new)
    imports = [each for each in model.opset_import if each.domain != MARKERS]
    del model.opset_import[:]
    model.opset_import.extend(imports)


def _loop(step: _Step, end: NodeProto, known: Mapping[str, ValueInfoProto], names: FreeNames) -> list[NodeProto]:
    """Return the Loop of a step, behind the constants that it reads."""
    (most,) = (attribute.i for attribute in step.start.attribute if attribute.name == "steps")
    limit, begins = names.take("loop_steps"), names.take("loop_begins")
    number, *values = step.start.output
    left = _outputs(step, end, names)
    body = helper.make_graph(
        step.body,
        names.take("step"),
        [
            helper.make_tensor_value_info(number, TensorProto.INT64, []),
            helper.make_tensor_value_info(names.take("loop_goes_on"), TensorProto.BOOL, []),
            *(_value(name, known[name]) for name in values),
        ],
        [
            helper.make_tensor_value_info(left[0], TensorProto.BOOL, []),
            *(_value(name, known[like]) for name, like in zip(left[1:], values, strict=True)),
        ],
    )
    return [
        helper.make_node("Constant", [], [limit], value=helper.make_tensor(limit, TensorProto.INT64, [], [most])),
        helper.make_node("Constant", [], [begins], value=helper.make_tensor(begins, TensorProto.BOOL, [], [True])),
        helper.make_node("Loop", [limit, begins, *step.start.input], end.output, names.take("loop"), body=body),
    ]


def _outputs(step: _Step, end: NodeProto, names: FreeNames) -> list[str]:
    """Return what the body gives, each under a name of its own, as an output must be made in the body."""
    made = {name for node in step.body for name in node.output}
    given: list[str] = []
    for name in end.input:
        if name in made and name not in given:
            given.append(name)
        else:
            given.append(names.take(f"{name}_kept"))
            step.body.append(helper.make_node("Identity", [name], [given[-1]], given[-1]))
    return given


def _value(name: str, like: ValueInfoProto) -> ValueInfoProto:
    """Return type and shape of a value of the body; lengths without a number are those of the value around it."""
    tensor = like.type.tensor_type
    lengths = [dimension.dim_value or None for dimension in tensor.shape.dim]
    return helper.make_tensor_value_info(name, tensor.elem_type, lengths)
