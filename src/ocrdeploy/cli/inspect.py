"""`ocrdeploy inspect`: what a model file is, in words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import JsonFile, Quiet, Verbose
from .output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SHOWN_OPERATORS = 8


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX model or TensorRT engine.", show_default=False)],
    *,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what a model file is, in words.

    That is its task, shapes, steps, decoder, dictionary, precision and origin. Of a model that holds no spec what can
    be told is told, and which adopt line fits.
    """
    from ocrdeploy.model_facts import model_facts
    from ocrdeploy.output_files import OutputFiles

    output = Output(json_file, quiet, verbose)
    files = OutputFiles()
    files.add("--json", json_file)
    files.protect_model(model)
    facts = model_facts(model)
    output.line(f"{model}: {facts['kind'].upper() if facts['kind'] == 'onnx' else 'TensorRT engine'}, {_size(facts)}")
    for line in _lines(facts, verbose=verbose):
        output.line(f"  {line}")
    output.json({"schema": 1, "command": "inspect", **facts})


def _size(facts: "Mapping[str, Any]") -> str:
    return f"{facts['bytes'] / 2**20:.1f} MiB, SHA-256 {facts['sha256'][:16]}"


def _lines(facts: "Mapping[str, Any]", *, verbose: bool) -> "Iterator[str]":
    """Yield what is known, a line each."""
    if "spec" in facts:
        yield from _spec_lines(facts["spec"])
    else:
        for kind in ("inputs", "outputs"):
            yield from (f"{kind[:-1]}: {_tensor(each)}" for each in facts.get(kind, ()))
        yield "it holds no spec, so commands do not know what its numbers mean"
        if facts.get("adopt"):
            yield f"to give it one: {facts['adopt']}"
    if "engine" in facts:
        yield from _engine_lines(facts["engine"])
    if "operators" in facts:
        yield from _graph_lines(facts, verbose=verbose)


def _spec_lines(spec: "Mapping[str, Any]") -> "Iterator[str]":
    """Yield what a spec says."""
    task = {"det": "finds text", "recog": "reads a word"}[spec["task"]]
    yield f"{spec['architecture']}: {task}; computes in {spec.get('precision', 'fp32')}"
    yield f"input: {_tensor(spec['input'])}"
    yield from (f"output: {_tensor(each)}" for each in spec["outputs"])
    yield from (f"step: {_part(step)}" for step in spec["preprocessing"])
    decoder = dict(spec["postprocessing"])
    dictionary = decoder.pop("dictionary", None)
    yield f"decoder: {_part(decoder)}"
    if dictionary is not None:
        yield f"dictionary: {dictionary['classes']} classes, beginning with {' '.join(dictionary['begins'])}"
    for dataset in spec.get("datasets", ()):
        yield f"data set: {dataset['ann_file']}"
    source = spec.get("source")
    if source:
        yield from (f"made from {kind} {source[kind]['path']}" for kind in ("config", "checkpoint"))
    if spec.get("export"):
        yield f"export: {_part(spec['export'])}"
    yield "written by " + ", ".join(f"{name} {version}" for name, version in spec.get("tools", {}).items())


def _engine_lines(engine: "Mapping[str, Any]") -> "Iterator[str]":
    """Yield what a sidecar says."""
    yield f"built by {engine['runtime']} {engine['version']} for {', '.join(engine['gpu_architectures'])}"
    yield from (
        "profile: " + ", ".join(f"{name} {_shape(profile[name])}" for name in ("min", "opt", "max"))
        for profile in engine["profiles"]
    )
    yield f"to build it again: {engine['rebuild']}"


def _graph_lines(facts: "Mapping[str, Any]", *, verbose: bool) -> "Iterator[str]":
    """Yield what a graph is made of."""
    opset = ", ".join(f"{domain} {version}" for domain, version in facts["opset"].items())
    yield f"opset: {opset}" + (f"; made by {facts['producer']}" if facts["producer"] else "")
    operators = list(facts["operators"].items())
    shown = operators if verbose else operators[:SHOWN_OPERATORS]
    more = f" and {len(operators) - len(shown)} more kinds" if len(operators) > len(shown) else ""
    nodes = sum(facts["operators"].values())
    yield f"nodes: {nodes}: " + ", ".join(f"{name} {count}" for name, count in shown) + more
    if facts["metadata"]:
        yield "metadata: " + ", ".join(f"{key} ({length} characters)" for key, length in facts["metadata"].items())
    if facts["external"]:
        yield f"weights in {', '.join(facts['external'])}"


def _tensor(tensor: "Mapping[str, Any]") -> str:
    """Return name, shape, type and, where it is known, the meaning of a tensor."""
    text = f"{tensor['name']} {_shape(tensor['shape'])} {tensor.get('dtype', 'float32')}"
    return f"{text}, {tensor['meaning']}" if "meaning" in tensor else text


def _shape(shape: "Sequence[int | str]") -> str:
    return "×".join(map(str, shape))


def _part(part: "Mapping[str, Any]") -> str:
    """Return a step or a decoder with its numbers."""
    numbers = ", ".join(f"{name} {value}" for name, value in part.items() if name != "type" and value is not None)
    return " ".join(text for text in (part.get("type", ""), numbers) if text)
