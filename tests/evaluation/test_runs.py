import shutil
from pathlib import Path

import msgspec
import onnx
import pytest

from ocrdeploy.artifacts import METADATA_KEY, embed_spec, file_record, sha256_of
from ocrdeploy.engines.files import write_engine
from ocrdeploy.errors import ModelError, UsageError
from ocrdeploy.evaluation.runs import Run, identity_of, plan_runs, planned_precision, read_spec
from ocrdeploy.model_spec import EngineRecord, ShapeProfile
from ocrdeploy.running.opening import Opening


def plan(models: list[str], backends: str | None, folder: Path = Path()) -> list[tuple[str, str]]:
    return [(str(run.model), run.backend) for run in plan_runs([Path(name) for name in models], backends, None, folder)]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrdeploy.evaluation.runs.cuda_device_count", lambda: 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_model_runs_on_what_it_is_for() -> None:
    assert plan(["a.onnx", "b.engine", "c.pth"], None) == [
        ("a.onnx", "onnxruntime"), ("b.engine", "tensorrt"), ("c.pth", "torch"),
    ]  # fmt: skip


def test_one_backend_is_taken_for_all_models_as_asked() -> None:
    assert plan(["a.onnx", "b.onnx"], "PyTorch") == [("a.onnx", "torch"), ("b.onnx", "torch")]


