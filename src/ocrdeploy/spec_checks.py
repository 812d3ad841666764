"""Whether a model's spec and its graph speak of the same network: a spec can be edited, or come from another file."""

from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.errors import ConfigError, ModelError
from ocrdeploy.model_spec import CTCConvertor, Dimension, ModelSpec, shape_text
from ocrdeploy.steps import check_steps

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
        if not _agree(each.shape, shape):
            raise ModelError(
                f"the spec of {path} says that {each.name!r} is {shape_text(each.shape)}, in the graph it is "
                f"{shape_text(tuple(shape))}",
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


def _agree(expected: Sequence[Dimension], found: Sequence[Dimension]) -> bool:
    """Tell whether two shapes can be of one tensor."""
    if not found:
        return True
    return len(expected) == len(found) and all(
        isinstance(one, str) or isinstance(other, str) or one == other
        for one, other in zip(expected, found, strict=True)
    )


def _check_decoder(spec: ModelSpec, path: Path, fix: str) -> None:
    """Refuse a decoder that reads another kind of output than the first one."""
    output = spec.outputs[0]
    match spec.postprocessing:
        case CTCConvertor(reads="best_classes"):
            wanted: tuple[Dimension, ...] = ("batch", "steps")
        case CTCConvertor(dictionary=dictionary):
            wanted = ("batch", "steps", len(dictionary))
        case _:
            wanted = ("batch", "channels", "height", "width")
    if not _agree(output.shape, wanted):
        raise ModelError(
            f"the spec of {path} contradicts itself: {type(spec.postprocessing).__name__} reads {shape_text(wanted)}, "
            f"and {output.name!r} is {shape_text(output.shape)}",
            fix,
        )
