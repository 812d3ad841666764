"""Models: no models at all, broken ones, specs that do not fit, and engines that are not what they say."""

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from ocrdeploy.artifacts import METADATA_KEY, file_record, read_onnx_spec
from ocrdeploy.backends.trt import is_installed, load_library
from ocrdeploy.engines.files import sidecar_path, write_engine
from ocrdeploy.model_spec import ENGINE_SCHEMA_VERSION, EngineRecord, ModelSpec, ShapeProfile
from tests.robustness.case import Case, Make, Place, nothing
from tests.support.faults import plant
from tests.support.tensorrt import RTX

PREDICT = "predict {input} {image}"
FOREIGN = PREDICT + " --config {config}"
EVALUATE = "evaluate {input} --ann-file {ann} --img-prefix {imgs}"
VERIFY = "verify {input} {det} --images {image}"
BENCHMARK = "benchmark {input} --count 1 --rounds 1"
BUILD = "build-engine {input} --runtime tensorrt-rtx --compute-capability sm86"
EVERY = {"predict": PREDICT, "evaluate": EVALUATE, "verify": VERIFY, "benchmark": BENCHMARK, "build-engine": BUILD}


def content(data: bytes, name: str = "m.onnx") -> Make:
    """Write a file."""
    return lambda place: place.new(name, data)


