"""Results drawn on images."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.artifacts import atomic_write
from ocrdeploy.errors import OutputError
from ocrdeploy.results import Detection, Recognition, Result

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

OUTLINE: Colour = (30, 30, 230)
HALO: Colour = (255, 255, 255)
"""Around the outline and its score, so that they stand out from every background."""
CAPTION_TEXT: Colour = (255, 255, 255)
CAPTION_BACKGROUND: Colour = (60, 60, 60)
CAPTION_HEIGHT = 28
FONT = cv2.FONT_HERSHEY_SIMPLEX
JPEG_QUALITY = 82
MIN_WORD_WIDTH = 320
"""Words are enlarged to this width, so that what is written beneath them can be read."""
MAX_ENLARGED_HEIGHT = 640
"""Words are not enlarged beyond this height."""
MAX_WORD_EDGE = 2**14
"""Longer words are drawn smaller."""


def draw_result(image: Pixels, result: Result, caption: str = "") -> Pixels:
    """Return a copy of an image with its result on it.

    Args:
        image: H×W×3 uint8 BGR.
        result: Polygons in pixels of the image, drawn as outlines with their scores; or a text, written beneath.
        caption: Written on a bar above the image, such as the backend's name; no bar where it is empty.
    """
    if isinstance(result, Recognition):
        drawn = _draw_text(image, result)
    else:
        drawn = image.copy()
        thickness = max(1, round(max(image.shape[:2]) / 640))
        for detection in result:
            corners = np.rint(detection.polygon).astype(np.int32)
            label, place = f"{detection.score:.2f}", (int(corners[:, 0].min()), int(corners[:, 1].min()) - 3)
            for colour, width in ((HALO, thickness + 2), (OUTLINE, thickness)):
                cv2.polylines(drawn, [corners], True, colour, width, cv2.LINE_AA)
                cv2.putText(drawn, label, place, FONT, 0.4 * max(1, thickness - 1), colour, width, cv2.LINE_AA)
    return captioned(drawn, caption) if caption else drawn


def captioned(image: Pixels, caption: str) -> Pixels:
    """Return an image, H×W×3 uint8 BGR, with a bar above it that holds a text."""
    return np.vstack([_bar(image.shape[1], caption), image])


def draw_outlines(image: Pixels, groups: Sequence[tuple[Sequence[Detection], Colour, int]]) -> Pixels:
    """Return a copy of an image with groups of polygons on it, each in a colour of its own.

    Args:
        image: H×W×3 uint8 BGR.
        groups: Polygons in pixels of the image, their colour in BGR, and the width of the outline in pixels. Later
            groups are drawn over earlier ones.
    """
    drawn = image.copy()
    for detections, colour, width in groups:
        corners = [np.rint(detection.polygon).astype(np.int32) for detection in detections]
        cv2.polylines(drawn, corners, True, HALO, width + 2, cv2.LINE_AA)
        cv2.polylines(drawn, corners, True, colour, width, cv2.LINE_AA)
    return drawn


def fit_within(image: Pixels, longest: int) -> Pixels:
    """Return an image whose longer edge is at most `longest` pixels, made smaller by averaging where it is larger."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def grey_map(values: NDArray[np.float32], longest: int) -> Pixels:
    """Return a map of numbers from 0 to 1, H×W, as a grey picture h×w×3 uint8 with at most `longest` pixels an edge."""
    grey = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(fit_within(grey, longest), cv2.COLOR_GRAY2BGR), np.uint8)


def heat_map(values: NDArray[np.float32], full: float, longest: int) -> Pixels:
    """Return a map of numbers, H×W, as colours from black (0) over violet and orange to light yellow (`full`).

    Args:
        values: Numbers of at least 0; those above `full` look like it.
        full: The number that gets the last colour.
        longest: Most pixels an edge. A smaller picture shows the largest of the numbers that share a pixel, so that
            none gets lost.

    Returns:
        h×w×3 uint8 BGR.
    """
    step = -(-max(values.shape) // longest)
    height, width = (-(-length // step) for length in values.shape)
    padded = np.zeros((height * step, width * step), np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    largest = padded.reshape(height, step, width, step).max(axis=(1, 3))
    share = np.clip(largest / full, 0, 1) if full > 0 else np.zeros_like(largest)
    return np.asarray(cv2.applyColorMap(np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), np.uint8)


def encode_image(image: Pixels, *, lossless: bool = False) -> bytes:
    """Return H×W×3 uint8 BGR as the bytes of a PNG file if `lossless`, else of a JPEG file."""
    if lossless:
        done, data = cv2.imencode(".png", image)
    else:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise OutputError(f"OpenCV cannot encode an image of shape {image.shape}")
    return data.tobytes()


def side_by_side(images: Sequence[Pixels]) -> Pixels:
    """Return images in a row, filled up with grey at the bottom to the tallest one's height."""
    height = max(image.shape[0] for image in images)
    filled = [
        cv2.copyMakeBorder(image, 0, height - image.shape[0], 0, 4, cv2.BORDER_CONSTANT, value=CAPTION_BACKGROUND)
        for image in images
    ]
    return np.hstack(filled)


def write_png(path: Path, image: Pixels) -> None:
    """Write H×W×3 uint8 BGR as a PNG file.

    Raises:
        OutputError: The file cannot be written.
    """
    data = encode_image(image, lossless=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def _draw_text(image: Pixels, result: Recognition) -> Pixels:
    """Return a word, enlarged, with its text and mean score on a bar beneath; a tall one is filled up at its right."""
    image = fit_within(image, MAX_WORD_EDGE)
    factor = max(1.0, min(MIN_WORD_WIDTH / image.shape[1], MAX_ENLARGED_HEIGHT / image.shape[0]))
    enlarged = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    missing = max(0, MIN_WORD_WIDTH - enlarged.shape[1])
    enlarged = cv2.copyMakeBorder(enlarged, 0, 0, 0, missing, cv2.BORDER_CONSTANT, value=CAPTION_BACKGROUND)
    mean = float(np.mean(result.char_scores)) if result.char_scores else 0.0
    return np.vstack([enlarged, _bar(enlarged.shape[1], f"{result.text}  {mean:.3f}")])


def _bar(width: int, text: str) -> Pixels:
    """Return a bar with text on it; characters that OpenCV's font lacks are shown as question marks."""
    bar = np.full((CAPTION_HEIGHT, width, 3), CAPTION_BACKGROUND, np.uint8)
    cv2.putText(bar, text, (8, CAPTION_HEIGHT - 9), FONT, 0.55, CAPTION_TEXT, 1, cv2.LINE_AA)
    return bar
