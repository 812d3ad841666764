"""Configs of MMOCR 1.x: the only place that knows their words."""
