"""Configs of MMOCR 0.x: the only place that knows their words."""
