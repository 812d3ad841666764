"""Drawn words of natural widths, for recognition."""

from pathlib import Path

import cv2
import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def draw_words(folder: Path, count: int) -> dict[Path, str]:
    """Write words of 2 to 14 characters, tightly cut, in heights from 20 to 60 pixels, and return files and texts."""
    generator = np.random.default_rng(0)
    words = {}
    for index in range(count):
        text = "".join(generator.choice(list(LETTERS), int(generator.integers(2, 15))))
        scale = float(generator.uniform(0.7, 2))
        (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
        image = np.full((height + base + 4, width + 8, 3), 220, np.uint8)
        cv2.putText(image, text, (4, height + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, (30, 30, 30), 2, cv2.LINE_AA)
        path = folder / f"word_{index}.png"
        cv2.imwrite(str(path), image)
        words[path] = text
    return words
