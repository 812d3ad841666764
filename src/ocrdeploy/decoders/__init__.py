"""Post-processing: from the raw outputs of a network to polygons or text."""

from .attention import AttentionPostprocessor
from .ctc import CTCConvertor
from .db import DBPostprocessor
from .decoder import Outputs, TextRepr
from .fcenet import FCEPostprocessor
from .orientation import OrientationPostprocessor
from .pan import PANPostprocessor
from .ppocr import PPOCRPostprocessor
from .pse import PSEPostprocessor
from .textsnake import TextSnakePostprocessor

__all__ = [
    "AttentionPostprocessor",
    "CTCConvertor",
    "DBPostprocessor",
    "Decoder",
    "FCEPostprocessor",
    "OrientationPostprocessor",
    "Outputs",
    "PANPostprocessor",
    "PPOCRPostprocessor",
    "PSEPostprocessor",
    "TextDecoder",
    "TextRepr",
    "TextSnakePostprocessor",
]

TextDecoder = CTCConvertor | AttentionPostprocessor
"""Decoders of recognisers: each has a dictionary, and `reads` what its network gives."""
Decoder = (
    DBPostprocessor
    | PSEPostprocessor
    | PANPostprocessor
    | FCEPostprocessor
    | TextSnakePostprocessor
    | PPOCRPostprocessor
    | TextDecoder
    | OrientationPostprocessor
)
