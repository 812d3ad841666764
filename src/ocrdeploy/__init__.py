"""Run OCR models trained with MMOCR in production: export, verify, evaluate, predict."""

__version__ = "0.1.0"
