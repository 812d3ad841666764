"""The input shapes that an engine is built for: as the user gives them, or derived from the model's own pipeline."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ocrdeploy.errors import ShapeError, UsageError
from ocrdeploy.model_spec import Dimension, ModelSpec, ShapeProfile, shape_text
from ocrdeploy.steps import Step, fixed_height, output_size, typical_size

from .input_sizes import Size
from .shape_requests import GivenProfile, Shape, ShapeRequest

MAX_BATCH = {"det": 1, "recog": 16}
"""Largest batch unless the user says otherwise.

An engine takes the memory of its largest input. Detection images are large; words are small and come by the thousand.
"""
WIDEST_ASPECT_RATIO = 32
"""Width over height of the widest word that an engine takes where neither pipeline nor data set sets a limit."""
MODERATE_ASPECT_RATIO = 3
"""Length of the longer side over the shorter one of images that an engine takes, where stripes would be too large."""
MOST_PIXELS = 8
"""How many times the pixels of a typical image an input may have for a profile to be derived for it."""
FAR = 10_000
"""Edge of an image that is as long, or beside an edge of one pixel as narrow, as images get."""
WASTE = 2
"""How many times the pixels of the largest image one profile for both orientations may allow for.

Beyond it each orientation gets a profile of its own, because an engine takes the memory of its largest shape.
"""


def choose_profiles(
    input_shape: tuple[Dimension, ...], spec: ModelSpec | None, request: ShapeRequest, sizes: Mapping[Size, int]
) -> tuple[ShapeProfile, ...]:
    """Return the profiles of an engine.

    Args:
        input_shape: The model's input shape, with names for dynamic dimensions.
        spec: What is known of the model.
        request: What the user wants.
        sizes: How many images of the data set are brought to each size; may be empty.

    Returns:
        The profiles; for a static model one with three equal shapes.

    Raises:
        UsageError: The model is static and takes no shapes, or nothing tells the shapes.
        ShapeError: A shape contradicts the model.
    """
    fixed = tuple(length for length in input_shape if isinstance(length, int))
    if len(fixed) == 4:
        if request != ShapeRequest():
            raise UsageError(f"the model is static, {shape_text(fixed)}, and takes no other shapes", "Leave them out.")
        return (ShapeProfile(fixed, fixed, fixed),)
    if request.profiles:
        return tuple(_complete(given, input_shape, spec, sizes) for given in request.profiles)
    if spec is None and len(fixed) == 3 and not isinstance(input_shape[0], int):
        least, most = ((batch, fixed[0], fixed[1], fixed[2]) for batch in (1, request.max_batch or 1))
        return (ShapeProfile(least, most, most),)
    if spec is None:
        raise UsageError(
            "the model does not say which sizes its images have",
            "Give --min-shape, --opt-shape and --max-shape N C H W, or its MMOCR config with --config.",
        )
    if isinstance(input_shape[0], int) and request.max_batch not in (None, input_shape[0]):
        raise UsageError(f"the model's batch is always {input_shape[0]}, got --max-batch {request.max_batch}")
    return derive_profiles(spec, sizes, request.max_batch or MAX_BATCH[spec.task])


def derive_profiles(spec: ModelSpec, sizes: Mapping[Size, int], max_batch: int) -> tuple[ShapeProfile, ...]:
    """Return profiles that hold every image which the model's pipeline can make, fastest at the most frequent size.

    Args:
        spec: The model.
        sizes: How many images of the data set are brought to each size; may be empty.
        max_batch: The largest batch, which is also what the engine is fastest at.

    Raises:
        UsageError: The pipeline sets no size.
    """
    example = typical_size(spec.preprocessing)
    if example is None:
        raise UsageError(
            "the pipeline does not resize, so it sets no size", "Give --min-shape, --opt-shape and --max-shape N C H W."
        )
    channels, height, width = output_size(example, spec.preprocessing)
    by_frequency = [size for size, count in Counter(sizes).most_common() if count]
    profiles = []
    for least, most in _boxes(spec.preprocessing, (height, width), sizes):
        candidates = (*by_frequency, (height, width), (width, height), most)
        best = next(size for size in candidates if _is_between(least, size, most))
        shapes = ((1, channels, *least), (max_batch, channels, *best), (max_batch, channels, *most))
        profiles.append(ShapeProfile(*(_with_fixed_lengths(shape, spec.input.shape) for shape in shapes)))
    return tuple(dict.fromkeys(profiles))


def _boxes(steps: Sequence[Step], typical: Size, sizes: Iterable[Size]) -> list[tuple[Size, Size]]:
    """Return ranges, each from a smallest to a largest size, that hold whatever a pipeline makes of any image."""
    square = _output(steps, (FAR, FAR))
    # Words have one height, and an aspect ratio that counts as the widest.
    limit = FAR * FAR if fixed_height(steps) is not None else MOST_PIXELS * _pixels(typical)
    if _pixels(square) > limit:
        raise UsageError(
            "the pipeline takes images as large as they are, so it sets no largest size",
            "Give --min-shape, --opt-shape and --max-shape N C H W.",
        )
    # A pipeline that leaves large images as they are makes larger squares of them than of small ones.
    small = _output(steps, (1, 1))
    outputs = [square, small, typical, *sizes]
    widest = 1, FAR if any(step.limits_width() for step in steps) else WIDEST_ASPECT_RATIO
    for size, moderate in (
        (widest, (FAR, MODERATE_ASPECT_RATIO * FAR)),
        ((FAR, 1), (MODERATE_ASPECT_RATIO * FAR, FAR)),
    ):
        output = _output(steps, size)
        # A pipeline that brings the shorter side to a length makes a stripe endlessly long.
        outputs.append(output if _pixels(output) <= limit else _output(steps, moderate))
    least = min(height for height, _ in outputs), min(width for _, width in outputs)
    most = max(height for height, _ in outputs), max(width for _, width in outputs)
    if least[0] == most[0] or small != square or most[0] * most[1] <= WASTE * typical[0] * typical[1]:
        return [(least, most)]
    return [((least[0], square[1]), (square[0], most[1])), ((square[0], least[1]), (most[0], square[1]))]


def _output(steps: Sequence[Step], size: Size) -> Size:
    """Return height and width of what a pipeline makes of an image of a size."""
    _, height, width = output_size(size, steps)
    return height, width


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def _complete(
    given: GivenProfile, input_shape: tuple[Dimension, ...], spec: ModelSpec | None, sizes: Mapping[Size, int]
) -> ShapeProfile:
    """Return a profile that the user gives; the best shape, where it is left out, is never the smallest by itself."""
    least, most = given.least, given.most
    frequent = [size for size, count in Counter(sizes).most_common() if count]
    inside = (size for size in frequent if _is_between((least[2], least[3]), size, (most[2], most[3])))
    best = given.best or (most[0], most[1], *next(inside, (most[2], most[3])))
    multiple = 1 if spec is None else spec.size_multiple
    for name, shape in (("smallest", least), ("best", best), ("largest", most)):
        _check_shape(name, shape, input_shape, multiple)
    try:
        return ShapeProfile(least, best, most)
    except ValueError as error:
        raise ShapeError(str(error)) from error


def _check_shape(name: str, shape: Shape, input_shape: tuple[Dimension, ...], multiple: int) -> None:
    """Refuse a shape that contradicts the model."""
    for length, wanted in zip(shape, input_shape, strict=True):
        if isinstance(wanted, int) and length != wanted:
            raise ShapeError(
                f"the model's input is {shape_text(input_shape)}, got {shape_text(shape)} as the {name} shape"
            )
    if any(length % multiple for length in shape[2:]):
        height, width = (-(-length // multiple) * multiple for length in shape[2:])
        raise ShapeError(
            f"the model takes heights and widths that are multiples of {multiple}, "
            f"got {shape_text(shape)} as the {name} shape",
            f"Images are padded to such sizes: take {shape[0]} {shape[1]} {height} {width}.",
        )


def _is_between(least: Size, size: Size, most: Size) -> bool:
    """Return whether a size lies in a range."""
    return all(low <= length <= high for low, length, high in zip(least, size, most, strict=True))


def _with_fixed_lengths(shape: Shape, input_shape: tuple[Dimension, ...]) -> Shape:
    """Return a shape with the lengths that the model has no choice in."""
    n, c, h, w = (
        wanted if isinstance(wanted, int) else length for length, wanted in zip(shape, input_shape, strict=True)
    )
    return n, c, h, w
