"""An engine's two files: the plan, which TensorRT reads, and the sidecar beside it, which says what the plan is."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ocrdeploy.artifacts import atomic_write, check_file, check_writable, refuse_stand_in, sha256_of
from ocrdeploy.errors import ModelError, OutputError
from ocrdeploy.model_spec import ENGINE_SCHEMA_VERSION, EngineRecord
from ocrdeploy.model_spec.codec import decode_document

if TYPE_CHECKING:
    from ocrdeploy.backends.trt import Library

SIDECAR_SUFFIX = ".json"


def sidecar_path(engine: Path) -> Path:
    """Return where an engine's sidecar lies."""
    return engine.with_name(engine.name + SIDECAR_SUFFIX)


def check_sidecar_writable(engine: Path) -> None:
    """Refuse, before an engine is built, to write its sidecar over a file that is none.

    Raises:
        OutputError: What lies in the sidecar's place is something else, or nothing can be written there.
    """
    sidecar = sidecar_path(engine)
    check_writable(sidecar)
    if not sidecar.exists():
        return
    try:
        msgspec.json.decode(sidecar.read_bytes(), type=_PlanOnly)
    except (msgspec.DecodeError, UnicodeError, RecursionError, OSError) as error:
        raise OutputError(
            f"{sidecar} would become the sidecar of {engine.name}, and it is no sidecar of an engine, so it is not "
            "written over",
            "Name another engine with -o, or move the file.",
        ) from error


def write_engine(engine: Path, plan: bytes, record: EngineRecord) -> None:
    """Write plan and sidecar.

    Should the machine stop between the two renames, the sidecar's hash does not fit the old plan, and opening says so.

    Raises:
        OutputError: They cannot be written.
    """
    with atomic_write(engine) as plan_file:
        plan_file.write_bytes(plan)
        with atomic_write(sidecar_path(engine)) as sidecar_file:
            sidecar_file.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def read_record(engine: Path) -> EngineRecord:
    """Return an engine's record; whether it is that of the plan is told by `read_engine`.

    Raises:
        ModelError: A file is missing, or the sidecar is broken.
    """
    check_file(engine, "engine", ModelError)
    refuse_stand_in(engine, "engine", ModelError)
    sidecar = sidecar_path(engine)
    if not sidecar.is_file():
        raise ModelError(
            f"{engine} has no sidecar {sidecar.name}, so nothing says what it takes and gives",
            "Build it with: ocrdeploy build-engine MODEL.onnx",
        )
    try:
        fix = "Build the engine again with: ocrdeploy build-engine MODEL.onnx"
        return decode_document(sidecar.read_bytes(), EngineRecord, ENGINE_SCHEMA_VERSION, str(sidecar), fix)
    except OSError as error:
        raise ModelError(f"{sidecar} cannot be read: {error.strerror}") from error


def read_engine(engine: Path) -> tuple[EngineRecord, bytes]:
    """Return an engine's record and its plan, of which the hash is checked.

    Raises:
        ModelError: A file is missing or broken, or the two do not belong together.
    """
    record = read_record(engine)
    try:
        plan = engine.read_bytes()
    except OSError as error:
        raise ModelError(f"{engine} cannot be read: {error.strerror}") from error
    if hashlib.sha256(plan).hexdigest() != record.plan_sha256:
        raise ModelError(
            f"{engine} is not the engine that {sidecar_path(engine).name} describes: its SHA-256 is another",
            rebuild_advice(record),
        )
    return record, plan


def check_version(engine: Path, record: EngineRecord, name: str, version: str) -> None:
    """Refuse an engine that another version of TensorRT built.

    Args:
        engine: The engine, for the message.
        record: What its sidecar says.
        name: What the installed TensorRT is called.
        version: Its version.

    Raises:
        ModelError: The versions differ.
    """
    if version != record.version:
        raise ModelError(
            f"{engine} was built by {name} {record.version}, and {version} is installed",
            rebuild_advice(record),
        )


def check_known_architectures(engine: Path, record: EngineRecord, library: "Library") -> None:
    """Refuse an engine that is said to be for GPUs which its TensorRT does not know, so that nothing can load it.

    Args:
        engine: The engine, for the message.
        record: What its sidecar says.
        library: The TensorRT.

    Raises:
        ModelError: An architecture is not known.
    """
    unknown = [each for each in record.gpu_architectures if not library.runs_on(each)]
    if unknown:
        known = ", ".join(library.architectures or ())
        raise ModelError(
            f"{engine} was built for {', '.join(unknown)}, which {library.name} does not know: it knows {known}",
            f"Build it again for one of these: {record.rebuild} --compute-capability SM",
        )


def check_architecture(engine: Path, record: EngineRecord, architecture: str) -> None:
    """Refuse an engine that was built for other GPUs than this one.

    Args:
        engine: The engine, for the message.
        record: What its sidecar says.
        architecture: The GPU's architecture.

    Raises:
        ModelError: It is not among those that the engine was built for.
    """
    if architecture not in record.gpu_architectures:
        raise ModelError(
            f"{engine} was built for {', '.join(record.gpu_architectures)}, and this GPU is {architecture}",
            rebuild_advice(record, (architecture,)),
        )


def rebuild_command(record: EngineRecord, architectures: Sequence[str] = ()) -> str:
    """Return the command that builds an engine again, for other GPU architectures if any are named.

    TensorRT builds for the GPU that it runs on, so only TensorRT for RTX is told an architecture.
    """
    if record.runtime == "tensorrt":
        return record.rebuild
    options = (f"--compute-capability {name}" for name in architectures or record.gpu_architectures)
    return " ".join([record.rebuild, *options])


def rebuild_advice(record: EngineRecord, architectures: Sequence[str] = ()) -> str:
    """Return what to do to get an engine again, and whether that gives another one because its model was replaced."""
    replaced = replaced_file(record)
    word = "" if replaced is None else f" ({replaced} is not the file any more that it was built from)"
    return f"Build it again with: {rebuild_command(record, architectures)}{word}"


def replaced_file(record: EngineRecord) -> Path | None:
    """Return the file of the ONNX model that an engine was built from which is another by now; None where none is.

    A file that is not there is none that was replaced.
    """
    for each in (record.onnx, *record.weights):
        path = Path(each.path)
        if path.is_file() and sha256_of(path) != each.sha256:
            return path
    return None


def check_built_from(engine: Path, record: EngineRecord, model: Path) -> None:
    """Refuse an engine that stands for an ONNX model and was built from another one, such as an older export.

    Raises:
        ModelError: Names both hashes.
    """
    found = sha256_of(model)
    if found != record.onnx.sha256:
        raise ModelError(
            f"{engine} was not built from {model} as it is now: its sidecar records the SHA-256 {record.onnx.sha256}, "
            f"and that of {model} is {found}",
            f"Build it again: ocrdeploy build-engine {model}; to take it all the same, name {engine} itself.",
        )
    for each in record.weights:
        path = model.parent / Path(each.path).name
        if path.is_file() and sha256_of(path) != each.sha256:
            raise ModelError(
                f"{engine} was not built from {model} as it is now: {path} holds other weights",
                f"Build it again: ocrdeploy build-engine {model}; to take it all the same, name {engine} itself.",
            )


class _PlanOnly(msgspec.Struct):
    """What every version of the document has of the plan."""

    plan_sha256: str
