"""The ONNX model that an engine is built from: its graph, and what is known of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocrdeploy.artifacts import METADATA_KEY, file_record, load_onnx, spec_from_metadata
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.descriptions.specs import spec_of_foreign_model
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import Dimension, FileRecord, ModelSpec
from ocrdeploy.spec_checks import check_spec

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True, eq=False)
class EngineSource:
    """An ONNX model.

    Attributes:
        record: Its file.
        model: Its graph, with its weights.
        input_name: Name of the one input.
        input_shape: The input's shape N×C×H×W; dynamic dimensions have names.
        spec: What is known of it; None for somebody else's model without a config.
    """

    record: FileRecord
    model: "onnx.ModelProto"
    input_name: str
    input_shape: tuple[Dimension, ...]
    spec: ModelSpec | None

    @property
    def is_static(self) -> bool:
        """Whether the model takes one input shape alone."""
        return all(isinstance(length, int) for length in self.input_shape)


def read_source(path: Path, config: ModelConfig | None) -> EngineSource:
    """Read an ONNX model.

    Args:
        path: The model.
        config: What the MMOCR config of a model that holds no spec says.

    Raises:
        ModelError: It is missing or broken, or has not one float32 input of four dimensions.
    """
    from ocrdeploy.graphs.inputs import normalize

    model = load_onnx(path)
    normalize(model)
    _load_external_weights(model, path)
    name, shape = _find_input(model, path)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    spec = None
    outputs = [(output.name, _shape(output)) for output in model.graph.output]
    if METADATA_KEY in metadata:
        spec = spec_from_metadata(metadata, path)
        check_spec(spec, path, (name, shape), outputs, "Export the model again.")
    elif config is not None:
        spec = spec_of_foreign_model(config, (name, shape), outputs)
    return EngineSource(file_record(path), model, name, shape, spec)


def _load_external_weights(model: "onnx.ModelProto", path: Path) -> None:
    """Read weights that lie in files beside the model."""
    import onnx

    outside = [tensor for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        for tensor in outside:
            # Older versions of ONNX do not see that a file is cut off.
            onnx.numpy_helper.to_array(tensor)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{path}: its weights cannot be read: {' '.join(str(error).split())}") from error


def _find_input(model: "onnx.ModelProto", path: Path) -> tuple[str, tuple[Dimension, ...]]:
    """Return name and shape of the one input."""
    import onnx

    inputs = list(model.graph.input)
    shapes = [_shape(value) for value in inputs]
    kinds = [value.type.tensor_type.elem_type for value in inputs]
    if len(inputs) != 1 or kinds[0] != onnx.TensorProto.FLOAT or len(shapes[0]) != 4:
        names = [onnx.TensorProto.DataType.Name(kind).lower() for kind in kinds]
        found = ", ".join(
            f"{value.name}: {kind} {list(shape)}" for value, kind, shape in zip(inputs, names, shapes, strict=True)
        )
        raise ModelError(
            f"{path}: one float32 input of four dimensions (N, C, H, W) was expected, got {found or 'none'}"
        )
    return inputs[0].name, shapes[0]


def _shape(value: "onnx.ValueInfoProto") -> tuple[Dimension, ...]:
    """Return a tensor's shape; dynamic dimensions without a name get one."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(each.dim_value or each.dim_param or f"dim_{index}" for index, each in enumerate(dimensions))
