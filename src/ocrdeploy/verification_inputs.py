"""What models are compared on: images that the user gives, those of the data set, or drawn ones; and seeded noise."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.images import to_color_type
from ocrdeploy.model_spec import LoadImageFromFile, ModelSpec, Pad, Resize, ResizeOCR
from ocrdeploy.preprocessing import Preprocessed, preprocess

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int, int]

SEED = 0
NOISE_SHAPES = {"det": ((1, 32, 320), (3, 160, 96), (2, 352, 64)), "recog": ((1, 32, 32), (3, 32, 160), (2, 32, 72))}
"""Batch, height, width of the noise that a dynamic model is compared on: small, odd and wide; several batch sizes."""

DRAWN_SIZES = {"det": ((720, 1280), (640, 640), (900, 500)), "recog": ((32, 100), (48, 160), (24, 200))}
"""Height and width of the drawn images."""

PHRASES = ("exit 12", "Rooms", "open", "SALE -50", "north", "hotel", "cafe", "2026")


def noise_batches(spec: ModelSpec) -> Iterator[NDArray[np.float32]]:
    """Yield batches of noise in every shape that matters, or in the one shape of a static model.

    They are N×C×H×W float32, standard normal like normalised images, and the same at every call.
    """
    generator = np.random.default_rng(SEED)
    channels = int(spec.input.shape[1])
    static = static_shape(spec)
    shapes = [static] if static else [(n, channels, h, w) for n, h, w in NOISE_SHAPES[spec.task]]
    for shape in shapes:
        yield generator.standard_normal(shape, dtype=np.float32)


def drawn_images(spec: ModelSpec) -> list[Pixels]:
    """Return images with text drawn on them, H×W×3 uint8 BGR, the same at every call.

    For a static model they have the size of its input.
    """
    static = static_shape(spec)
    sizes: Sequence[tuple[int, int]] = [static[2:]] if static else DRAWN_SIZES[spec.task]
    draw = _draw_scene if spec.task == "det" else _draw_word
    return [draw(height, width, index) for index, (height, width) in enumerate(sizes)]


def prepare_drawn(image: Pixels, spec: ModelSpec, static: Shape | None) -> Preprocessed:
    """Prepare a drawn image as the spec says, but for a static model, whose size it has, neither resize nor pad it."""
    steps = spec.preprocessing
    if static is not None:
        steps = tuple(step for step in steps if not isinstance(step, Resize | ResizeOCR | Pad))
    first = steps[0] if steps else None
    color_type = first.color_type if isinstance(first, LoadImageFromFile) else "color"
    return preprocess(to_color_type(image, color_type), steps)


def static_shape(spec: ModelSpec) -> Shape | None:
    """Return the shape of a static model's input, None for a dynamic one."""
    match spec.input.shape:
        case (int(n), int(c), int(h), int(w)):
            return n, c, h, w
    return None


def _background(height: int, width: int, seed: int) -> Pixels:
    """Return a soft gradient with a little noise, so that no two pixels of a flat area tie."""
    generator = np.random.default_rng(SEED + seed)
    corners = generator.integers(120, 230, (2, 2, 3)).astype(np.float32)
    smooth = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    noisy = smooth + generator.normal(0, 3, smooth.shape)
    background: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return background


def _draw_scene(height: int, width: int, seed: int) -> Pixels:
    """Draw words of several sizes in rows."""
    image = _background(height, width, seed)
    generator = np.random.default_rng(SEED + 100 + seed)
    y = 0
    while y < height - 40:
        y += int(generator.integers(40, 90))
        scale = float(generator.uniform(0.7, 1.6))
        colour = tuple(int(value) for value in generator.integers(0, 90, 3))
        for x in range(20, max(21, width - 200), 320):
            text = PHRASES[int(generator.integers(len(PHRASES)))]
            cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2, cv2.LINE_AA)
    return image


def _draw_word(height: int, width: int, seed: int) -> Pixels:
    """Draw one word that fills the image."""
    image = _background(height, width, seed)
    text = PHRASES[seed % len(PHRASES)]
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
    scale = min(0.9 * width / text_width, 0.6 * height / text_height)
    origin = (int(0.05 * width), int(0.75 * height))
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (20, 20, 20), 2, cv2.LINE_AA)
    return image
