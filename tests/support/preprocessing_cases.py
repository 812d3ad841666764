"""Images and pipelines on which this project's preprocessing is compared with MMOCR's.

Steps are written as a model spec has them in JSON; a step's missing fields have MMOCR's defaults. The six official
configs use `DETECTION` at four scales, and `RECOGNITION`.
"""

from typing import Any

Steps = list[dict[str, Any]]

SEED = 3
MEAN = [123.675, 116.28, 103.53]
STD = [58.395, 57.12, 57.375]

NORMALIZE: dict[str, Any] = {"type": "Normalize", "mean": MEAN, "std": STD}
UNIT: Steps = [
    {"type": "ToTensorOCR"},
    {"type": "NormalizeOCR", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
]
PAD_32: dict[str, Any] = {"type": "Pad", "size_divisor": 32}
GREY: dict[str, Any] = {"type": "LoadImageFromFile", "color_type": "grayscale"}
UPRIGHT: dict[str, Any] = {"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"}
COLOR: dict[str, Any] = {"type": "LoadImageFromFile"}


def detection(scale: list[int], **options: Any) -> Steps:
    """Return the test pipeline of MMOCR's detectors at a scale."""
    return [UPRIGHT, {"type": "Resize", "scale": scale, **options}, NORMALIZE, PAD_32]


def recognition(**options: Any) -> Steps:
    """Return the test pipeline of MMOCR's CRNN."""
    resize = {"type": "ResizeOCR", "height": 32, "min_width": 32, **options}
    return [GREY, resize, {"type": "Normalize", "mean": [127], "std": [127]}]


def colour_word(**options: Any) -> Steps:
    """Return the test pipeline of MMOCR's recognisers for colour images."""
    return [COLOR, {"type": "ResizeOCR", "height": 32, "min_width": 32, "max_width": 96, **options}, *UNIT]


CASES: dict[str, tuple[str, Steps]] = {
    "detection shrunk": ("scene.png", detection([120, 60])),
    "detection enlarged": ("scene.png", detection([110, 500])),
    "detection of its own size": ("scene.png", detection([120, 68])),
    "detection of an upright image": ("rotated.jpg", detection([90, 60])),
    "nearest": ("scene.png", detection([96, 64], interpolation="nearest")),
    "area": ("scene.png", detection([90, 40], interpolation="area")),
    "lanczos": ("scene.png", detection([90, 64], interpolation="lanczos")),
    "bicubic": ("scene.png", detection([90, 64], interpolation="bicubic")),
    "exact size": ("scene.png", detection([64, 96], keep_ratio=False)),
    "padded before normalisation": (
        "scene.png",
        [COLOR, {"type": "Resize", "scale": [90, 60]}, {"type": "Pad", "size": [60, 100], "pad_val": 114.0}, NORMALIZE],
    ),
    "padded with a number": (
        "scene.png",
        [COLOR, {"type": "Resize", "scale": [60, 60]}, NORMALIZE, {"type": "Pad", "size": [30, 70], "pad_val": 0.5}],
    ),
    "padded with numbers": (
        "scene.png",
        [
            COLOR,
            {"type": "Resize", "scale": [60, 60]},
            NORMALIZE,
            {"type": "Pad", "size_divisor": 16, "pad_val": [0.5, -0.25, 2.0]},
        ],
    ),
    "one mean for all channels, no swap": (
        "scene.png",
        [
            COLOR,
            {"type": "Resize", "scale": [60, 60]},
            {"type": "Normalize", "mean": [127], "std": [55], "to_rgb": False},
        ],
    ),
    "rgb from the start": (
        "scene.png",
        [{"type": "LoadImageFromFile", "channel_order": "rgb"}, {"type": "Resize", "scale": [60, 60]}, NORMALIZE],
    ),
    "rgb is not heard": (
        "scene.png",
        [{**UPRIGHT, "channel_order": "rgb"}, {"type": "Resize", "scale": [60, 60]}, NORMALIZE],
    ),
    "floating-point from the start": (
        "scene.png",
        [{"type": "LoadImageFromFile", "to_float32": True}, {"type": "Resize", "scale": [60, 60]}, NORMALIZE, PAD_32],
    ),
    "resized after normalisation": (
        "scene.png",
        [COLOR, NORMALIZE, {"type": "Resize", "scale": [60, 60]}, PAD_32],
    ),
    "word": ("word.png", recognition()),
    "narrow word": ("tall.png", recognition()),
    "word half a multiple too wide": ("word_40.png", recognition()),
    "word three halves of a multiple wide": ("word_24.png", recognition()),
    "word without multiples": ("word.png", recognition(width_downsample_ratio=1)),
    "word with thirds": ("word.png", recognition(width_downsample_ratio=0.3)),
    "word in colour, padded": ("word.png", colour_word(img_pad_value=127.5)),
    "word in colour, padded with numbers": ("word.png", colour_word(max_width=160, img_pad_value=[10, 20, 30])),
    "word too wide": ("scene.png", colour_word(max_width=40)),
    "word of the largest width": ("word_40.png", colour_word(max_width=48)),
    "word stretched": ("word.png", colour_word(keep_aspect_ratio=False)),
    "word padded with its edge": ("word.png", recognition(max_width=150, padding_mode="edge")),
    "word padded by reflection": ("word.png", recognition(max_width=250, padding_mode="reflect")),
    "word padded by symmetry": ("word.png", recognition(max_width=250, padding_mode="symmetric")),
    "grey word on the unit scale": (
        "word.png",
        [
            GREY,
            {"type": "ResizeOCR", "height": 32, "min_width": 32, "max_width": 100, "keep_aspect_ratio": False},
            {"type": "ToTensorOCR"},
            {"type": "NormalizeOCR", "mean": [0.5], "std": [0.5]},
        ],
    ),
    "unit scale after normalisation": ("word.png", [*recognition(), {"type": "ToTensorOCR"}]),
    "one unit mean for all channels": (
        "word.png",
        [COLOR, {"type": "ToTensorOCR"}, {"type": "NormalizeOCR", "mean": [0.5], "std": [0.25]}],
    ),
    "colour as it is": ("rotated.jpg", [COLOR]),
    "colour, not rotated": ("rotated.jpg", [UPRIGHT]),
    "grey": ("rotated.jpg", [GREY]),
    "grey, not rotated": ("rotated.jpg", [{**GREY, "color_type": "grayscale_ignore_orientation"}]),
    "transparent 16 bits in colour": ("alpha16.png", [COLOR]),
    "transparent 16 bits in grey": ("alpha16.png", [GREY]),
    "palette in colour": ("palette.png", [COLOR]),
    "palette in grey": ("palette.png", [GREY]),
    "grey file in colour": ("word_grey.png", [COLOR]),
    "inks in colour": ("cmyk.jpg", [COLOR]),
    "inks in grey": ("cmyk.jpg", [GREY]),
    "one pixel": ("pixel.png", detection([64, 32])),
    "one row": ("row.png", recognition(max_width=64)),
    "one column": ("column.png", recognition()),
}
"""Name to (image file, pipeline)."""
