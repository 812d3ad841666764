"""Numbers: networks that give none, and maps that are empty, full, or crowded."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from ocrdeploy.artifacts import embed_spec, read_onnx_spec
from ocrdeploy.decoders import DBPostprocessor, Decoder, PANPostprocessor, PSEPostprocessor
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.steps import Resize
from tests.robustness.case import Case, Check, Make, Outcome, Place, any_result, fine
from tests.support.faults import plant

Pixels = np.ndarray

DATA = "--ann-file {ann} --img-prefix {imgs}"
PREDICT = "predict {input} {image} --json r.jsonl -q"
DRAWN = "predict {folder}/m.onnx {input} --json - -q"
MEANS_NOTHING = r"holds NaN or infinity, so it means nothing: \d+ of \d+ values, the first is (nan|inf|-inf) at \[0, "
SPOILED = r"the weights in .*a\.pth hold NaN or infinity, so they mean nothing: \S+: \d+ of \d+ values are NaN or inf"
CHECK = r"\. Check the checkpoint, or the precision"
SIZE = (736, 1312)
"""Height and width of the drawn images, which no pipeline makes smaller."""


def spoiled(value: float, model: str = "det") -> Make:
    """Write a model whose last parameters are no numbers."""

    def edit(graph: onnx.ModelProto) -> None:
        used = {tensor.name: tensor for tensor in graph.graph.initializer}
        last = [name for node in graph.graph.node for name in node.input if name in used and _is_float(used[name])][-1]
        array = np.full_like(numpy_helper.to_array(used[last]), value)
        used[last].CopyFrom(numpy_helper.from_array(array, last))

    return lambda place: plant(getattr(place, model), place.folder, edit)


def _is_float(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 0


def spoiled_checkpoint(place: Place) -> Path:
    """Write a checkpoint with one weight that is no number."""
    state = torch.load(place.weights, weights_only=True)["state_dict"]
    state["bbox_head.binarize.6.bias"][0] = float("nan")
    path = place.folder / "a.pth"
    torch.save(state, path)
    return path


def mirror(place: Place, decoder: Decoder, channels: int) -> None:
    """Write a model whose maps are the image itself: what an image shows is what the network finds.

    The first two channels are 20 times the darkness of the image less 10, the others zero; for DBNet a map from 0 to 1.
    """
    spec = read_onnx_spec(place.det)
    is_db = isinstance(decoder, DBPostprocessor)
    steps = tuple(
        msgspec.structs.replace(step, scale=(SIZE[1], SIZE[0])) if isinstance(step, Resize) else step
        for step in spec.preprocessing
    )
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1]),
        helper.make_node("MaxPool", ["mean"], ["map"], kernel_shape=[1, 1] if is_db else [4, 4], strides=[1, 1] if is_db else [4, 4]),
        helper.make_node("Mul", ["map", "scale"], ["logits"]),
    ]  # fmt: skip
    constants = [numpy_helper.from_array(np.full(1, 20, np.float32), "scale")]
    if is_db:
        nodes.append(helper.make_node("Sigmoid", ["logits"], ["out"]))
    else:
        rest = channels - (2 if isinstance(decoder, PANPostprocessor) else channels)
        copies = ["logits"] * (channels - rest)
        if rest:
            nodes.append(helper.make_node("Mul", ["logits", "zero"], ["none"]))
            constants.append(numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
        nodes.append(helper.make_node("Concat", [*copies, *(["none"] * rest)], ["out"], axis=1))
    shape: tuple[str | int, ...] = ("batch", channels, "height", "width")
    graph = helper.make_graph(
        nodes, "mirror",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)], constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    outputs = (msgspec.structs.replace(spec.outputs[0], name="out", shape=shape),)
    embed_spec(model, _with(spec, preprocessing=steps, outputs=outputs, postprocessing=decoder))
    onnx.save_model(model, place.folder / "m.onnx")


def _with(spec: ModelSpec, **values: object) -> ModelSpec:
    return msgspec.structs.replace(spec, **values)


DECODERS: dict[str, tuple[Decoder, int]] = {
    "DBNet": (DBPostprocessor(), 1),
    "DBNet, quadrangles": (DBPostprocessor(text_repr_type="quad"), 1),
    "PSENet": (PSEPostprocessor(), 7),
    "PSENet, quadrangles": (PSEPostprocessor(text_repr_type="quad"), 7),
    "PANet": (PANPostprocessor(), 6),
    "PANet, quadrangles": (PANPostprocessor(text_repr_type="quad"), 6),
}


def drawn(decoder: str, draw: Callable[[Pixels], None]) -> Make:
    """Draw what a network finds: white is text."""

    def make(place: Place) -> Path:
        mirror(place, *DECODERS[decoder])
        pixels = np.zeros((*SIZE, 3), np.uint8)
        draw(pixels)
        path = place.folder / "a.png"
        cv2.imwrite(str(path), pixels)
        return path

    return make


def leave(_pixels: Pixels) -> None:
    """Draw nothing."""


def fill(pixels: Pixels) -> None:
    """Draw text everywhere."""
    pixels[:] = 255


def grid(n_rows: int, n_columns: int, gap: int) -> Callable[[Pixels], None]:
    """Draw words in rows and columns, so far apart."""

    def draw(pixels: Pixels) -> None:
        height, width = SIZE[0] // n_rows, SIZE[1] // n_columns
        for row in range(n_rows):
            for column in range(n_columns):
                pixels[row * height : (row + 1) * height - gap, column * width : (column + 1) * width - gap] = 255

    return draw


def touching(pixels: Pixels) -> None:
    """Draw a thousand words, each of which touches its neighbours at a corner."""
    height, width = SIZE[0] // 25, SIZE[1] // 80
    for row in range(25):
        for column in range(row % 2, 80, 2):
            pixels[row * height : (row + 1) * height, column * width : (column + 1) * width] = 255


def dust(pixels: Pixels) -> None:
    """Draw text and background at random, pixel by pixel."""
    pixels[:] = np.random.default_rng(7).integers(0, 2, (*SIZE, 1), np.uint8) * 255


def found(at_least: int, at_most: int) -> Check:
    """Ask for a number of text instances, with corners and scores that are numbers."""

    def check(_place: Place, outcome: Outcome) -> None:
        line = json.loads(outcome.out)
        assert at_least <= len(line["polygons"]) <= at_most
        assert all(np.isfinite(polygon).all() for polygon in line["polygons"])
        assert all(0 <= score <= 1 for score in line["scores"])

    return check


def others_went_on(place: Place, _outcome: Outcome) -> None:
    first, second = json.loads((place.out / "r.json").read_text())["rows"]
    assert ("holds NaN" in first["error"], first["metrics"]) == (True, {})
    assert ("error" in second, second["images"]) == (False, 2)


def page_says_failed(place: Place, _outcome: Outcome) -> None:
    """Ask for the report, which tells of the failure."""
    assert "holds NaN or infinity" in (place.out / "r.html").read_text(encoding="utf-8")


def fails(name: str, make: Make, says: str, command: str, check: Check | None = None, *changes: str) -> Case:
    return Case(name, make, command, says, 1) if check is None else Case(name, make, command, says, 1, check, changes)


def crowd(name: str, draw: Callable[[Pixels], None], *counts: tuple[int, int]) -> list[Case]:
    """Return a row a decoder; counts are those of DBNet, PSENet and PANet, or one for all."""
    return [
        fine(f"{name}: {decoder}", drawn(decoder, draw), DRAWN, found(*counts[min(index // 2, len(counts) - 1)]))
        for index, decoder in enumerate(DECODERS)
    ]


def each_failed(place: Place, _outcome: Outcome) -> None:
    lines = [json.loads(line) for line in (place.out / "r.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    assert all("holds NaN" in line["error"] for line in lines)


NAN = spoiled(float("nan"))
OUTPUT = r"the output 'prob_map' of .*faulty\.onnx on onnxruntime "

NUMBERS = [
    fails("NaN: predict", NAN, rf"syn_0022\.jpg: {OUTPUT}{MEANS_NOTHING}.*{CHECK}", PREDICT, any_result, "out/r.jsonl"),
    fails(
        "NaN: predict many", NAN, rf"^warning: .*\.jpg: {OUTPUT}{MEANS_NOTHING}" + r"(.|\n)*holds NaN" * 7,
        "predict {input} {imgs} --json r.jsonl -q", each_failed, "out/r.jsonl",
    ),
    fails(
        "infinity in CTC: predict", spoiled(float("inf"), "recog"), rf"syn_0022\.jpg: the output .*{MEANS_NOTHING}",
        PREDICT, any_result, "out/r.jsonl",
    ),
    fails("NaN: evaluate", NAN, rf"\.jpg: {OUTPUT}{MEANS_NOTHING}", f"evaluate {{input}} {DATA} --json r.json -q", any_result, "out/r.json"),
    fails(
        "NaN in one column: evaluate", NAN, rf"ONNX Runtime .*faulty\.onnx failed: .*\.jpg: {OUTPUT}{MEANS_NOTHING}",
        f"evaluate {{input}} {{det}} {DATA} --json r.json -q", others_went_on, "out/r.json",
    ),
    fails(
        "NaN: verify", NAN, rf"{OUTPUT}{MEANS_NOTHING}", "verify {det} {input} --images {image} --html r.html -q",
        page_says_failed, "out/r.html",
    ),
    fails("NaN: verify against PyTorch", NAN, rf"{OUTPUT}{MEANS_NOTHING}", "verify {input} --images {image} -q"),
    fails(
        "NaN: verify --bisect", NAN, rf"{MEANS_NOTHING}.*; the first node that gives one is /bbox_head/.*\(ConvTranspose\)",
        "verify {det} {input} --images {image} --bisect -q",
    ),
    fails("NaN: benchmark", NAN, rf"{OUTPUT}{MEANS_NOTHING}", "benchmark {input} --count 1 --rounds 1 --json r.json -q"),
    Case(
        "NaN in a checkpoint: predict", spoiled_checkpoint, "predict {input} {image} --config {config} -q", SPOILED,
    ),
    Case(
        "NaN in a checkpoint: export", spoiled_checkpoint, "export {config} {input} -o m.onnx -q", SPOILED,
    ),
    *crowd("an empty map", leave, (0, 0)),
    *crowd("text everywhere", fill, (1, 1)),
    *crowd("a thousand touching words", touching, (1, 1000)),
    *crowd("3,080 words", grid(44, 70, 8), (3001, 3001), (0, 3080)),
    *crowd("dust", dust, (0, 3000), (0, 60_000)),
]  # fmt: skip