def test_of_several_backends_each_model_has_those_that_run_it() -> None:
    assert plan(["a.onnx", "a.engine", "c.pth"], "torch,onnxruntime,tensorrt") == [
        ("a.onnx", "torch"), ("a.onnx", "onnxruntime"), ("a.engine", "tensorrt"), ("c.pth", "torch"),
    ]  # fmt: skip
    assert plan(["a.onnx", "b.onnx"], "onnx,torch") == [
        ("a.onnx", "onnxruntime"), ("a.onnx", "torch"), ("b.onnx", "onnxruntime"), ("b.onnx", "torch"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("models", "backends", "message"),
    [
        (["a.onnx"], "onnx,onnxruntime", "--backend names onnxruntime twice"),
        (["a.onnx", "./a.onnx"], None, r"the command line names a\.onnx for onnxruntime twice"),
        (["a.onnx", "a.onnx"], "torch,onnxruntime", r"the command line names a\.onnx for torch twice"),
    ],
)
def test_what_is_named_twice_is_refused(models: list[str], backends: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(models, backends)


def test_tensorrt_takes_the_engine_beside_an_onnx_model(folder: Path) -> None:
    (folder / "a.engine").touch()
    assert plan(["a.onnx"], "onnx,trt") == [("a.onnx", "onnxruntime"), ("a.engine", "tensorrt")]
    assert plan(["a.onnx"], "trt") == [("a.engine", "tensorrt")]
    assert plan(["b.onnx"], "trt") == [("b.onnx", "tensorrt")]


def test_an_engine_of_an_older_export_does_not_stand_for_the_model(folder: Path) -> None:
    model, engine = folder / "a.onnx", folder / "a.engine"
    model.write_bytes(b"older")
    profile = ShapeProfile((1, 3, 32, 32), (1, 3, 32, 32), (1, 3, 32, 32))
    made = EngineRecord(1, "", file_record(model), "tensorrt", "10", ("sm86",), "fp32", (profile,), "build")
    write_engine(engine, b"plan", made)
    assert plan(["a.onnx"], "trt") == [("a.engine", "tensorrt")]
    model.write_bytes(b"newer")
    for backends in ("trt", "onnx,trt"):
        with pytest.raises(ModelError, match=r"a\.engine was not built from a\.onnx as it is now"):
            plan(["a.onnx"], backends)
    assert plan(["a.engine"], None) == [("a.engine", "tensorrt")]


def test_without_an_engine_and_a_gpu_the_run_is_planned_to_say_so(folder: Path) -> None:
    runs = plan_runs([Path("a.onnx")], "onnx,trt", None, folder)
    assert runs[1] == Run(Path("a.engine"), "tensorrt", source=Path("a.onnx"))


def test_without_an_engine_but_with_a_gpu_it_is_to_be_built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrdeploy.evaluation.runs.cuda_device_count", lambda: 1)
    with pytest.raises(UsageError, match=r"there is no engine a\.engine beside a\.onnx") as caught:
        plan_runs([Path("a.onnx")], "onnx,trt", None, folder)
    assert caught.value.fix == "Build it with: ocrdeploy build-engine a.onnx"


def test_models_and_backends_without_a_counterpart_are_refused() -> None:
    with pytest.raises(UsageError, match=r"a\.engine runs on tensorrt, and --backend names torch, onnxruntime"):
        plan(["b.onnx", "a.engine"], "torch,onnxruntime")
    with pytest.raises(UsageError, match="none of the models runs on onnxruntime"):
        plan(["a.pth"], "torch,onnxruntime")
    with pytest.raises(UsageError, match="a backend is torch, onnxruntime, openvino or tensorrt, got ''"):
        plan(["a.onnx"], "torch,")
    with pytest.raises(ModelError, match=r"a\.jpg is not a model"):
        plan(["a.jpg"], "torch,onnxruntime")


def test_without_a_model_the_folders_is_taken_for_each_backend(folder: Path) -> None:
    (folder / "model.onnx").touch()
    assert plan([], None, folder) == [("model.onnx", "onnxruntime")]
    assert plan([], "torch,onnx", folder) == [("model.onnx", "torch"), ("model.onnx", "onnxruntime")]
    assert plan([], "onnx,trt", folder) == [("model.onnx", "onnxruntime"), ("model.engine", "tensorrt")]
    (folder / "other.engine").touch()
    assert plan([], "onnx,trt", folder) == [("model.onnx", "onnxruntime"), ("other.engine", "tensorrt")]
    assert plan([], "TensorRT", folder) == [("other.engine", "tensorrt")]


def test_a_folder_without_a_model_or_with_several_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no \.onnx file for backend onnxruntime"):
        plan([], None, folder)
    with pytest.raises(UsageError, match=r"holds no \.engine or \.plan or \.trt file for backend tensorrt"):
        plan([], "trt", folder)
    for name in ("b.onnx", "a.onnx"):
        (folder / name).touch()
    with pytest.raises(UsageError, match=r"several models for backend torch: a\.onnx, b\.onnx"):
        plan([], "torch", folder)


def test_a_checkpoint_alone_is_the_model() -> None:
    assert plan_runs([], None, Path("c.pth"), Path()) == [Run(Path("c.pth"), "torch")]


def test_the_spec_of_an_onnx_model_serves_all_backends_of_it(sample_onnx: Path, tmp_path: Path) -> None:
    runs = [
        Run(sample_onnx, "onnxruntime"),
        Run(sample_onnx, "torch"),
        Run(tmp_path / "m.engine", "tensorrt", sample_onnx),
    ]
    specs = [read_spec(run, Opening()) for run in runs]
    assert specs[0] is not None
    assert specs[0] == specs[1] == specs[2]
    assert [planned_precision(run, specs[0], Opening()) for run in runs] == ["fp32"] * 3


def test_a_config_stands_in_for_a_spec(sample_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    config = sample_dir / "dbnet_sample.py"
    foreign = tmp_path / "foreign.onnx"
    model = onnx.load_model(sample_onnx)
    kept = [prop for prop in model.metadata_props if prop.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save_model(model, foreign)
    for run in (Run(foreign, "onnxruntime"), Run(tmp_path / "c.pth", "torch"), Run(foreign, "torch")):
        spec = read_spec(run, Opening(config=config))
        assert spec is not None
        assert (spec.architecture, spec.source) == ("DBNet", None)
    with pytest.raises(ModelError, match="holds no model spec"):
        read_spec(Run(foreign, "onnxruntime"), Opening())


def test_what_is_missing_or_told_only_by_the_open_model(tmp_path: Path) -> None:
    assert read_spec(Run(tmp_path / "c.pth", "torch"), Opening()) is None
    assert read_spec(Run(tmp_path / "m.onnx", "tensorrt"), Opening()) is None
    with pytest.raises(ModelError, match=r"none\.onnx does not exist"):
        read_spec(Run(tmp_path / "none.onnx", "onnxruntime"), Opening())
    with pytest.raises(ModelError, match=r"none\.engine does not exist"):
        read_spec(Run(tmp_path / "none.engine", "tensorrt"), Opening())


def test_what_a_run_gives_is_decided_by_its_files_and_by_what_the_config_says(
    sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    run = Run(sample_onnx, "onnxruntime")
    assert identity_of(run, Opening()) == [sha256_of(sample_onnx)]
    assert identity_of(Run(Path("none.onnx"), "onnxruntime"), Opening()) == []
    *files, said = identity_of(Run(sample_onnx, "torch"), Opening())
    assert files == [sha256_of(path) for path in (sample_onnx, sample_dir / "dbnet_sample.pth")]
    base, top = tmp_path / "base.py", tmp_path / "top.py"
    text = (sample_dir / "dbnet_sample.py").read_text()
    top.write_text("_base_ = './base.py'")
    found = []
    for changed in (text, text + "\n# a remark", text.replace("img_scale=(1333, 736)", "img_scale=(448, 256)")):
        base.write_text(changed)
        found.append(identity_of(Run(sample_dir / "dbnet_sample.pth", "torch"), Opening(config=top))[-1])
    assert [each == said for each in found] == [True, True, False]


def test_weights_in_files_of_their_own_count(sample_onnx: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(onnx.load_model(sample_onnx), path, save_as_external_data=True, location="m.bin")
    before = identity_of(Run(path, "onnxruntime"), Opening())
    assert before == [sha256_of(path), sha256_of(tmp_path / "m.bin")]
    content = bytearray((tmp_path / "m.bin").read_bytes())
    content[0] ^= 1
    (tmp_path / "m.bin").write_bytes(content)
    assert identity_of(Run(path, "onnxruntime"), Opening()) != before


def test_a_checkpoint_that_is_found_beside_the_model_counts(
    sample_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    spec = read_spec(Run(sample_onnx, "torch"), Opening())
    assert spec is not None
    assert spec.source is not None
    gone = msgspec.structs.replace(
        spec.source,
        config=msgspec.structs.replace(spec.source.config, path="/gone/dbnet_sample.py"),
        checkpoint=msgspec.structs.replace(spec.source.checkpoint, path="/gone/dbnet_sample.pth"),
    )
    model = onnx.load_model(sample_onnx)
    embed_spec(model, msgspec.structs.replace(spec, source=gone))
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere/moved.onnx"
    onnx.save_model(model, moved)
    files = [moved, sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth"]
    beside = [Path(shutil.copy(file, tmp_path)) for file in files]
    found = identity_of(Run(beside[0], "torch"), Opening())
    assert found[:2] == [sha256_of(files[0]), sha256_of(files[2])]
    assert identity_of(Run(moved, "torch"), Opening()) == [sha256_of(moved)]


def test_an_optimised_model_in_the_folder_is_none_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "crnn.onnx").touch()
    (tmp_path / f"crnn.{'8f833ae0' * 8}.onnx").touch()
    assert plan_runs([], None, None, tmp_path) == [Run(Path("crnn.onnx"), "onnxruntime")]
