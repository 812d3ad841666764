"""The spec of a model's file: the one that it holds, compared with a config that is named, or the config's instead."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ocrdeploy.artifacts import METADATA_KEY, spec_from_metadata
from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.model_spec import ExportOptions, ModelSpec, TensorSpec, shape_text
from ocrdeploy.onnx_file import GraphTensor, OnnxFacts, network_inputs
from ocrdeploy.spec_checks import check_precision, check_spec
from ocrdeploy.spec_differences import decoder_differences, pipeline_differences
from ocrdeploy.tensors import agree

if TYPE_CHECKING:
    from .loading import ModelConfig


def spec_of_onnx(
    facts: OnnxFacts, path: Path, config: "ModelConfig | None", *, compare: bool = True
) -> ModelSpec | None:
    """Return the spec of an ONNX model.

    Args:
        facts: What the file says of itself.
        path: The file, for messages.
        config: An MMOCR config that was named: it stands in for a spec that the model does not hold.
        compare: Refuse a config that says otherwise than a spec that the model holds.

    Returns:
        The spec; None where the model holds none and there is no config.

    Raises:
        ModelError: The spec is broken or contradicts the graph, or the graph is none of the config's network.
        InputError: The config says otherwise than the spec.
    """
    inputs = network_inputs(facts.inputs, path)
    if METADATA_KEY not in facts.metadata:
        return None if config is None else spec_of_foreign_model(config, path, inputs, facts.outputs)
    spec = spec_from_metadata(facts.metadata, path)
    check_spec(spec, path, inputs, facts.outputs, "Export the model again.")
    check_precision(spec, path, facts.precision)
    if config is not None and compare:
        check_config(config, spec, path)
    return spec


def check_config(config: "ModelConfig", spec: ModelSpec, path: Path) -> None:
    """Refuse a config whose pre- or post-processing is not that of a model which holds a spec.

    What the export's own options changed is no difference.

    Raises:
        ConfigError: It is of another task.
        UsageError: Settings differ.
    """
    from ocrdeploy.dialects.outline import check_task

    from .specs import build_spec

    check_task(config, spec.task)
    own = build_spec(config, export=spec.export)
    names = config.record.path, str(path)
    differences = pipeline_differences(own, spec, names) + decoder_differences(own, spec, names)
    if differences:
        raise UsageError(
            f"the config is not the one that the model was exported with: {'; '.join(differences)}",
            "Export the model again, or leave out --config.",
        )


def spec_of_foreign_model(
    config: "ModelConfig", path: Path, inputs: Sequence[GraphTensor], outputs: Sequence[GraphTensor]
) -> ModelSpec:
    """Return the spec of a model that holds none: names are the graph's, all else is the config's.

    MMOCR's own script exports all three of DBNet's maps; and a graph may have CTC's softmax and argmax in it, as
    `--decode-in-graph` makes it.

    Args:
        config: What the config says.
        path: The model, for messages.
        inputs: The graph's inputs, the images first.
        outputs: Its outputs.

    Raises:
        ModelError: Input or outputs are none that the config's network has.
    """
    expected = config.tensors(None)[0]
    image = inputs[0]
    fits = len(inputs) == len(expected) and all(
        agree(wanted.shape, tensor.shape)
        and tensor.dtype in ("", wanted.dtype)
        and tensor.name in (image.name, wanted.name)
        for wanted, tensor in zip(expected, inputs, strict=True)
    )
    if not fits:
        named = [msgspec.structs.replace(expected[0], name=image.name), *expected[1:]]
        raise _does_not_fit(config, path, "takes", inputs, named)
    from .specs import build_spec

    plain, *others = [
        build_spec(config, export=options, static_shape=image.shape or None) for options in _variants(config)
    ]
    for spec in (plain, *others):
        if _fits(spec, outputs):
            named = [
                msgspec.structs.replace(each, name=found.name)
                for each, found in zip((spec.input, *spec.outputs), (image, *outputs), strict=True)
            ]
            return msgspec.structs.replace(spec, input=named[0], outputs=tuple(named[1:]), export=None)
    raise _does_not_fit(config, path, "gives", outputs, plain.outputs)


def _variants(config: "ModelConfig") -> list[ExportOptions | None]:
    """Return the exports that a graph of the config's network may come from; the usual one first."""
    from ocrdeploy.families.family import AS_TRAINED

    options = config.family.options
    return [
        None,
        *([msgspec.structs.replace(AS_TRAINED, all_outputs=True)] if "all_outputs" in options else []),
        *([msgspec.structs.replace(AS_TRAINED, decode_in_graph=True)] if "decode_in_graph" in options else []),
    ]


def _fits(spec: ModelSpec, outputs: Sequence[GraphTensor]) -> bool:
    """Tell whether a graph's outputs can be those of a spec."""
    open_lengths = {length for length in spec.input.shape if isinstance(length, str)}
    return len(outputs) == len(spec.outputs) and all(
        agree(wanted.shape, found.shape)
        # A length that the graph calls by the name of an input's is that length: steps before the batch show so.
        and all(one == other for one, other in zip(wanted.shape, found.shape, strict=False) if other in open_lengths)
        and found.dtype in ("", wanted.dtype)
        and (len(outputs) == 1 or wanted.name == found.name)
        for wanted, found in zip(spec.outputs, outputs, strict=True)
    )


def _does_not_fit(
    config: "ModelConfig", path: Path, verb: str, found: Sequence[GraphTensor], wanted: Sequence[TensorSpec]
) -> ModelError:
    """Return the error that tells what a graph has and what the config says."""
    has = ", ".join(f"{each.name} {shape_text(each.shape) or 'of any shape'} {each.dtype}".rstrip() for each in found)
    says = ", ".join(f"{each.name} {shape_text(each.shape)} {each.dtype}" for each in wanted)
    return ModelError(
        f"{path} {verb} {has}, and the {config.architecture} of {config.record.path} {verb} {says}",
        "Give the config that the model was made from; of several outputs leave the one that is decoded.",
    )
