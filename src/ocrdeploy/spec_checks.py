"""Whether a model's spec and its graph speak of the same network: a spec can be edited, or come from another file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ocrdeploy.batches import check_fillable
from ocrdeploy.errors import ConfigError, ModelError, UsageError
from ocrdeploy.model_spec import ModelSpec, shape_text
from ocrdeploy.onnx_file import GraphTensor
from ocrdeploy.steps import check_steps
from ocrdeploy.tensors import TensorSpec, agree


def check_spec(
    spec: ModelSpec, path: Path, inputs: Sequence[GraphTensor], outputs: Sequence[GraphTensor], fix: str
) -> None:
    """Refuse a spec that contradicts the graph beside it, or itself.

    Dimensions that are open on one side may be fixed on the other.

    Args:
        spec: The spec.
        path: The model, for messages.
        inputs: The graph's inputs.
        outputs: The graph's outputs.
        fix: What to do about it.

    Raises:
        ModelError: Names or shapes differ, nothing fills an input, the steps make images of other channels than the
            input has, or the decoder reads another kind of output.
    """
    taken, given = ({tensor.name: tensor for tensor in tensors} for tensors in (inputs, outputs))
    names = {output.name for output in spec.outputs}
    if {tensor.name for tensor in spec.inputs} != taken.keys() or not names.issubset(given):
        raise ModelError(
            f"the spec of {path} speaks of {_names(spec.inputs)} and {sorted(names)}, "
            f"the graph has {_names(inputs)} and {list(given)}",
            fix,
        )
    check_fillable(spec, str(path))
    for each in (*spec.inputs, *spec.outputs):
        other = (taken | given)[each.name]
        if not agree(each.shape, other.shape) or other.dtype not in ("", each.dtype):
            raise ModelError(
                f"the spec of {path} says that {each.name!r} is {shape_text(each.shape)} {each.dtype}, in the graph it "
                f"is {shape_text(other.shape)} {other.dtype}".rstrip(),
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


def _names(inputs: Sequence[GraphTensor | TensorSpec]) -> str:
    """Return the names of inputs, for messages."""
    return ", ".join(repr(tensor.name) for tensor in inputs)


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


def check_precision(spec: ModelSpec, path: Path, precision: str) -> None:
    """Refuse a spec that names another number format than the graph's inner tensors have: tolerances follow from it.

    Raises:
        ModelError: It does.
    """
    if spec.precision != precision:
        raise ModelError(
            f"the spec of {path} says that it computes in {spec.precision}, and its graph holds {precision}",
            "Export or convert the model again.",
        )


def check_batch_sizes(models: Iterable[tuple[str | Path, ModelSpec]], sizes: Sequence[int]) -> None:
    """Refuse batch sizes that a model does not take.

    Raises:
        UsageError: A model is static, and runs another number of images together.
    """
    for model, spec in models:
        fixed = spec.input.shape[0]
        if sizes and isinstance(fixed, int) and set(sizes) != {fixed}:
            raise UsageError(
                f"{model} is static and runs {fixed} at a time, and --batch-size asks for {', '.join(map(str, sizes))}",
                "Leave out --batch-size, or export the model with --dynamic.",
            )
