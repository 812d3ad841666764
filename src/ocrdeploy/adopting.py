"""Giving somebody else's ONNX model a spec, after which every command takes it."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ocrdeploy.artifacts import METADATA_KEY, atomic_write, check_writable, embed_spec, load_onnx
from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.dialects.described import read_description
from ocrdeploy.dialects.foreign import ForeignModel, characters_of, read_text
from ocrdeploy.dialects.ppocr import (
    CLASSIFIER_WIDTHS,
    PPOCR_HEIGHT,
    Preset,
    characters_in_yml,
    dictionary_of,
    preset_model,
    read_inference_yml,
    yml_model,
)
from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.model_spec import SCHEMA_VERSION, ModelSpec, TensorSpec, shape_text
from ocrdeploy.onnx_file import GraphTensor, OnnxFacts, network_inputs, read_onnx_facts
from ocrdeploy.steps import check_steps, fixed_height, size_multiple
from ocrdeploy.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFERENCE_YML = "inference.yml"
CHARACTERS = "character"
"""Key of the dictionary in the metadata that RapidOCR's recognisers carry."""
TRIED_WIDTH = 320
SUM_TOLERANCE = 1e-3
"""How far the probabilities of a step may be from 1 together: a softmax over 20,000 classes in float32 or float16."""


@dataclass(frozen=True, slots=True)
class AdoptRequest:
    """What to adopt.

    Attributes:
        model: The ONNX model.
        output: The file to write.
        preset: Which of PP-OCR's models it is; None takes what lies beside it or in its metadata.
        dictionary: A dictionary, a character a line, for a recogniser.
        spec: A description in TOML or JSON, of a model of another family.
    """

    model: Path
    output: Path
    preset: Preset | None = None
    dictionary: Path | None = None
    spec: Path | None = None

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if self.preset is not None and self.spec is not None:
            raise UsageError("--preset and --spec both say what the model is: give one of them")
        if self.dictionary is not None and self.preset not in (None, "ppocr-rec"):
            raise UsageError(f"--dictionary is for a recogniser, and the preset is {self.preset}", "Leave it out.")


@dataclass(frozen=True, slots=True)
class AdoptReport:
    """What was adopted.

    Attributes:
        path: The file that was written.
        spec: The spec inside it.
        origin: What the spec was made from, in words.
        dictionary: Where the dictionary is from, in words; empty for a model without one.
    """

    path: Path
    spec: ModelSpec
    origin: str
    dictionary: str


def adopt_model(request: AdoptRequest) -> AdoptReport:
    """Write a copy of somebody else's ONNX model that holds a spec. Its tensors keep their names.

    What the model gives is tried on an image of noise, so that a spec which does not fit is refused here.

    Raises:
        ConfigError: A file that says what the model is cannot be read, or is not known.
        ModelError: The model is none that this describes.
        UsageError: Nothing says what the model is, or it has been adopted already.
        MissingPackageError: ONNX Runtime is not installed.
    """
    check_writable(request.output)
    facts = read_onnx_facts(request.model)
    if METADATA_KEY in facts.metadata:
        raise UsageError(f"{request.model} holds a spec already", "Use it as it is.")
    image, *others = network_inputs(facts.inputs, request.model)
    if others:
        raise ModelError(f"{request.model} takes {others[0].name} beside the image, and DB and CTC models do not")
    known, dictionary = identify(request, facts, image)
    spec = _spec(known, image, facts, request.model)
    spec = _try(spec, request.model)
    from ocrdeploy.graphs.serialization import serialize, with_weights

    model = with_weights(load_onnx(request.model), request.model)
    embed_spec(model, spec)
    with atomic_write(request.output) as temporary:
        temporary.write_bytes(serialize(model))
    return AdoptReport(request.output, spec, known.origin, dictionary)


def identify(request: AdoptRequest, facts: OnnxFacts, image: GraphTensor) -> tuple[ForeignModel, str]:
    """Return what is known of a model, and where its dictionary is from."""
    if request.spec is not None:
        known = read_description(request.spec, request.dictionary)
        return known, str(request.dictionary or request.spec) if isinstance(known.postprocessing, CTCConvertor) else ""
    yml = request.model.parent / INFERENCE_YML
    found = read_inference_yml(yml) if yml.is_file() else None
    if found is not None and request.preset not in (None, found[0]):
        found = None  # it belongs to another model in this folder
    preset = request.preset or (found[0] if found else None) or ("ppocr-rec" if CHARACTERS in facts.metadata else None)
    if preset is None:
        raise UsageError(
            f"nothing says what {request.model} is: no {INFERENCE_YML} lies beside it, and it carries no dictionary",
            f"By its output this may do: {hint(facts)}" if hint(facts) else "Describe it in a file: --spec FILE.",
        )
    _check_outputs(preset, facts, request.model)
    dictionary: tuple[str, ...] = ()
    origin = ""
    if preset == "ppocr-rec":
        characters, origin = _characters(request, facts, None if found is None else characters_in_yml(found[1], yml))
        dictionary = dictionary_of(characters, _classes(facts, request.model), origin)
    if found is not None:
        return yml_model(preset, found[1], yml, dictionary), origin
    return preset_model(preset, dictionary, _height(preset, image)), origin


def hint(facts: OnnxFacts) -> str:
    """Return, by its shapes, the options that a model may need; empty where they tell nothing."""
    match [output.shape for output in facts.outputs]:
        case [(_, _, _, _)]:
            return "--preset ppocr-det"
        case [(_, _, int())]:
            return "--preset ppocr-rec" + ("" if CHARACTERS in facts.metadata else " --dictionary FILE")
        case [(_, int())]:
            return "--preset ppocr-cls"
    return ""


