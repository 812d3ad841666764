"""What models are compared on: images that the user gives, those of the data set, or drawn ones; and seeded noise."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy import batch_choice
from ocrdeploy.decoders import Decoder
from ocrdeploy.decoders.decoder import DecoderPart, MadeUp
from ocrdeploy.images.arrays import to_color_type
from ocrdeploy.model_spec import Dimension, ModelSpec, ShapeProfile
from ocrdeploy.steps import Preprocessed, color_type_of, output_size, preprocess, typical_size

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
Shape = tuple[int, int, int, int]
AnyDecoder = TypeVar("AnyDecoder", bound=DecoderPart)

SEED = 0
MAX_PIXELS = 1_200_000
"""Pixels of a batch of noise and of a prepared drawn image at most, so that a comparison of DBNet r18 (736×1344 at its
largest) stays within a minute on two cores. What a pipeline makes larger is brought down to it."""

DETECTION_NOISE = (("smallest", 1, (16, 1280)), ("tall", 3, (1280, 16)), ("square", 2, (512, 512)))
"""Name, batch size, and the original image whose prepared size is taken (height, width)."""
RECOGNITION_NOISE = (
    ("smallest", 1, (32, 9)),
    ("typical", 3, (32, 100)),
    ("odd", 2, (31, 71)),
    ("largest", 1, (32, 640)),
)
"""Likewise. Words have no largest width; one of twenty times the height stands for it."""
LONG_BATCH = batch_choice.SIZES[-1]
"""As many images as the other commands run together, of small ones: faults may begin in the middle of a batch."""
LONG_BATCH_SIZES = {"det": (64, 64), "recog": (32, 100)}
"""Height and width of what a long batch is made of: of a detector's prepared image, and of a word."""
UNRESIZED_LARGEST = (1080, 1920)
"""Stands for the largest image where the pipeline does not resize."""

DRAWN_SIZES = {"det": ((720, 1280), (640, 640), (900, 500)), "recog": ((32, 100), (48, 160), (24, 200))}
"""Height and width of the drawn images."""

PHRASES = ("exit 12", "Rooms", "open", "SALE -50", "north", "hotel", "cafe", "2026")


