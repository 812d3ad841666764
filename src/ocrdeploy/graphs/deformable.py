"""Deformable convolutions of ONNX graphs, written out for those who do not know `DeformConv`.

That operator is there from opset 19 on, ONNX Runtime computes it on the CPU, and TensorRT's parser refuses it.
`GridSample`, which opset 16 brought, is known to all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ocrdeploy.errors import ModelError

from .float16 import replace_nodes
from .inputs import ONNX_DOMAINS, opsets
from .nodes import FreeNames

OPERATOR = "DeformConv"
FIRST_OPSET = 19
"""Of ONNX's DeformConv."""
FIRST_OPSET_OF_SAMPLES = 16
"""Of GridSample."""
OPSET_OF_LINEAR = 20
"""From this opset on GridSample calls bilinear interpolation `linear`."""


def write_out_deform_conv(model: ModelProto) -> int:
    """Write each DeformConv as GridSample, a product and a Conv.

    A sample is taken for each pixel of the kernel, side by side, so that a convolution whose kernel is one pixel high,
    and as wide as its stride, sums them up. The new nodes are in the scope of the old one, and the last has its name.
    Coordinates are computed in float32.

    Args:
        model: The model; changed.

    Returns:
        How many there were.

    Raises:
        ModelError: The model's opset is older than 16; or a DeformConv has no two spatial dimensions, or weights that
            are not constant.
    """
    nodes = [node for node in model.graph.node if _is_deform_conv(node)]
    if not nodes:
        return 0
    opset = opsets(model).get("", 1)
    if opset < FIRST_OPSET_OF_SAMPLES:
        raise ModelError(
            f"deformable convolutions need opset {FIRST_OPSET_OF_SAMPLES} or newer, and the model has opset {opset}",
            "Export it with --opset 17.",
        )
    writer = _Writer(model, opset)
    written: list[NodeProto] = []
    for node in model.graph.node:
        written += writer.write_out(node) if _is_deform_conv(node) else [node]
    replace_nodes(model, written)
    return len(nodes)


def _is_deform_conv(node: NodeProto) -> bool:
    return node.op_type == OPERATOR and node.domain in ONNX_DOMAINS


@dataclass(frozen=True, slots=True)
class _Kernel:
    """What a DeformConv's attributes say, of two spatial dimensions, and the weights.

    Attributes:
        weight: out×(C/group)×height×width.
        strides: Downwards, and to the right; as are the next two.
        pads: Before the first row and column.
        dilations: Between pixels of the kernel.
        group: Groups of channels that the convolution has.
        offset_group: Groups of channels with offsets of their own.
    """

    weight: NDArray[np.floating]
    strides: tuple[int, int]
    pads: tuple[int, int]
    dilations: tuple[int, int]
    group: int
    offset_group: int

    @property
    def taps(self) -> int:
        """How many pixels the kernel reads."""
        return int(self.weight.shape[2] * self.weight.shape[3])

    def places(self) -> NDArray[np.float32]:
        """Return where the kernel's pixels are before they are moved, (x, y) from the first pixel it is over."""
        y, x = np.mgrid[: self.weight.shape[2], : self.weight.shape[3]]
        rows = y.ravel() * self.dilations[0] - self.pads[0]
        columns = x.ravel() * self.dilations[1] - self.pads[1]
        return np.stack((columns, rows), axis=1).astype(np.float32)


def _read_kernel(node: NodeProto, constants: dict[str, TensorProto]) -> _Kernel:
    """Read a DeformConv's attributes and weights."""
    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    stored = constants.get(node.input[1])
    if stored is None or len(stored.dims) != 4 or stored.data_type != TensorProto.FLOAT:
        raise ModelError(
            f"{node.name or node.output[0]}: a DeformConv with constant float32 weights of four dimensions was expected"
        )
    weight = numpy_helper.to_array(stored)
    strides, dilations = values.get("strides", [1, 1]), values.get("dilations", [1, 1])
    pads = values.get("pads", [0, 0, 0, 0])
    return _Kernel(
        weight,
        (strides[0], strides[1]),
        (pads[0], pads[1]),
        (dilations[0], dilations[1]),
        values.get("group", 1),
        values.get("offset_group", 1),
    )


