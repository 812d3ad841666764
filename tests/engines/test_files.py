import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from ocrdeploy.artifacts import file_record
from ocrdeploy.engines.files import (
    check_architecture,
    check_built_from,
    check_version,
    read_engine,
    rebuild_advice,
    rebuild_command,
    replaced_file,
    sidecar_path,
    write_engine,
)
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import EngineRecord, FileRecord, ShapeProfile, TensorRTFlavour

PLAN = b"ftrt plan"


def record(runtime: TensorRTFlavour = "tensorrt-rtx", **changes: object) -> EngineRecord:
    command = f"ocrdeploy build-engine model.onnx --runtime {runtime}"
    return msgspec.structs.replace(
        EngineRecord(
            schema=1,
            plan_sha256=hashlib.sha256(PLAN).hexdigest(),
            onnx=FileRecord("/models/model.onnx", "ab" * 32),
            runtime=runtime,
            version="1.7.1",
            gpu_architectures=("sm86", "sm89"),
            precision="fp16",
            profiles=(ShapeProfile((1, 3, 32, 32), (1, 3, 64, 64), (2, 3, 96, 96)),),
            rebuild=command,
        ),
        **changes,
    )


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "model.engine"
    write_engine(path, PLAN, record())
    return path


def edit(engine: Path, **changes: object) -> None:
    sidecar = sidecar_path(engine)
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | changes))


def test_plan_and_sidecar_are_what_was_written(engine: Path) -> None:
    assert sidecar_path(engine) == engine.with_name("model.engine.json")
    assert engine.read_bytes() == PLAN
    assert read_engine(engine) == (record(), PLAN)
    assert sorted(path.name for path in engine.parent.iterdir()) == ["model.engine", "model.engine.json"]


def test_the_sidecar_holds_what_the_interface_promises(engine: Path) -> None:
    document = json.loads(sidecar_path(engine).read_text())
    assert document["plan_sha256"] == hashlib.sha256(PLAN).hexdigest()
    assert document["onnx"]["sha256"] == "ab" * 32
    assert (document["runtime"], document["version"]) == ("tensorrt-rtx", "1.7.1")
    assert (document["gpu_architectures"], document["precision"]) == (["sm86", "sm89"], "fp16")
    assert document["profiles"][0]["opt"] == [1, 3, 64, 64]
    assert document["spec"] is None


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"engine .*model.engine does not exist$"):
        read_engine(tmp_path / "model.engine")
    with pytest.raises(ModelError, match=r"engine .* is not a file$"):
        read_engine(tmp_path)
    (tmp_path / "model.engine").write_bytes(PLAN)
    with pytest.raises(ModelError) as caught:
        read_engine(tmp_path / "model.engine")
    assert str(caught.value) == (
        f"{tmp_path}/model.engine has no sidecar model.engine.json, so nothing says what it takes and gives. "
        "Build it with: ocrdeploy build-engine MODEL.onnx"
    )


def test_another_plan_is_refused_with_the_command_that_builds_it(engine: Path) -> None:
    engine.write_bytes(PLAN + b"!")
    with pytest.raises(ModelError) as caught:
        read_engine(engine)
    assert str(caught.value) == (
        f"{engine} is not the engine that model.engine.json describes: its SHA-256 is another. Build it again with: "
        "ocrdeploy build-engine model.onnx --runtime tensorrt-rtx --compute-capability sm86 --compute-capability sm89"
    )


def test_a_newer_sidecar_is_refused(engine: Path) -> None:
    edit(engine, schema=2)
    with pytest.raises(ModelError, match=r"model.engine.json has schema 2, and this version reads up to 1. Update"):
        read_engine(engine)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp8"}, "Invalid enum value 'fp8' - at `$.precision`"),
        ({"runtime": None}, "Expected `str`, got `null` - at `$.runtime`"),
        ({"profiles": []}, "an engine has at least one profile and one GPU architecture"),
        ({"surprise": 1}, "Object contains unknown field `surprise`"),
        (
            {"profiles": [{"min": [1, 3, 64, 64], "opt": [1, 3, 32, 32], "max": [1, 3, 96, 96]}]},
            "a profile has 1 <= min <= opt <= max in every dimension",
        ),
    ],
)
def test_a_broken_sidecar_is_refused(changes: dict[str, object], message: str, engine: Path) -> None:
    edit(engine, **changes)
    with pytest.raises(ModelError) as caught:
        read_engine(engine)
    assert caught.value.message.startswith(f"{engine}.json is broken: {message}")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_a_sidecar_that_is_no_json_is_refused(text: bytes, engine: Path) -> None:
    sidecar_path(engine).write_bytes(text)
    with pytest.raises(ModelError, match=r"model.engine.json is broken: "):
        read_engine(engine)


def test_another_version_of_tensorrt_is_refused() -> None:
    check_version(Path("m.engine"), record(), "TensorRT for RTX", "1.7.1")
    with pytest.raises(ModelError) as caught:
        check_version(Path("m.engine"), record(), "TensorRT for RTX", "1.8.0")
    assert str(caught.value) == (
        "m.engine was built by TensorRT for RTX 1.7.1, and 1.8.0 is installed. Build it again with: ocrdeploy "
        "build-engine model.onnx --runtime tensorrt-rtx --compute-capability sm86 --compute-capability sm89"
    )


def test_another_gpu_is_refused() -> None:
    for name in ("sm86", "sm89"):
        check_architecture(Path("m.engine"), record(), name)
    with pytest.raises(ModelError) as caught:
        check_architecture(Path("m.engine"), record(), "sm120")
    assert str(caught.value) == (
        "m.engine was built for sm86, sm89, and this GPU is sm120. Build it again with: "
        "ocrdeploy build-engine model.onnx --runtime tensorrt-rtx --compute-capability sm120"
    )


def test_tensorrt_is_told_no_architecture() -> None:
    assert rebuild_command(record("tensorrt"), ("sm90",)) == "ocrdeploy build-engine model.onnx --runtime tensorrt"


def test_a_folder_that_does_not_exist_is_made(tmp_path: Path) -> None:
    write_engine(tmp_path / "missing" / "model.engine", PLAN, record())
    assert {path.name for path in (tmp_path / "missing").iterdir()} == {"model.engine", "model.engine.json"}


def test_a_model_that_was_replaced_since_is_told_with_the_command_that_builds_again(tmp_path: Path) -> None:
    model, weights = tmp_path / "m.onnx", tmp_path / "w.bin"
    for path in (model, weights):
        path.write_bytes(b"first")
    made = record(onnx=file_record(model), weights=(file_record(weights),))
    assert replaced_file(made) is None
    assert rebuild_advice(made) == f"Build it again with: {rebuild_command(made)}"
    check_built_from(Path("m.engine"), made, model)
    weights.write_bytes(b"other")
    assert replaced_file(made) == weights
    with pytest.raises(ModelError, match=r"m\.engine was not built from .* as it is now: .*w\.bin holds other weights"):
        check_built_from(Path("m.engine"), made, model)
    model.write_bytes(b"other")
    assert rebuild_advice(made).endswith(f"({model} is not the file any more that it was built from)")
    with pytest.raises(ModelError, match=made.onnx.sha256) as caught:
        check_built_from(Path("m.engine"), made, model)
    assert "name m.engine itself" in str(caught.value.fix)
    model.unlink()
    weights.unlink()
    assert replaced_file(made) is None
