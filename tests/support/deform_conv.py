"""Which ONNX Runtime computes ONNX's DeformConv."""

import onnxruntime
import pytest

needs_deform_conv = pytest.mark.skipif(
    tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 25),
    reason="ONNX Runtime computes DeformConv on the CPU from 1.25 on",
)
