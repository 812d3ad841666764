"""What a family of networks is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from ocrdeploy.dialects.outline import Dialect, NetworkParts
from ocrdeploy.model_spec import Dimension, ExportOptions, Task, TensorSpec
from ocrdeploy.tensors import VALID_RATIO

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[Dimension, ...]
Tensors = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]
"""The inputs of a network, the images first, and its outputs; in the order in which its `forward` has them."""
Option = Literal["upsample", "all_outputs", "decode_in_graph"]

Settings = TypeVar("Settings")

AS_TRAINED = ExportOptions(opset=0, dynamic=True)
"""The options of a network that is not exported: MMOCR's own upsampling, and the outputs that decoding reads."""


@dataclass(frozen=True, slots=True)
class Family(Generic[Settings]):
    """A family of networks: all that the rest of the package needs to know of it.

    Attributes:
        name: What it is called; its room is called so in lower case.
        names: What configs of each dialect call it, which is the `architecture` of its specs.
        task: Text detection or recognition.
        read: Reads the settings of a network from the parts of a config's model, and takes all of them.
        tensors: Tells inputs and outputs of a network under some options, for the one shape of a static model's images,
            or for a dynamic one with None.
        build: Makes the network under some options, with random weights; imports PyTorch.
        size_multiple: Heights and widths of its input are multiples of it.
        options: The options of an export that change its network.
        prefixes1: How keys of MMOCR 1.x's checkpoints begin that are named otherwise here, and how they begin here.
            Heads of detectors have other names in all families, and are not listed.
    """

    name: str
    names: Mapping[Dialect, str]
    task: Task
    read: Callable[[NetworkParts], Settings]
    tensors: Callable[[Settings, ExportOptions, Shape | None], Tensors]
    build: Callable[[Settings, ExportOptions], "nn.Module"]
    size_multiple: int = 1
    options: tuple[Option, ...] = ()
    prefixes1: tuple[tuple[str, str], ...] = ()


def image_input(
    dynamic: Shape, static: Shape | None, multiple_of: int = 1, least_width: int | None = None
) -> TensorSpec:
    """Return the input of a network: the shape N×C×H×W of a static model, or else the dynamic one."""
    shape = dynamic if static is None else static
    meaning = "image after the pre-processing"
    return TensorSpec("input", shape, meaning, multiple_of=multiple_of, least_width=least_width)


def valid_ratio_input(batch: Dimension) -> TensorSpec:
    """Return the second input of a network that masks the padding beside a word, N float32 in (0, 1]."""
    return TensorSpec(VALID_RATIO, (batch,), "part of the image's width that is word, the rest being padding")


def scaled(length: Dimension, divisor: int) -> Dimension:
    """Return the length of a map, whose input has a length that is a multiple of the divisor."""
    return length // divisor if isinstance(length, int) else f"map_{length}"
