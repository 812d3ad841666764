import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn import functional

from ocrdeploy.graphs.deformable import FIRST_OPSET, write_out_deform_conv
from ocrdeploy.layers.deformable_convolution import DeformableConv2d, deform_conv2d
from tests.support.deform_conv import needs_deform_conv

TOLERANCE = 1e-5
"""Of the largest magnitude: coordinates are scaled to -1 to 1 and back in float32."""


def make(stride: int = 1, groups: int = 1) -> DeformableConv2d:
    torch.manual_seed(0)
    layer = DeformableConv2d(4, 6, stride, groups).eval()
    # Offsets of a few pixels.
    torch.nn.init.normal_(layer.conv_offset.weight, std=0.5)
    return layer


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 9), (1, 1), (2, 1)])
def test_where_nothing_is_moved_it_is_a_convolution(stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    features, weight = torch.randn(2, 4, *size), torch.randn(6, 4, 3, 3)
    expected = functional.conv2d(features, weight, stride=stride, padding=1)
    offsets = torch.zeros(2, 18, *expected.shape[2:])
    factors = torch.ones(2, 9, *expected.shape[2:])
    torch.testing.assert_close(deform_conv2d(features, weight, offsets, factors, stride), expected, rtol=0, atol=1e-4)


def test_a_whole_offset_reads_the_pixel_beside() -> None:
    features, weight = torch.arange(20.0).reshape(1, 1, 4, 5), torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 1
    offsets, factors = torch.zeros(1, 18, 4, 5), torch.full((1, 9, 4, 5), 0.5)
    offsets[0, 8], offsets[0, 9] = 1, -2  # of the kernel's middle: one down, two to the left
    expected = torch.zeros(4, 5)
    expected[:3, 2:] = features[0, 0, 1:, :3] / 2
    torch.testing.assert_close(deform_conv2d(features, weight, offsets, factors, 1)[0, 0], expected)


@pytest.mark.parametrize(
    "opset", [16, 17, pytest.param(19, marks=needs_deform_conv), pytest.param(20, marks=needs_deform_conv)]
)
@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (2, 2)])
def test_graphs_compute_the_same_at_any_size(opset: int, stride: int, groups: int) -> None:
    layer = make(stride, groups)
    stream = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            layer,
            (torch.zeros(1, 4, 8, 8),),
            stream,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=opset,
            input_names=["input"],
            dynamic_axes={"input": {0: "batch", 2: "height", 3: "width"}},
        )
    model = onnx.load_model_from_string(stream.getvalue())
    assert [node.op_type for node in model.graph.node].count("DeformConv") == 1
    if opset < FIRST_OPSET:
        write_out_deform_conv(model)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for shape in ((2, 4, 12, 9), (1, 4, 1, 1), (3, 4, 2, 16)):
        features = torch.randn(shape)
        with torch.inference_mode():
            expected = layer(features).numpy()
        (output,) = session.run(None, {"input": features.numpy()})
        assert np.asarray(output).shape == expected.shape
        assert np.abs(np.asarray(output) - expected).max() <= TOLERANCE * np.abs(expected).max()
