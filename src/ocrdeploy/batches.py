"""What networks are given: batches of images, and what some networks take beside them.

Only this module knows what fills an input; whoever runs or checks a network passes on all that it takes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.backends import Array, Batch
from ocrdeploy.errors import ModelError, ShapeError
from ocrdeploy.model_spec import ModelSpec, shape_text
from ocrdeploy.steps import Preprocessed
from ocrdeploy.tensors import VALID_RATIO, TensorSpec


def make_batch(prepared: Sequence[Preprocessed], spec: ModelSpec, size: int) -> Batch:
    """Return images as what a network takes: a batch N×C×H×W, padded to the widest of them, and its further inputs.

    Args:
        prepared: The images, at least one.
        spec: The network's.
        size: N, at least the number of images. A batch that is not full is filled up with an image that is there.

    Raises:
        ShapeError: There are more images than that, or none, or they differ in height.
        ModelError: Nothing is known that fills an input.
    """
    images = stack_images(prepared, size)
    if not spec.further_inputs:
        return {spec.input.name: images}
    filled = [*prepared, *[prepared[-1]] * (size - len(prepared))]
    return {spec.input.name: images} | {
        tensor.name: _further(tensor, filled, images.shape[3]) for tensor in spec.further_inputs
    }


def _further(tensor: TensorSpec, prepared: Sequence[Preprocessed], width: int) -> Array:
    """Return what fills an input of a batch of images of a width in pixels; see `check_fillable`."""
    match tensor.name:
        case "valid_ratio":
            return np.array([item.resized_shape[1] / width for item in prepared], np.float32)
    raise _not_fillable(tensor)


def check_fillable(spec: ModelSpec, name: str) -> None:
    """Refuse a network that takes something which nothing here fills.

    Raises:
        ModelError: Names the input.
    """
    for tensor in spec.further_inputs:
        if tensor.name != VALID_RATIO or len(tensor.shape) != 1:
            raise _not_fillable(tensor, name)


def _not_fillable(tensor: TensorSpec, name: str = "the network") -> ModelError:
    """Return the error of an input that nothing fills."""
    return ModelError(
        f"{name} takes an input {tensor.name!r} of shape {shape_text(tensor.shape)}, and beside images only "
        f"{VALID_RATIO!r} of shape N is known"
    )


def blank_batch(spec: ModelSpec, shape: tuple[int, ...]) -> Batch:
    """Return a batch of images N×C×H×W that are zero everywhere, without padding."""
    blank = Preprocessed(np.zeros(shape[1:], np.float32), None, None, (shape[2], shape[3]), (shape[2], shape[3]))
    return make_batch([blank], spec, shape[0])


def as_batch(given: Array | Batch, spec: ModelSpec) -> Batch:
    """Return what a user gives as a batch: images alone stand for the input of a network that takes nothing else."""
    return given if isinstance(given, Mapping) else {spec.input.name: given}


def stack_images(prepared: Sequence[Preprocessed], size: int) -> Array:
    """Return images as an array N×C×H×W, padded to the widest of them; see `make_batch`."""
    if not 1 <= len(prepared) <= size:
        raise ShapeError(f"a batch of this model holds 1 to {size} images, got {len(prepared)}")
    if len({item.tensor.shape[:2] for item in prepared}) > 1:
        shapes = ", ".join(shape_text(item.tensor.shape) for item in prepared)
        raise ShapeError(f"the images of one batch have one height and number of channels, got {shapes}")
    width = max(item.tensor.shape[2] for item in prepared)
    tensors = [_pad_width(item.tensor, width) for item in prepared]
    return tensors[0][None] if size == 1 else np.stack(tensors + tensors[-1:] * (size - len(tensors)))


def _pad_width(tensor: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return C×H×W padded at the right to a width with zeros, as MMOCR pads batches: the mean grey once normalised."""
    missing = width - tensor.shape[2]
    return np.pad(tensor, ((0, 0), (0, 0), (0, missing))) if missing else tensor


def check_batch(batch: Batch, spec: ModelSpec) -> None:
    """Refuse what is no batch for the model: by its inputs, their types, or their shapes.

    Raises:
        ShapeError: Names what was expected and what was got.
    """
    names = [tensor.name for tensor in spec.inputs]
    if batch.keys() != set(names):
        raise ShapeError(f"the model takes arrays for its inputs {names}, got {[*batch]}")
    for tensor in spec.inputs:
        _check_type(batch[tensor.name], tensor)
    images = batch[spec.input.name].shape
    check_shape(images, spec)
    for tensor in spec.further_inputs:
        expected, shape = (images[0], *tensor.shape[1:]), batch[tensor.name].shape
        if shape != expected:
            raise ShapeError(
                f"the model's input {tensor.name!r} has shape {shape_text(expected)} beside images of "
                f"{shape_text(images)}, got {shape_text(shape)}"
            )


def _check_type(array: object, tensor: TensorSpec) -> None:
    """Refuse what is no array of an input's type."""
    if not isinstance(array, np.ndarray) or array.dtype.name != tensor.dtype:
        got = f"{array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ShapeError(
            f"the model's input {tensor.name!r} is an array of {tensor.dtype}, got {got}",
            f"Convert it with numpy.asarray(batch, numpy.{tensor.dtype}).",
        )


def check_shape(shape: tuple[int, ...], spec: ModelSpec) -> None:
    """Refuse images of a shape that the model does not take.

    Raises:
        ShapeError: Names the shape that was expected and the one that was got.
    """
    expected = spec.input.shape
    fits = len(shape) == len(expected) and all(
        not isinstance(length, int) or length == actual for length, actual in zip(expected, shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"the model's input {spec.input.name!r} has shape {shape_text(expected)}, got {shape_text(shape)}",
            _remedy(shape, spec),
        )
    if min(shape) < 1:
        raise ShapeError(f"a batch holds at least one image of one pixel, got {shape_text(shape)}")
    multiple = spec.size_multiple
    if any(length % multiple for length in shape[2:]):
        raise ShapeError(
            f"height and width must be multiples of {multiple}, got {shape_text(shape)}",
            f"Pad the image at its right and bottom to the next multiple of {multiple}.",
        )
    least = spec.input.least_width
    if least is not None and shape[3] < least:
        raise ShapeError(f"the model reads images at least {least} wide, got {shape_text(shape)}")


def _remedy(shape: tuple[int, ...], spec: ModelSpec) -> str:
    """Return what to do about a shape that a model does not take: --dynamic opens batch and sizes, but not channels."""
    opened = (0, 2, 3) if spec.task == "det" else (0, 3)
    expected = spec.input.shape
    is_static = all(isinstance(length, int) for length in expected)
    if not is_static or len(shape) != len(expected):
        return ""
    fits_then = all(axis in opened for axis, length in enumerate(expected) if length != shape[axis])
    return "Export the model with --dynamic to run images of other sizes." if fits_then else ""