class _Writer:
    """Writes nodes of one model in the place of its deformable convolutions."""

    def __init__(self, model: ModelProto, opset: int) -> None:
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._mode = "linear" if opset >= OPSET_OF_LINEAR else "bilinear"
        self._free = FreeNames(model)
        self._nodes: list[NodeProto] = []
        self._stored: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._scope = ""

    def write_out(self, node: NodeProto) -> list[NodeProto]:
        """Return the nodes that compute what a DeformConv does."""
        kernel = _read_kernel(node, self._constants)
        features, _, offsets, bias, factors = (*node.input, "", "")[:5]
        self._scope, self._nodes = node.name or node.output[0], []
        places, halves = self._places(offsets, kernel), self._half_size(features)
        channels = kernel.weight.shape[1] * kernel.group
        parts = (
            self._split(features, channels, kernel.offset_group),
            self._split(offsets, kernel.offset_group * kernel.taps * 2, kernel.offset_group),
            self._split(factors, kernel.offset_group * kernel.taps, kernel.offset_group),
        )
        sampled = [
            self._sampled(part, self._grid(moved, places, halves, kernel), weighed)
            for part, moved, weighed in zip(*parts, strict=True)
        ]
        joined = sampled[0] if len(sampled) == 1 else self._add("Concat", "samples", sampled, axis=1)
        weight = kernel.weight.reshape(*kernel.weight.shape[:2], 1, kernel.taps)
        last = helper.make_node(
            "Conv",
            [joined, self._constant("weight", weight), *([bias] if bias else [])],
            [node.output[0]],
            name=node.name,
            kernel_shape=[1, kernel.taps],
            strides=[1, kernel.taps],
            group=kernel.group,
        )
        return [*self._nodes, last]

    def _places(self, offsets: str, kernel: _Kernel) -> str:
        """Return the centres of the pixels that are read where nothing is moved, H'×W'×taps×2, as (x, y)."""
        shape = self._add("Shape", "shape of offsets", [offsets])
        lengths = []
        for axis, (direction, stride) in enumerate(zip("yx", kernel.strides, strict=True)):
            index = self._constant(f"axis of {direction}", np.array(axis + 2))
            end = self._add("Gather", f"length of {direction}", [shape, index])
            ends = (self._constant("zero", np.array(0)), end, self._constant("one", np.array(1)))
            counted = self._add("Range", f"steps of {direction}", ends)
            steps = self._add("Cast", f"{direction} of steps", [counted], to=TensorProto.FLOAT)
            outer = self._constant(f"shape of {direction}", np.array([-1, *[1] * (3 - axis)]))
            column = self._add("Reshape", f"column of {direction}", [steps, outer])
            width = np.array((stride * axis, stride * (1 - axis)), np.float32)
            lengths.append(self._add("Mul", f"{direction} of kernels", [column, self._constant("stride", width)]))
        # The centre of a pixel is half a pixel from its edge.
        taps = self._constant("kernel", kernel.places() + np.float32(0.5))
        return self._add("Add", "places", [self._add("Add", "kernels", lengths), taps])

    def _half_size(self, features: str) -> str:
        """Return half of the width and of the height of features."""
        shape = self._add("Shape", "shape", [features])
        size = self._add("Gather", "size", [shape, self._constant("axes", np.array([3, 2]))])
        wide = self._add("Cast", "size in float", [size], to=TensorProto.FLOAT)
        return self._add("Mul", "half size", [wide, self._constant("half", np.array(0.5, np.float32))])

    def _split(self, value: str, channels: int, groups: int) -> list[str]:
        """Return the groups of channels of a value."""
        if groups == 1 or not value:
            return [value] * groups
        lengths = self._constant("group", np.full(groups, channels // groups))
        outputs = [self._free.take(f"{self._scope}/group") for _ in range(groups)]
        self._nodes.append(helper.make_node("Split", [value, lengths], outputs, name=outputs[0], axis=1))
        return outputs

    def _grid(self, offsets: str, places: str, halves: str, kernel: _Kernel) -> str:
        """Return where samples are taken, N×H'×(W'·taps)×2, as (x, y) from -1 to 1 between the edges of features."""
        swapped = np.arange(kernel.taps * 2).reshape(-1, 2)[:, ::-1].ravel()
        turned = self._add("Gather", "x and y", [offsets, self._constant("x before y", swapped)], axis=1)
        last = self._add("Transpose", "channels last", [turned], perm=[0, 2, 3, 1])
        pairs = self._constant("pairs", np.array([0, 0, 0, kernel.taps, 2]))
        moved = self._add("Add", "moved places", [self._add("Reshape", "offsets", [last, pairs]), places])
        shares = self._add("Div", "shares", [moved, halves])
        centred = self._add("Sub", "centred", [shares, self._constant("middle", np.array(1, np.float32))])
        return self._add("Reshape", "grid", [centred, self._constant("side by side", np.array([0, 0, -1, 2]))])

    def _sampled(self, features: str, grid: str, factors: str) -> str:
        """Return the samples of features, each multiplied by its factor, N×C×H'×(W'·taps)."""
        modes = {"mode": self._mode, "padding_mode": "zeros", "align_corners": 0}
        samples = self._add("GridSample", "GridSample", [features, grid], **modes)
        if not factors:
            return samples
        last = self._add("Transpose", "factors last", [factors], perm=[0, 2, 3, 1])
        deep = self._add("Unsqueeze", "factors", [last, self._constant("one channel", np.array([1]))])
        row = self._add("Reshape", "factors in a row", [deep, self._constant("in a row", np.array([0, 0, 0, -1]))])
        return self._add("Mul", "weighed", [samples, row])

    def _add(self, operator: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; return its output, which has its name."""
        output = self._free.take(f"{self._scope}/{name}")
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        """Return the name of an initializer, of which equal ones are one."""
        key = (str(value.dtype), value.shape, value.tobytes())
        if key not in self._stored:
            self._stored[key] = self._free.take(f"{self._scope}/{name}")
            self._graph.initializer.append(numpy_helper.from_array(value, self._stored[key]))
        return self._stored[key]