@dataclass(frozen=True, slots=True)
class NoiseInput:
    """A batch of noise, which is made when it is needed.

    Attributes:
        label: What it stands for, such as `smallest`.
        shape: N×C×H×W.
        seed: What the generator is seeded with.
    """

    label: str
    shape: Shape
    seed: tuple[int, int]

    def make(self) -> list[Preprocessed]:
        """Return the images of the batch, standard normal like normalised ones, the same at every call.

        They stand for words of different widths: the last one takes little more than half of its width.
        """
        n, _, height, width = self.shape
        images = np.random.default_rng(self.seed).standard_normal(self.shape, dtype=np.float32)
        sizes = [(height, width - index * width // (2 * n)) for index in range(n)]
        return [Preprocessed(image, None, None, size, size) for image, size in zip(images, sizes, strict=True)]


def noise_inputs(
    reference: ModelSpec, candidate: ModelSpec, seed: int = SEED, profiles: Sequence[ShapeProfile] = ()
) -> list[NoiseInput]:
    """Return the batches of noise that two models are compared on.

    For dynamic models their sizes are those that the reference's pipeline makes of a very wide, a very tall and a
    square image, and the largest that it makes, in batches of one, two and three; and there is one batch as long as
    those that the other commands run. Where a model is static, its shape is the only one.

    Args:
        reference: What the one side takes.
        candidate: What the other side takes.
        seed: Another seed makes other noise of the same shapes.
        profiles: What an engine takes: each is given a batch of one more than its longest, which runs in parts.
    """
    fixed = [_fixed(first, second) for first, second in zip(reference.input.shape, candidate.input.shape, strict=True)]
    found: dict[Shape, str] = {}
    wanted_shapes = [*_noise_shapes(reference), ("long batch", _long_batch(reference))]
    if profiles:
        lengths = {LONG_BATCH, *(profile.max[0] + 1 for profile in profiles)}
        wanted_shapes += [(f"batch of {n}", (n, *profile.min[1:])) for profile in profiles for n in sorted(lengths)]
    for label, wanted in wanted_shapes:
        shape = tuple(there or length for there, length in zip(fixed, wanted, strict=True))
        found.setdefault((shape[0], shape[1], shape[2], shape[3]), label)
    names = {shape: label if None in fixed else "static" for shape, label in found.items()}
    return [NoiseInput(label, shape, (seed, index)) for index, (shape, label) in enumerate(names.items())]


def drawn_images(spec: ModelSpec, seed: int = SEED) -> list[Pixels]:
    """Return images with text drawn on them, H×W×3 uint8 BGR, the same at every call with a seed.

    For a static model they have the size of its input.
    """
    static = static_shape(spec)
    sizes = [static[2:]] if static else [_drawable(size, spec) for size in DRAWN_SIZES[spec.task]]
    draw = _draw_scene if spec.task == "det" else _draw_word
    return [draw(height, width, seed, index) for index, (height, width) in enumerate(sizes)]


def sized_images(spec: ModelSpec, seed: int = SEED) -> Iterator[Pixels]:
    """Yield an image of each of the sizes that the noise stands for, H×W×3 uint8 BGR, for comparing pipelines.

    Whatever sizes the other images have, these are very wide, very tall, square and the largest.
    """
    for index, (_, _, (height, width)) in enumerate(_noise_cases(spec)):
        yield _background(height, width, np.random.default_rng((seed, index)))


def prepare_drawn(image: Pixels, spec: ModelSpec, static: Shape | None) -> Preprocessed:
    """Prepare a drawn image as the spec says; for a static model, whose size it has, without scaling or padding."""
    steps = spec.preprocessing
    if static is not None:
        steps = tuple(step.fixed_to(static[2:]) for step in steps)
    return preprocess(to_color_type(image, color_type_of(steps)), steps)


def static_shape(spec: ModelSpec) -> Shape | None:
    """Return the shape of a static model's input, None for a dynamic one; a batch that may vary counts as one image."""
    match spec.input.shape:
        case (n, int(c), int(h), int(w)):
            return n if isinstance(n, int) else 1, c, h, w
    return None


def _noise_shapes(spec: ModelSpec) -> Iterator[tuple[str, Shape]]:
    """Yield name and shape of the noise, as the pipeline makes them."""
    for label, n, size in _noise_cases(spec):
        channels, height, width = output_size(size, spec.preprocessing)
        yield label, (n, channels, *_bounded(n, (height, width), spec))


def _long_batch(spec: ModelSpec) -> Shape:
    """Return the shape of a long batch of small images."""
    size = LONG_BATCH_SIZES[spec.task]
    channels, height, width = output_size(size, spec.preprocessing)
    return LONG_BATCH, channels, *((height, width) if spec.task == "recog" else size)


def _noise_cases(spec: ModelSpec) -> Iterator[tuple[str, int, Size]]:
    """Yield name, batch size and original size of the noise."""
    if spec.task == "recog":
        yield from RECOGNITION_NOISE
        return
    yield from DETECTION_NOISE
    yield "largest", 1, typical_size(spec.preprocessing) or UNRESIZED_LARGEST


def _fixed(first: Dimension, second: Dimension) -> int | None:
    """Return the length that one of two models fixes a dimension to, None where both leave it open."""
    return next((length for length in (first, second) if isinstance(length, int)), None)


def _bounded(n: int, size: Size, spec: ModelSpec) -> Size:
    """Return a size, made smaller in its proportions where a batch of it has more than `MAX_PIXELS`."""
    height, width = size
    factor = math.sqrt(MAX_PIXELS / (n * height * width))
    if factor >= 1:
        return size
    if spec.task == "recog":
        return height, int(MAX_PIXELS / (n * height))
    multiple = spec.size_multiple
    height, width = (max(1, int(length * factor) // multiple) * multiple for length in size)
    return height, width


def _drawable(size: Size, spec: ModelSpec) -> Size:
    """Return the size of an image that is drawn: the shorter edge is cut until the pipeline's result is small enough.

    Making both edges smaller would not help, because pipelines enlarge small images.
    """
    height, width = size
    while math.prod(output_size((height, width), spec.preprocessing)[1:]) > MAX_PIXELS and min(height, width) > 64:
        height, width = (height * 3 // 4, width) if height <= width else (height, width * 3 // 4)
    return height, width


def made_up_outputs(reference: ModelSpec, candidate: ModelSpec) -> MadeUp:
    """Yield outputs on which two decoders are compared, with what the image of each would have been prepared to.

    Args:
        reference: What the one decoder reads; it decides the form.
        candidate: What the other one reads. Where it is of another kind, which is a difference already, there are no
            outputs that both read.
    """
    first, second = reference.postprocessing, candidate.postprocessing
    lengths = (spec.outputs[0].shape[1] for spec in (reference, candidate))
    channels = next((length for length in lengths if isinstance(length, int)), None)
    return _made_up(first, second, channels)


def _made_up(first: AnyDecoder, second: Decoder, channels: int | None) -> MadeUp:
    """Yield outputs for two decoders, which are none if these are of different kinds."""
    return first.made_up(second, channels) if isinstance(second, type(first)) else iter(())


def _background(height: int, width: int, generator: np.random.Generator) -> Pixels:
    """Return a soft gradient with a little noise, so that no two pixels of a flat area tie."""
    corners = generator.integers(120, 230, (2, 2, 3)).astype(np.float32)
    smooth = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    noisy = smooth + generator.normal(0, 3, smooth.shape)
    background: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return background


def _draw_scene(height: int, width: int, seed: int, index: int) -> Pixels:
    """Draw words of several sizes in rows."""
    generator = np.random.default_rng((seed, index))
    image = _background(height, width, generator)
    y = 0
    while y < height - 40:
        y += int(generator.integers(40, 90))
        scale = float(generator.uniform(0.7, 1.6))
        colour = tuple(int(value) for value in generator.integers(0, 90, 3))
        for x in range(20, max(21, width - 200), 320):
            text = PHRASES[int(generator.integers(len(PHRASES)))]
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2, cv2.LINE_AA)
    return image


def _draw_word(height: int, width: int, seed: int, index: int) -> Pixels:
    """Draw one word that fills the image."""
    image = _background(height, width, np.random.default_rng((seed, index)))
    text = PHRASES[(seed + index) % len(PHRASES)]
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
    scale = min(0.9 * width / text_width, 0.6 * height / text_height)
    origin = (int(0.05 * width), int(0.75 * height))
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (20, 20, 20), 2, cv2.LINE_AA)
    return image
