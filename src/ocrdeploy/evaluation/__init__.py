"""Accuracy and speed on labelled data: which models, on which data, by which metrics, and what passes."""