def adopt_line(path: Path, facts: OnnxFacts) -> str:
    """Return the command that gives a model a spec, as far as its file and what lies beside it tell."""
    is_known = CHARACTERS in facts.metadata or (path.parent / INFERENCE_YML).is_file()
    options = "" if is_known else hint(facts) or "--spec FILE"
    return " ".join(part for part in ("ocrdeploy adopt", shlex.quote(str(path)), options) if part)


def _check_outputs(preset: Preset, facts: OnnxFacts, path: Path) -> None:
    """Refuse a graph whose output is none of the model's."""
    dimensions = {"ppocr-det": 4, "ppocr-rec": 3, "ppocr-cls": 2}[preset]
    if len(facts.outputs) != 1 or len(facts.outputs[0].shape) not in (0, dimensions):
        texts = ", ".join(f"{each.name} {shape_text(each.shape)}" for each in facts.outputs)
        raise ModelError(f"{path} gives {texts}, and a model of {preset} one output of {dimensions} dimensions")


def _characters(request: AdoptRequest, facts: OnnxFacts, in_yml: list[str] | None) -> tuple[list[str], str]:
    """Return a recogniser's dictionary, and where it is from."""
    if request.dictionary is not None:
        return characters_of(read_text(request.dictionary, "dictionary")), str(request.dictionary)
    if in_yml is not None:
        return in_yml, str(request.model.parent / INFERENCE_YML)
    if CHARACTERS in facts.metadata:
        return characters_of(facts.metadata[CHARACTERS]), "the model's metadata"
    raise UsageError(
        f"{request.model} carries no dictionary, and no {INFERENCE_YML} lies beside it",
        "Name the dictionary that the model was trained with: --dictionary FILE.",
    )


def _classes(facts: OnnxFacts, path: Path) -> int:
    """Return the number of a recogniser's classes."""
    shape = facts.outputs[0].shape
    classes = shape[-1] if shape else ""
    if not isinstance(classes, int):
        raise ModelError(
            f"the graph of {path} does not tell how many classes it has: its output is {shape_text(shape)}"
        )
    return classes


def _height(preset: Preset, image: GraphTensor) -> int:
    """Return the height of the lines that a model takes; graphs of version 4 and older do not tell it."""
    height = image.shape[2]
    if isinstance(height, int):
        return height
    return min(CLASSIFIER_WIDTHS) if preset == "ppocr-cls" else PPOCR_HEIGHT


def _spec(known: ForeignModel, image: GraphTensor, facts: OnnxFacts, path: Path) -> ModelSpec:
    """Return the spec, with the graph's names."""
    wanted = known.postprocessing.expects()
    if len(wanted) != len(facts.outputs):
        names = ", ".join(output.name for output in facts.outputs)
        raise ModelError(
            f"{path} gives {names}, and {type(known.postprocessing).__name__} reads {len(wanted)} output(s)"
        )
    outputs = tuple(
        msgspec.structs.replace(each, name=found.name) for each, found in zip(wanted, facts.outputs, strict=True)
    )
    shape = ("batch", check_steps(known.preprocessing), fixed_height(known.preprocessing) or "height", "width")
    fixed = tuple(
        length if isinstance(length, int) else open_length
        for length, open_length in zip(image.shape, shape, strict=True)
    )
    multiple = size_multiple(known.preprocessing) if known.task == "det" else 1
    return ModelSpec(
        schema=SCHEMA_VERSION,
        task=known.task,
        architecture=known.architecture,
        input=TensorSpec(image.name, fixed, "image, after the steps of `preprocessing`", multiple_of=multiple),
        outputs=outputs,
        preprocessing=known.preprocessing,
        postprocessing=known.postprocessing,
        precision="fp16" if facts.precision == "fp16" else "fp32",
        tools={"ocrdeploy": __version__},
    )


def _try(spec: ModelSpec, path: Path) -> ModelSpec:
    """Run the model on an image of noise, and return the spec with what that shows of the output.

    Raises:
        ModelError: The model does not run, or gives something else than its decoder reads.
    """
    from ocrdeploy.backends.onnx import OnnxRuntimeBackend
    from ocrdeploy.hardware import Device
    from ocrdeploy.inference import Inference

    backend = OnnxRuntimeBackend(path, Device(), 1, (), None, tf32=False)
    try:
        lengths = [length if isinstance(length, int) else TRIED_WIDTH for length in spec.input.shape[1:]]
        count = spec.input.shape[0] if isinstance(spec.input.shape[0], int) else 1
        batch = np.random.default_rng(0).uniform(-1, 1, (count, *lengths)).astype(np.float32)
        outputs = Inference(spec, backend, 1, str(path)).outputs({spec.input.name: batch})
    finally:
        backend.close()
    first = next(iter(outputs.values()))
    decoder = spec.postprocessing
    if isinstance(decoder, CTCConvertor) and decoder.reads == "probabilities" and not _are_probabilities(first):
        decoder = msgspec.structs.replace(decoder, reads="logits")
    elif not isinstance(decoder, CTCConvertor) and not (first.min() >= 0 and first.max() <= 1):
        raise ModelError(
            f"{path} gives numbers from {first.min():.3g} to {first.max():.3g}, and {type(decoder).__name__} reads "
            "probabilities from 0 to 1",
            "Export it with its last activation, the sigmoid or softmax.",
        )
    return msgspec.structs.replace(spec, postprocessing=decoder)


def _are_probabilities(values: "NDArray[np.float32]") -> bool:
    """Tell whether the last dimension holds probabilities that are 1 together."""
    return bool(values.min() >= 0 and np.abs(values.sum(axis=-1) - 1).max() <= SUM_TOLERANCE)
