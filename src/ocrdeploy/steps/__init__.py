"""Pre-processing: from the pixels of an image to the network's input tensor, by steps that are data and can act."""

from .frame import Frame
from .mmocr0 import LoadImageFromFile, Normalize, Pad, Resize
from .mmocr0_words import NormalizeOCR, ResizeOCR, ToTensorOCR
from .mmocr1 import PadToWidth, RescaleToHeight, RescaleToShortSide
from .pipeline import (
    Preprocessed,
    Step,
    check_steps,
    color_type_of,
    fixed_height,
    output_size,
    preprocess,
    size_multiple,
    turns_upright,
    typical_size,
)
from .ppocr import FitSides, FrameImage, NormalizeImage, ResizeWord
from .step import ColorType, is_grayscale

__all__ = [
    "ColorType",
    "FitSides",
    "Frame",
    "FrameImage",
    "LoadImageFromFile",
    "Normalize",
    "NormalizeImage",
    "NormalizeOCR",
    "Pad",
    "PadToWidth",
    "Preprocessed",
    "RescaleToHeight",
    "RescaleToShortSide",
    "Resize",
    "ResizeOCR",
    "ResizeWord",
    "Step",
    "ToTensorOCR",
    "check_steps",
    "color_type_of",
    "fixed_height",
    "is_grayscale",
    "output_size",
    "preprocess",
    "size_multiple",
    "turns_upright",
    "typical_size",
]
