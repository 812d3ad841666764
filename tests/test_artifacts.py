import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper

from ocrdeploy.artifacts import (
    METADATA_KEY,
    embed_spec,
    file_record,
    load_onnx,
    read_onnx_spec,
    refuse_stand_in,
    sha256_of,
    spec_from_metadata,
)
from ocrdeploy.checkpoints.state_dict import read_checkpoint
from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.engines.files import read_record
from ocrdeploy.errors import ConfigError, InputError, ModelError
from ocrdeploy.model_spec import FileRecord, Source, decode_spec, encode_spec
from tests.support.specs import DETECTOR, RECOGNIZER


def small_model() -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Relu", ["input"], ["output"])], "g", values[:1], values[1:])
    return helper.make_model(graph)


def test_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_records_hold_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert file_record(Path("a.bin")) == FileRecord(str(tmp_path.resolve() / "a.bin"), hashlib.sha256(b"").hexdigest())


def test_a_name_that_is_no_utf8_is_recorded_escaped(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff"))
    path.touch()
    record = file_record(path)
    assert record.path == f"{tmp_path}/a\\xff"
    spec = msgspec.structs.replace(DETECTOR, source=Source(record, record))
    assert decode_spec(encode_spec(spec), "x") == spec


def test_files_without_hash_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.bin cannot be read: No such file or directory$"):
        sha256_of(tmp_path / "nothing.bin")
    with pytest.raises(InputError, match=r"cannot be read: Is a directory$"):
        sha256_of(tmp_path)


def test_a_spec_is_embedded_and_read(tmp_path: Path) -> None:
    model = small_model()
    model.metadata_props.add(key="author", value="somebody")
    embed_spec(model, DETECTOR)
    embed_spec(model, RECOGNIZER)
    assert [prop.key for prop in model.metadata_props] == ["author", METADATA_KEY]
    onnx.checker.check_model(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert read_onnx_spec(path) == RECOGNIZER
    assert load_onnx(path).graph.node[0].op_type == "Relu"


def test_a_model_without_a_spec_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(small_model().SerializeToString())
    with pytest.raises(ModelError) as caught:
        read_onnx_spec(path)
    assert caught.value.message == f"{path} holds no model spec, so it was not exported by ocrdeploy"
    assert "--config" in caught.value.fix


def test_a_broken_spec_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^the model spec of m\.onnx is broken: "):
        spec_from_metadata({METADATA_KEY: "{"}, Path("m.onnx"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds no graph"),
        (b"PK\x03\x04 not a model", "is not an ONNX model"),
        (b"\xff\xd8\xff\xe0 not a model", "is not an ONNX model"),
        (b'{"graph": {}}', "is not an ONNX model"),
    ],
)
@pytest.mark.parametrize("name", ["m.onnx", "m.json", "m.txt"])
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_onnx(path)
    assert caught.value.message.startswith(f"{path} is not an ONNX model: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_model_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = small_model().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="is not an ONNX model"):
        load_onnx(path)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^model .*m\.onnx does not exist$"):
        load_onnx(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"^model .* is not a file$"):
        read_onnx_spec(tmp_path)


STAND_INS = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": "a Git LFS pointer: run git lfs pull",
    b"<!DOCTYPE html><html></html>": "an HTML page: download the file again",
    b"PK\x03\x04" + bytes(40): "a zip archive: unpack it",
}


@pytest.mark.parametrize("content", STAND_INS)
@pytest.mark.parametrize(
    ("name", "kind", "read"),
    [
        ("a.pth", "checkpoint", read_checkpoint),
        ("a.safetensors", "checkpoint", read_checkpoint),
        ("a.py", "config", read_config),
        ("a.engine", "engine", read_record),
    ],
)
def test_what_lies_in_the_place_of_a_file_is_told(
    name: str, kind: str, read: Callable[[Path], object], content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    # PyTorch's own files are zip archives.
    message = "without the data.pkl|not a zip file" if name == "a.pth" and content[:2] == b"PK" else STAND_INS[content]
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert kind in str(caught.value)


def test_other_content_is_left_to_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"model = dict()")
    refuse_stand_in(path, "config", ConfigError)
