"""The test pipeline of a config in NumPy and OpenCV: from the pixels of an image to the network's input tensor."""

from .pipeline import Preprocessed, check_steps, output_size, preprocess

__all__ = ["Preprocessed", "check_steps", "output_size", "preprocess"]