def half(place: Place) -> Path:
    """Write the first half of a model."""
    data = place.det.read_bytes()
    return place.new("m.onnx", data[: len(data) // 2])


def copied(name: str, what: str = "image") -> Make:
    """Copy a file under the name of a model."""
    return lambda place: place.new(name, getattr(place, what).read_bytes())


def torchscript(place: Place) -> Path:
    """Write a TorchScript archive under the name of an ONNX model."""
    path = place.folder / "m.onnx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/constants.pkl", b"\x80\x02).")
    return path


def metadata(change: Callable[[str], str | None]) -> Make:
    """Write a model whose spec is another text, or none."""

    def make(place: Place) -> Path:
        model = onnx.load_model(place.det)
        kept = [(each.key, each.value) for each in model.metadata_props]
        del model.metadata_props[:]
        for key, value in kept:
            text = change(value) if key == METADATA_KEY else value
            if text is not None:
                model.metadata_props.add(key=key, value=text)
        path = place.folder / "m.onnx"
        onnx.save_model(model, path)
        return path

    return make


def spec(change: Callable[[ModelSpec], ModelSpec], model: str = "det") -> Make:
    """Write a model whose spec says something else."""
    return lambda place: plant(getattr(place, model), place.folder, spec=change)


def steps(**values: object) -> Make:
    """Write a model of whose steps those that have such a field have another value."""

    def change(spec: ModelSpec) -> ModelSpec:
        pipeline = tuple(
            msgspec.structs.replace(step, **values) if set(values) <= set(step.__struct_fields__) else step
            for step in spec.preprocessing
        )
        return msgspec.structs.replace(spec, preprocessing=pipeline)

    return lambda place: plant(place.det, place.folder, spec=change)


def tensor(field: str, **values: object) -> Make:
    """Write a model whose spec tells other things of an input or output."""

    def change(spec: ModelSpec) -> ModelSpec:
        old = getattr(spec, field)
        new = (
            tuple(msgspec.structs.replace(each, **values) for each in old)
            if isinstance(old, tuple)
            else msgspec.structs.replace(old, **values)
        )
        return msgspec.structs.replace(spec, **{field: new})

    return spec(change)


def other_spec(place: Place) -> Path:
    """Write a detector with the spec of a recogniser, under the detector's names of input and output."""
    own, other = read_onnx_spec(place.det), read_onnx_spec(place.recog)
    mixed = msgspec.structs.replace(other, input=own.input, outputs=own.outputs)
    return plant(place.det, place.folder, spec=lambda _: mixed)


def external(location: str, size: int | None = None) -> Make:
    """Write a model whose weights are said to be in another file, which has `size` of their bytes, or is not there."""

    def make(place: Place) -> Path:
        model = onnx.load_model(place.det)
        where = location.format(folder=place.folder)
        data = b""
        for weights in model.graph.initializer:
            if len(weights.raw_data) < 1024:
                continue
            external_data_helper.set_external_data(weights, where, offset=len(data), length=len(weights.raw_data))
            data += weights.raw_data
            weights.ClearField("raw_data")
        if size is not None:
            place.new(where, data[:size])
        path = place.folder / "m.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


def tiny(inputs: list[tuple[str, int, list[int]]]) -> Make:
    """Write a model of a node or two, with other inputs than one batch of images."""

    def make(place: Place) -> Path:
        values = [helper.make_tensor_value_info(*each) for each in inputs]
        one = numpy_helper.from_array(np.ones(1, np.float32), "one")
        node = helper.make_node("Identity", ["one"], ["y"])
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
        graph = helper.make_graph([node], "g", values, outputs, [one])
        path = place.folder / "m.onnx"
        onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path

    return make


def unknown_operator(place: Place) -> Path:
    """Write a model with an operator that nobody has."""

    def edit(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "Guess"

    return plant(place.det, place.folder, edit)


def engine(**changes: object) -> Make:
    """Write an engine that only looks like one, whose sidecar says what is given."""

    def make(place: Place) -> Path:
        import hashlib

        plan = b"a plan"
        if not is_installed(RTX):
            pytest.skip("tensorrt-rtx is not installed")
        version = load_library(RTX).version
        fields: dict[str, Any] = {
            "schema": ENGINE_SCHEMA_VERSION,
            "plan_sha256": hashlib.sha256(plan).hexdigest(),
            "onnx": file_record(place.det),
            "runtime": RTX,
            "version": version,
            "gpu_architectures": ("sm86",),
            "precision": "fp32",
            "profiles": (ShapeProfile((1, 3, 32, 32), (1, 3, 64, 64), (1, 3, 96, 96)),),
            "spec": read_onnx_spec(place.det),
            "rebuild": "ocrdeploy build-engine m.onnx",
        }
        known = {field.name for field in msgspec.structs.fields(EngineRecord)}
        path = place.folder / "m.engine"
        write_engine(
            path, plan, EngineRecord(**{key: value for key, value in (fields | changes).items() if key in known})
        )
        return path

    return make


def sidecar(text: bytes) -> Make:
    """Write an engine with this sidecar."""

    def make(place: Place) -> Path:
        path = place.new("m.engine", b"a plan")
        sidecar_path(path).write_bytes(text)
        return path

    return make


def bad(name: str, make: Make, says: str, command: str = PREDICT, **fields: Any) -> Case:
    return dataclasses.replace(Case(name, make, command, says), **fields)


def everywhere(name: str, make: Make, says: str, **others: str) -> list[Case]:
    """Return a row for every command that takes a model; what some say is in `others`, with _ for a hyphen."""
    return [
        bad(f"{name}: {command}", make, others.get(command.replace("-", "_"), says), line)
        for command, line in EVERY.items()
    ]


def newer(text: str) -> str:
    return text.replace('"schema":1', '"schema":99')


MODELS = [
    *everywhere("missing", lambda place: place.folder / "none.onnx", r"model .*none\.onnx does not exist"),
    *everywhere("empty", content(b""), r"m\.onnx is not an ONNX model"),
    *everywhere("half a model", half, r"m\.onnx (is not an ONNX model|cannot be opened by ONNX Runtime)"),
    *everywhere("random bytes", content(bytes(range(256)) * 9), r"m\.onnx is not an ONNX model"),
    *everywhere("an image", copied("m.onnx"), r"m\.onnx is not an ONNX model"),
    *everywhere("a text file", content(b"hello\n"), r"m\.onnx is not an ONNX model"),
    *everywhere("an archive of TorchScript", torchscript, r"m\.onnx is not an ONNX model"),
    *everywhere("weights in a file that is not there", external("w.bin"), r"m\.onnx.*w\.bin"),
    *everywhere("weights in a file that is cut off", external("w.bin", 5000), r"m\.onnx.*"),
    *everywhere("weights outside its folder", external("../w.bin", 10**9), r"m\.onnx.*\.\./w\.bin"),
    *everywhere("weights at an absolute path", external("{folder}/w.bin", 10**9), r"m\.onnx.*"),
    *everywhere("a spec of a newer schema", metadata(newer), r"has schema 99, and this version reads up to 1\. Update"),
    *everywhere("a spec that is no JSON", metadata(lambda _: "{"), r"the model spec of .*m\.onnx is broken: .*Export"),
    bad("no spec: predict", metadata(lambda _: None), r"holds no model spec.*Give the MMOCR config.*--config"),
    bad("no spec: evaluate", metadata(lambda _: None), r"holds no model spec.*Give the MMOCR config", EVALUATE),
    bad("no spec: verify", metadata(lambda _: None), r"holds no model spec.*Give the MMOCR config", VERIFY),
    bad("a folder", lambda place: place.folder, r"is not a model: its name should end with one of \.onnx"),
    bad("an image by its own name", lambda place: place.image, r"\.jpg is not a model: its name should end with"),
    bad("a checkpoint without a config", lambda place: place.weights, r"is a checkpoint, which needs its MMOCR config"),
    bad("an unknown operator", unknown_operator, r"faulty\.onnx cannot be opened by ONNX Runtime: .*Guess"),
    bad("an unknown operator: build", unknown_operator, r"has no operator Guess: node 1 of .*--plugin LIB\.so", BUILD),
    bad("no input", tiny([]), r"one of them of four dimensions \(N, C, H, W\), got none", FOREIGN),
    bad("two inputs", tiny([("a", 1, [1, 3, 8, 8]), ("b", 1, [1])]), r"takes a 1×3×8×8 float32, b 1 float32, and the DBNet of .* takes a batch×3×height×width float32", FOREIGN),
    bad("an input of integers", tiny([("a", 7, [1, 3, 8, 8])]), r"float32 inputs were expected, .* got a: int64 \[1, 3, 8, 8\]", FOREIGN),
    *everywhere("an input of another name", tensor("input", name="x"), r"spec of .*faulty\.onnx speaks of 'x' .*the graph"),
    *everywhere("an output of another name", tensor("outputs", name="y"), r"speaks of 'input' and \['y'\].*the graph has"),
    *everywhere("an input of other channels", tensor("input", shape=("batch", 1, "height", "width")), r"spec of .* 'input' is batch×1×"),
    *everywhere("an output of other channels", tensor("outputs", shape=("batch", 7, "height", "width")), r"spec of .* is batch×7×.*, in the graph"),
    *everywhere("the spec of a recogniser", other_spec, r"spec of .*faulty\.onnx contradicts itself: .*channels"),
    bad("steps that make other channels", steps(color_type="grayscale"), r"spec of .*faulty\.onnx contradicts itself: Normalize has 3 numbers"),
    bad("an absurd size of images", steps(scale=(10**9, 10**9)), r"spec of .*faulty\.onnx|pixels"),
    bad("an engine without its sidecar", content(b"plan", "m.engine"), r"has no sidecar m\.engine\.json.*build-engine"),
    bad("an engine with a broken sidecar", sidecar(b"{"), r"m\.engine\.json is broken: .*Build the engine again"),
    bad("an engine with an empty sidecar", sidecar(b""), r"m\.engine\.json is broken: "),
    bad("an engine with a sidecar of no text", sidecar(b"\xff\xfe\x00"), r"m\.engine\.json is broken: "),
    bad("an engine of a newer schema", sidecar(b'{"schema": 99}'), r"m\.engine\.json has schema 99.*Update ocrdeploy"),
    bad("an engine of another hash", engine(plan_sha256="0" * 64), r"m\.engine is not the engine that m\.engine\.json"),
    bad("an engine of another TensorRT", engine(version="1.0"), r"was built by TensorRT for RTX 1\.0, and .*Build it again"),
    bad("an engine of another GPU", engine(), r"was built for sm86, and this GPU is sm89\. Build it again", gpu=(8, 9)),
    bad("an engine that is none", engine(), r"m\.engine|plan", gpu=(8, 6)),
    bad("an engine, no GPU", engine(), r"runs engines on NVIDIA GPUs, and this machine shows none\. Run", code=3),
    bad("an engine as the source of one", content(b"plan", "m.engine"), r"m\.engine is read, so it is not written over", BUILD),
    bad("no model in the folder", nothing, r"the current folder holds no \.onnx file.*Name the model\.", "evaluate"),
]  # fmt: skip
