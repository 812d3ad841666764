"""Whether a model's spec and its graph speak of the same network: a spec can be edited, or come from another file."""

from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.errors import ConfigError, ModelError
from ocrdeploy.model_spec import Dimension, ModelSpec, shape_text
from ocrdeploy.steps import check_steps
from ocrdeploy.tensors import agree

NamedShape = tuple[str, Sequence[Dimension]]
"""A tensor of a graph: its name, and its shape with names for dynamic dimensions; no dimensions where not known."""


def check_spec(spec: ModelSpec, path: Path, tensor: NamedShape, outputs: Sequence[NamedShape], fix: str) -> None:
    """Refuse a spec that contradicts the graph beside it, or itself.

    Dimensions that are open on one side may be fixed on the other.

    Args:
        spec: The spec.
        path: The model, for messages.
        tensor: The graph's input.
        outputs: The graph's outputs.
        fix: What to do about it.

    Raises:
        ModelError: Names or shapes differ, the steps make images of other channels than the input has, or the decoder
            reads another kind of output.
    """
    shapes = dict(outputs)
    names = {output.name for output in spec.outputs}
    if spec.input.name != tensor[0] or not names.issubset(shapes):
        raise ModelError(
            f"the spec of {path} speaks of {spec.input.name!r} and {sorted(names)}, "
            f"the graph has {tensor[0]!r} and {list(shapes)}",
            fix,
        )
    pairs = [(spec.input, tensor[1]), *((output, shapes[output.name]) for output in spec.outputs)]
    for each, shape in pairs:
        if not agree(each.shape, shape):
            raise ModelError(
                f"the spec of {path} says that {each.name!r} is {shape_text(each.shape)}, in the graph it is "
                f"{shape_text(shape)}",
                fix,
            )
    try:
        channels = check_steps(spec.preprocessing)
    except ConfigError as error:
        raise ModelError(f"the spec of {path} contradicts itself: {error.message}", fix) from error
    if spec.input.shape[1] != channels:
        raise ModelError(
            f"the spec of {path} contradicts itself: its steps make images of {channels} channels, and its input is "
            f"{shape_text(spec.input.shape)}",
            fix,
        )
    _check_decoder(spec, path, fix)


def _check_decoder(spec: ModelSpec, path: Path, fix: str) -> None:
    """Refuse a decoder that reads outputs of other shapes."""
    for wanted, output in zip(spec.postprocessing.expects(), spec.outputs, strict=False):
        if agree(output.shape, wanted.shape):
            continue
        name = type(spec.postprocessing).__name__
        raise ModelError(
            f"the spec of {path} contradicts itself: {name} reads {shape_text(wanted.shape)}, and "
            f"{output.name!r} is {shape_text(output.shape)}",
            fix,
        )
