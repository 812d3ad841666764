"""Model files: the spec inside them, hashes of files, and writing that leaves the old file or the new one."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ocrdeploy.errors import CheckpointError, InputError, ModelError, OutputError
from ocrdeploy.model_spec import FileRecord, ModelSpec, decode_spec, encode_spec

if TYPE_CHECKING:
    import onnx

METADATA_KEY = "ocrdeploy"
"""Key of the spec in an ONNX model's `metadata_props`."""
FULL_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
ARCHIVES = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar", b"\xfd7zXZ": "xz"}
"""First bytes of archives."""
MAX_LINKS = 40
"""How many symbolic links are followed, as Linux has it."""
STREAM_FOLDER = re.compile(r"(/private)?/dev/fd|/proc/[^/]+(/task/[^/]+)?/fd")
NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What file systems say that cannot store on request."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (the folder is the system's)
NAME_BYTES = 200
"""How much of a file's name goes into that of its temporary file; file systems limit names to 255 bytes."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def what_it_is(head: bytes) -> str:
    """Tell what stands in the place of a model, an image or labels: a pointer, a web page, an archive.

    Args:
        head: The first bytes of the file, some 512 of them.

    Returns:
        What it is and what to do, such as `a zip archive: unpack it`; empty for anything else.
    """
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer: run git lfs pull"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page: download the file again"
    for signature, name in ARCHIVES.items():
        if head.startswith(signature):
            return f"a {name} archive: unpack it"
    return "a tar archive: unpack it" if head[257:262] == b"ustar" else ""


def check_file(path: Path, kind: str, error: type[InputError]) -> None:
    """Refuse what is not there, or is no file.

    Args:
        path: The file.
        kind: What it should be, for the message: `model`, `checkpoint`.
        error: What to raise.

    Raises:
        InputError: Of the kind that was given.
    """
    try:
        if not path.is_file():
            raise error(f"{kind} {path} " + ("is not a file" if path.exists() else "does not exist"))
    except OSError as failure:  # such as of a name that is too long
        raise error(f"{kind} {path} cannot be read: {failure.strerror}") from failure


def refuse_stand_in(path: Path, kind: str, error: type[InputError], *, is_archive: bool = False) -> None:
    """Refuse a pointer, a web page or an archive in the place of a file that is there; see `what_it_is`.

    Args:
        path: The file.
        kind: What it should be, for the message: `checkpoint`, `config`.
        error: What to raise.
        is_archive: Whether such files are zip archives themselves.

    Raises:
        InputError: Of the kind that was given.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as failure:
        raise error(f"{kind} {path} cannot be read: {failure.strerror}") from failure
    found = what_it_is(head)
    if found and not (is_archive and head.startswith(b"PK")):
        raise error(f"a {kind} was expected, and {path} is {found}")


def checkpoint_record(path: Path) -> FileRecord:
    """Return the record of a checkpoint's file.

    Raises:
        CheckpointError: It is not there.
    """
    check_file(path, "checkpoint", CheckpointError)
    return file_record(path)


def file_record(path: Path) -> FileRecord:
    """Return where a file is, as an absolute path, and its hash; bytes of its name that are no UTF-8 are escaped."""
    name = os.fsencode(path.resolve()).decode("utf-8", "backslashreplace")
    return FileRecord(path=name, sha256=sha256_of(path))


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary name in the file's own folder, and rename it to `path` when the block ends without an error.

    The folder is made where it is missing.
    A file that is replaced leaves its permissions to the new one; where `path` is a link, the file that it leads to is
    replaced. An OSError of the block counts as one of writing.

    Raises:
        OutputError: The file cannot be written.
    """
    check_writable(path)
    # Other than Path.resolve, it takes links that lead in circles.
    target = Path(os.path.realpath(path))
    start = os.fsencode(target.name)[:NAME_BYTES].decode("utf-8", "ignore")
    temporary = target.with_name(f".{start}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Made with the permissions of any new file, which `tempfile` would not do.
            temporary.open("xb").close()
            yield temporary
            _store(temporary)
            if target.exists():
                # Shares of other systems may have no permissions to change.
                with contextlib.suppress(OSError):
                    temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _store(path: Path) -> None:
    """Have a file's content stored before it is renamed, so that after a power cut there is the old file or the new."""
    with path.open("r+b") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in NO_FSYNC:
                raise


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder for temporary files, which goes away with the block.

    Raises:
        OutputError: There is no room for them, or no place.
    """
    check_temporary_files()
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            raise no_room(error) from error


def check_temporary_files() -> None:
    """Refuse to work where there is no folder for temporary files, as in a read-only container.

    Linux's shared memory, which is there in most containers, will do.

    Raises:
        OutputError: There is none.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        if os.access(SHARED_MEMORY, os.W_OK):
            tempfile.tempdir = str(SHARED_MEMORY)
            return
        raise OutputError(
            "there is no folder for temporary files that can be written to", "Name one with TMPDIR."
        ) from error


