"""All that a model's file says of itself, as one document."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from ocrdeploy.artifacts import METADATA_KEY, load_onnx, sha256_of
from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.errors import UsageError
from ocrdeploy.model_spec import EngineRecord, ModelSpec
from ocrdeploy.onnx_file import GraphTensor
from ocrdeploy.running.sources import ModelSource
from ocrdeploy.tensors import TensorSpec

SHOWN_CHARACTERS = 40
"""How many characters of a dictionary are shown."""


def model_facts(path: Path) -> dict[str, Any]:
    """Return what an ONNX model or an engine says of itself; no network is run.

    Returns:
        `model`, `bytes`, `sha256`, `kind` (`onnx` or `engine`), and what is known beside: `spec` with the parts of the
        model spec, `inputs`, `outputs`, `operators`, `opset`, `producer`, `metadata`, `external` of an ONNX model,
        `engine` of an engine. `adopt` tells, for a model that holds no spec, which line gives it one.

    Raises:
        ModelError: The file is missing or broken.
        UsageError: It is a checkpoint.
    """
    source = ModelSource(path)
    if source.is_checkpoint:
        raise UsageError(f"{path} is a checkpoint, which holds weights alone", "Export it, and inspect the model.")
    document: dict[str, Any] = {"model": str(path), "kind": "engine" if source.backend == "tensorrt" else "onnx"}
    if source.is_engine:
        document |= {"engine": _engine(source.record)}
    else:
        document |= _graph(source)
    spec = source.own_spec
    document |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    if spec is not None:
        document["spec"] = _spec(spec)
    elif source.is_onnx:
        document["adopt"] = _adopt_line(source)
    return document


def _spec(spec: ModelSpec) -> dict[str, Any]:
    """Return a spec's parts, without its dictionary's characters, which are counted and begun."""
    values: dict[str, Any] = msgspec.to_builtins(spec)
    decoder = spec.postprocessing
    if isinstance(decoder, CTCConvertor):
        values["postprocessing"]["dictionary"] = {
            "classes": len(decoder.dictionary),
            "begins": list(decoder.dictionary[:SHOWN_CHARACTERS]),
        }
    return values


def _graph(source: ModelSource) -> dict[str, Any]:
    """Return what the graph of an ONNX model is made of."""
    model = load_onnx(source.path)
    counts = Counter(node.op_type for node in model.graph.node)
    return {
        "inputs": [_tensor(each) for each in source.facts.inputs],
        "outputs": [_tensor(each) for each in source.facts.outputs],
        "precision": source.facts.precision,
        "operators": dict(counts.most_common()),
        "opset": {opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        "producer": " ".join(part for part in (model.producer_name, model.producer_version) if part),
        "metadata": {key: len(value) for key, value in source.facts.metadata.items() if key != METADATA_KEY},
        "external": list(source.facts.external),
    }


def _tensor(tensor: GraphTensor | TensorSpec) -> dict[str, Any]:
    """Return name, shape and type of a tensor."""
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def _engine(record: EngineRecord) -> dict[str, Any]:
    """Return what an engine's sidecar says beside the spec."""
    values: dict[str, Any] = msgspec.to_builtins(record)
    values.pop("spec")
    return values


def _adopt_line(source: ModelSource) -> str:
    """Return the command that gives a model a spec, as far as its file and what lies beside it tell."""
    from ocrdeploy.adopting import adopt_line

    return adopt_line(source.path, source.facts)
