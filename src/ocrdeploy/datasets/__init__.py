"""Data sets: annotation files to samples. No image is decoded here."""

from .data_argument import read_data_argument
from .icdar import read_icdar_dataset
from .icdar_gt_folder import read_icdar_gt_folder
from .ocr import read_ocr_dataset
from .reading import read_dataset
from .samples import (
    BrokenSample,
    DetectionTruth,
    ImageFile,
    ImageSource,
    Item,
    LmdbImage,
    Sample,
    Samples,
    read_bytes,
    require_whole,
)
from .text_det import read_text_det_dataset
from .word_list import read_word_list

__all__ = [
    "BrokenSample",
    "DetectionTruth",
    "ImageFile",
    "ImageSource",
    "Item",
    "LmdbImage",
    "Sample",
    "Samples",
    "read_bytes",
    "read_data_argument",
    "read_dataset",
    "read_icdar_dataset",
    "read_icdar_gt_folder",
    "read_ocr_dataset",
    "read_text_det_dataset",
    "read_word_list",
    "require_whole",
]
