"""What a TensorRT engine is, as data: the sidecar that lies beside its plan."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from ocrdeploy.spec_part import SpecPart
from ocrdeploy.tensors import Dimension, shape_text

from .spec import FileRecord, ModelSpec, Precision

ENGINE_SCHEMA_VERSION = 1
"""Raised when a reader of the old version would misunderstand the new one."""

TensorRTFlavour = Literal["tensorrt", "tensorrt-rtx"]
Shape = tuple[int, int, int, int]


class ShapeProfile(SpecPart, frozen=True):
    """The shapes N×C×H×W of the images that an engine takes: all between `min` and `max`; it is fastest at `opt`.

    Other inputs have an entry an image, so that their shapes follow.
    """

    min: Shape
    opt: Shape
    max: Shape

    def __post_init__(self) -> None:
        """Refuse shapes that are empty or out of order."""
        for least, best, most in zip(self.min, self.opt, self.max, strict=True):
            if not 1 <= least <= best <= most:
                raise ValueError(f"a profile has 1 <= min <= opt <= max in every dimension, got {self.text}")

    def holds(self, shape: tuple[int, ...]) -> bool:
        """Return whether a shape lies between `min` and `max`."""
        return len(shape) == len(self.min) and all(
            least <= length <= most for least, length, most in zip(self.min, shape, self.max, strict=True)
        )

    def shapes_of(self, shape: Sequence[Dimension]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Return the smallest, best and largest shape of an input: of the images, or of one with an entry an image."""
        if len(shape) == len(self.min):
            return self.min, self.opt, self.max
        lengths = [length for length in shape[1:] if isinstance(length, int)]
        least, best, most = ((images[0], *lengths) for images in (self.min, self.opt, self.max))
        return least, best, most

    @property
    def text(self) -> str:
        """The profile in words."""
        if self.min == self.max:
            return shape_text(self.min)
        return f"{shape_text(self.min)} to {shape_text(self.max)}, fastest at {shape_text(self.opt)}"


class EngineRecord(SpecPart, frozen=True):
    """The sidecar of an engine.

    Attributes:
        schema: Version of this document's layout.
        plan_sha256: SHA-256 of the plan.
        onnx: The ONNX model that the engine was built from.
        weights: The files beside it that held weights of it.
        runtime: TensorRT, or TensorRT for RTX.
        version: Version of the library that built the plan, the only one that is sure to run it.
        gpu_architectures: The architectures it was built for, such as `sm86`.
        precision: Number format of the network's inner tensors; input and outputs are float32.
        tf32: Whether float32 layers may compute with TF32, which has the 11 bits of float16.
        profiles: Input shapes. That of a static model has three equal ones.
        plugins: Libraries with plugins that the network needs.
        rebuild: The command that builds the engine again, without the GPU architectures.
        spec: What the model takes, gives and means; None where the ONNX model did not say.
    """

    schema: int
    plan_sha256: str
    onnx: FileRecord
    runtime: TensorRTFlavour
    version: str
    gpu_architectures: tuple[str, ...]
    precision: Precision
    profiles: tuple[ShapeProfile, ...]
    rebuild: str
    plugins: tuple[FileRecord, ...] = ()
    weights: tuple[FileRecord, ...] = ()
    spec: ModelSpec | None = None
    tf32: bool = False
    tools: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an engine for nothing."""
        if not self.profiles or not self.gpu_architectures:
            raise ValueError("an engine has at least one profile and one GPU architecture")
