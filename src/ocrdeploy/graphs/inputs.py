"""One spelling for what ONNX lets exporters write in several ways, so that nothing else has to know the others.

Each function changes the model that it is given, and nothing that the model computes.
"""

from collections.abc import Collection, Mapping, Sequence

from onnx import GraphProto, ModelProto, ValueInfoProto

from .nodes import all_nodes

ONNX_DOMAINS = ("", "ai.onnx")
"""The two names of ONNX's own operators."""
FIRST_VERSION_WITH_FREE_INITIALIZERS = 4
"""Before this version of ONNX's format every initializer had to be listed among the inputs."""


def normalize(model: ModelProto) -> None:
    """Bring inputs, lengths and domains to the spelling of today's exporters.

    Initializers are no inputs: what a caller might pass in their place is not wanted. Lengths that are written as 0 or
    -1, which older exporters do for those that are open, are open. ONNX's own domain is the empty one.

    Args:
        model: The model; changed.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != len(graph.input):
        del graph.input[:]
        graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, FIRST_VERSION_WITH_FREE_INITIALIZERS)
    for value in (*graph.input, *graph.output, *graph.value_info):
        _open_lengths(value)
    nodes = [*all_nodes(graph), *(node for function in model.functions for node in function.node)]
    for node in nodes:
        if node.domain in ONNX_DOMAINS[1:]:
            node.domain = ""
    versions = opsets(model)
    if len(versions) != len(model.opset_import) or any(each.domain in ONNX_DOMAINS[1:] for each in model.opset_import):
        del model.opset_import[:]
        for domain, version in versions.items():
            model.opset_import.add(domain=domain, version=version)


def opsets(model: ModelProto) -> Mapping[str, int]:
    """Return the version of each domain's operators; ONNX's own domain is the empty one."""
    found: dict[str, int] = {}
    for each in model.opset_import:
        domain = "" if each.domain in ONNX_DOMAINS else each.domain
        found[domain] = max(each.version, found.get(domain, 0))
    return found


def fix_shapes(graph: GraphProto, images: Sequence[int], weights: Collection[str]) -> list[ValueInfoProto]:
    """Fix the shapes of a graph's inputs: of the images, and of others, which have an entry an image.

    Args:
        graph: The graph; changed.
        images: Shape N×C×H×W.
        weights: Names of inputs that are none.

    Returns:
        The inputs.
    """
    inputs = [value for value in graph.input if value.name not in weights]
    for value in inputs:
        lengths = value.type.tensor_type.shape.dim
        for dimension, length in zip(lengths, images if len(lengths) == len(images) else images[:1], strict=False):
            dimension.dim_value = length
    return inputs


def _open_lengths(value: ValueInfoProto) -> None:
    """Give lengths that are written as 0 or -1 a name."""
    for index, dimension in enumerate(value.type.tensor_type.shape.dim):
        if dimension.HasField("dim_value") and dimension.dim_value <= 0:
            dimension.dim_param = f"{value.name}_dim_{index}"
