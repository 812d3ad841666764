"""A photo with what was read in it: the photo with outlines, and beside it the texts in their places."""

import functools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

Pixels = NDArray[np.uint8]
FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
FONT_NAMES = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc",
    "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "msyh.ttc", "simsun.ttc",
    "NotoSans-Regular.ttf", "DejaVuSans.ttf", "Arial.ttf", "arial.ttf",
)  # fmt: skip
"""Fonts that are looked for, those with Chinese, Japanese and Korean first."""
OUTLINE = (0, 150, 136)
INK = (20, 30, 40)
PAPER = (255, 255, 255)
PAPER_SHARE = 225
"""How much of the photo a text's background covers, of 255."""
FIT = 0.82
"""Height of a text's font over that of its box."""
MIN_FONT = 8


def draw_page(image: Pixels, words: Iterable[tuple[NDArray[np.float64], str]]) -> Pixels:
    """Return a photo with outlines around its words, and beside it the photo with their texts in their places.

    Args:
        image: H×W×3 uint8 BGR.
        words: The corners of each, shape (K, 2) as (x, y) in pixels of the photo, and its text.

    Returns:
        H×(2·W)×3 uint8 BGR. Characters that no font of this machine has are boxes.
    """
    from PIL import Image, ImageDraw

    left = Image.fromarray(image[..., ::-1])
    right = left.convert("RGBA")
    layer = Image.new("RGBA", right.size)
    outlines, paper = ImageDraw.Draw(left), ImageDraw.Draw(layer)
    width = max(1, round(max(image.shape[:2]) / 500))
    placed = [([tuple(point) for point in polygon.tolist()], text) for polygon, text in words]
    for corners, _ in placed:
        outlines.line([*corners, corners[0]], fill=OUTLINE, width=width, joint="curve")
        paper.polygon(corners, fill=(*PAPER, PAPER_SHARE), outline=(*OUTLINE, 255))
    for corners, text in placed:
        _write(paper, corners, text)
    right.alpha_composite(layer)
    both = np.hstack([np.asarray(left), np.asarray(right.convert("RGB"))])
    return np.ascontiguousarray(both[..., ::-1])


def _write(draw: "ImageDraw.ImageDraw", corners: Sequence[tuple[float, ...]], text: str) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Write a text into a box, as large as it fits; along its longer side where that stands upright."""
    xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
    box = max(xs) - min(xs), max(ys) - min(ys)
    size = max(MIN_FONT, int(min(box) * FIT) if box[0] >= box[1] else int(box[0] * FIT))
    font = font_of(size)
    length = draw.textlength(text, font=font)
    if length > box[0] > 0:
        font = font_of(max(MIN_FONT, int(size * box[0] / length)))
    middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    draw.text(middle, text, fill=(*INK, 255), font=font, anchor="mm")


@functools.lru_cache(maxsize=64)
def font_of(size: int) -> "FreeTypeFont | ImageFont":
    """Return a font of a size in pixels: the first of the known ones that this machine has, else Pillow's own."""
    from PIL import ImageFont

    path = _font_file()
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


@functools.lru_cache(maxsize=1)
def _font_file() -> str | None:
    """Return the file of the first known font that is installed."""
    found: dict[str, str] = {}
    for folder in (*FONT_FOLDERS, str(Path.home() / ".fonts"), str(Path.home() / ".local/share/fonts")):
        for place, _, files in os.walk(folder):
            found |= {name: str(Path(place) / name) for name in files if name in FONT_NAMES and name not in found}
    return next((found[name] for name in FONT_NAMES if name in found), None)
