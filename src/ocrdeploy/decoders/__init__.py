"""Post-processing: from the raw outputs of a network to polygons (DB, PSE, PAN) or text (CTC), equal to MMOCR's."""

from .ctc import CTCConvertor
from .db import DBPostprocessor
from .decoder import Outputs, TextRepr
from .orientation import OrientationPostprocessor
from .pan import PANPostprocessor
from .ppocr import PPOCRPostprocessor
from .pse import PSEPostprocessor

__all__ = [
    "CTCConvertor",
    "DBPostprocessor",
    "Decoder",
    "OrientationPostprocessor",
    "Outputs",
    "PANPostprocessor",
    "PPOCRPostprocessor",
    "PSEPostprocessor",
    "TextRepr",
]

Decoder = (
    DBPostprocessor | PSEPostprocessor | PANPostprocessor | PPOCRPostprocessor | CTCConvertor | OrientationPostprocessor
)
