"""The ONNX model that an engine is built from: its graph, and what is known of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocrdeploy.artifacts import file_record, load_onnx
from ocrdeploy.descriptions.loading import ModelConfig
from ocrdeploy.descriptions.model_files import spec_of_onnx
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import FileRecord, ModelSpec
from ocrdeploy.onnx_file import GraphTensor, network_inputs, read_onnx_facts

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True, eq=False)
class EngineSource:
    """An ONNX model.

    Attributes:
        record: Its file.
        weights: The files beside it that hold weights of it.
        model: Its graph, with its weights.
        inputs: Its inputs, the images N×C×H×W first; dynamic dimensions have names.
        precision: Number format that its graph computes in.
        spec: What is known of it; None for somebody else's model without a config.
    """

    record: FileRecord
    weights: tuple[FileRecord, ...]
    model: "onnx.ModelProto"
    inputs: tuple[GraphTensor, ...]
    precision: str
    spec: ModelSpec | None

    @property
    def is_static(self) -> bool:
        """Whether the model takes images of one shape alone."""
        return all(isinstance(length, int) for length in self.inputs[0].shape)


def read_source(path: Path, config: ModelConfig | None) -> EngineSource:
    """Read an ONNX model.

    Args:
        path: The model.
        config: What the MMOCR config of a model that holds no spec says.

    Raises:
        ModelError: It is missing or broken, or its inputs are none that networks here have.
    """
    from ocrdeploy.graphs.inputs import normalize

    model = load_onnx(path)
    normalize(model)
    _load_external_weights(model, path)
    facts = read_onnx_facts(path)
    weights = tuple(file_record(path.parent / name) for name in facts.external)
    inputs, spec = network_inputs(facts.inputs, path), spec_of_onnx(facts, path, config)
    return EngineSource(file_record(path), weights, model, inputs, facts.precision, spec)


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
