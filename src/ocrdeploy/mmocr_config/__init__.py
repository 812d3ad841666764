"""MMOCR's configs and checkpoints: the only place that knows their dialect."""