def no_room(error: OSError) -> OutputError:
    """Return what to tell of a full disk beneath the folder for temporary files."""
    return OutputError(
        f"the folder for temporary files {tempfile.gettempdir()} cannot be written: {error.strerror}",
        "Make room in it, or name another one with TMPDIR.",
    )


def check_writable(path: Path) -> None:
    """Refuse, before any work is done, a file that cannot be written.

    Raises:
        OutputError: Its folder cannot be made or written to, or `path` is there and no regular file: a folder, or a
            device or pipe, which cannot be replaced by a complete file; or it is one of this program's streams, such as
            `/dev/stdout`, also where that leads to a regular file.
    """
    if _is_stream(path):
        raise OutputError(
            f"{path} is a stream of this program, no file to write",
            "Name a file; options that can write to standard output take - for it.",
        )
    try:
        if path.is_dir():
            raise OutputError(f"{path} cannot be written: it is a folder")
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} cannot be written: it is no regular file")
        fault = _folder_fault(Path(os.path.realpath(path)).parent)
    except OSError as error:  # such as of a name that is too long
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    if fault:
        raise OutputError(f"{path} cannot be written: {fault}")


def check_folder(folder: Path) -> None:
    """Refuse, before any work is done, a folder in which nothing can be written. One that is not there will be made.

    Raises:
        OutputError: It is something else, or permission is missing.
    """
    try:
        fault = _folder_fault(Path(os.path.realpath(folder)))
    except OSError as error:  # such as of a name that is too long
        fault = str(error.strerror)
    if fault:
        raise OutputError(f"the folder {folder} cannot be written: {fault}")


def _folder_fault(folder: Path) -> str:
    """Return why no file can be made in a folder, or in what is there of it; empty where one can."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is no folder"
    return "" if os.access(folder, os.W_OK) else f"no permission to write to {folder}"


def _is_stream(path: Path) -> bool:
    """Tell whether a path is, or leads through links to, a stream that is open in a process."""
    place = Path.cwd() / path
    for _ in range(MAX_LINKS):
        folder = Path(os.path.realpath(place.parent))
        if STREAM_FOLDER.fullmatch(str(folder)):
            return True
        try:
            place = folder / (folder / place.name).readlink()
        except (OSError, ValueError):
            return False
    return False


def embed_spec(model: "onnx.ModelProto", spec: ModelSpec) -> None:
    """Put the spec into an ONNX model's metadata, in place of one that is there."""
    kept = [(prop.key, prop.value) for prop in model.metadata_props if prop.key != METADATA_KEY]
    del model.metadata_props[:]
    for key, value in [*kept, (METADATA_KEY, encode_spec(spec))]:
        model.metadata_props.add(key=key, value=value)


def spec_from_metadata(metadata: dict[str, str], origin: Path) -> ModelSpec:
    """Return the spec in an ONNX model's metadata.

    Args:
        metadata: The model's `metadata_props`.
        origin: The model's file, for error messages.

    Raises:
        ModelError: There is none, or it is broken or of a newer schema.
    """
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{origin} holds no model spec, so it was not exported by ocrdeploy",
            "Give the MMOCR config that it was made from with --config.",
        )
    return decode_spec(metadata[METADATA_KEY], str(origin))


def read_onnx_spec(path: Path) -> ModelSpec:
    """Return the spec in an ONNX file, without opening the model for inference.

    Raises:
        ModelError: The file is missing or no ONNX model, or it holds no spec.
    """
    return spec_from_metadata({prop.key: prop.value for prop in load_onnx(path).metadata_props}, path)


def external_files(model: "onnx.ModelProto") -> list[str]:
    """Return the names of the files, relative to the model's folder, that hold weights of an ONNX model."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = (tensor for tensor in _tensors(model.graph) if uses_external_data(tensor))
    return list(dict.fromkeys(ExternalDataInfo(tensor).location for tensor in tensors))


def _tensors(graph: "onnx.GraphProto") -> "Iterator[onnx.TensorProto]":
    """Yield the constant tensors of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def load_onnx(path: Path) -> "onnx.ModelProto":
    """Return an ONNX file's content; weights in other files are not read.

    Raises:
        ModelError: The file is missing or no ONNX model.
    """
    check_file(path, "model", ModelError)
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(str(path), format="protobuf", load_external_data=False)
    except (DecodeError, OSError) as error:
        raise ModelError(f"{path} is not an ONNX model: {' '.join(str(error).split())}") from error
    if not model.graph.node:
        raise ModelError(f"{path} is not an ONNX model: it holds no graph")
    return model


def is_optimized_model(file: str) -> bool:
    """Tell whether a file's name is one that ONNX Runtime's optimised model gets."""
    return re.fullmatch(r".+\.[0-9a-f]{16,64}\.onnx", file) is not None
