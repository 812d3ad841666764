import shutil
from pathlib import Path

import msgspec
import onnx
import pytest

from ocrdeploy.artifacts import embed_spec, file_record, read_onnx_spec, sha256_of
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import FileRecord, Source
from ocrdeploy.running.libraries import check_libraries
from ocrdeploy.running.opening import Opening
from ocrdeploy.running.sources import ModelSource


@pytest.fixture
def exported(sample_dir: Path, tmp_path: Path, sample_onnx: Path) -> Path:
    """A model that records a config and a checkpoint in its own folder."""
    for name in ("dbnet_sample.py", "dbnet_sample.pth"):
        shutil.copy(sample_dir / name, tmp_path)
    model = onnx.load_model(sample_onnx)
    spec = read_onnx_spec(sample_onnx)
    config, checkpoint = tmp_path / "dbnet_sample.py", tmp_path / "dbnet_sample.pth"
    embed_spec(model, msgspec.structs.replace(spec, source=Source(file_record(config), file_record(checkpoint))))
    path = tmp_path / "out/m.onnx"
    path.parent.mkdir()
    onnx.save_model(model, path)
    return path


@pytest.mark.parametrize(("name", "option"), [("dbnet_sample.pth", "--checkpoint"), ("dbnet_sample.py", "--config")])
def test_another_file_in_the_recorded_place_is_refused_unless_it_is_named(
    exported: Path, tmp_path: Path, name: str, option: str
) -> None:
    recorded = tmp_path / name
    before = sha256_of(recorded)
    recorded.write_bytes(recorded.read_bytes() + b"\n")
    with pytest.raises(ModelError) as caught:
        ModelSource(exported).made_from()
    assert before in caught.value.message
    assert sha256_of(recorded) in caught.value.message
    assert caught.value.fix == f"To take it all the same, name it: {option} {recorded}"
    named = {option.removeprefix("--"): recorded}
    assert recorded in ModelSource(exported).made_from(**named)


def test_a_base_of_the_config_that_has_changed_is_refused_unless_the_config_is_named(
    exported: Path, tmp_path: Path
) -> None:
    base, inner, config = (tmp_path / name for name in ("base.py", "inner.py", "config.py"))
    inner.write_text("a = 1\n")
    base.write_text("_base_ = ['inner.py']\nb = 2\n")
    config.write_text("_base_ = 'base.py'\nc = 3\n")
    model = onnx.load_model(exported)
    source = Source(
        file_record(config), file_record(tmp_path / "dbnet_sample.pth"), (file_record(base), file_record(inner))
    )
    embed_spec(model, msgspec.structs.replace(read_onnx_spec(exported), source=source))
    onnx.save_model(model, exported)
    assert ModelSource(exported).made_from()[0] == config
    inner.write_text("a = 2\n")
    with pytest.raises(ModelError) as caught:
        ModelSource(exported).made_from()
    assert caught.value.message.startswith(f"{inner}, on which {config} is based, is not the file that {exported} was")
    assert source.bases[1].sha256 in caught.value.message
    assert ModelSource(exported).made_from(config=config)[0] == config


def test_the_right_file_beside_the_model_is_taken_rather_than_another_in_the_recorded_place(
    exported: Path, tmp_path: Path
) -> None:
    recorded = tmp_path / "dbnet_sample.pth"
    beside = Path(shutil.copy(recorded, exported.parent))
    assert ModelSource(exported).made_from()[1] == recorded
    recorded.write_bytes(b"another")
    assert ModelSource(exported).made_from()[1] == beside
    recorded.unlink()
    assert ModelSource(exported).made_from()[1] == beside
    beside.write_bytes(b"another")
    with pytest.raises(ModelError, match=rf"{beside} is not the checkpoint that"):
        ModelSource(exported).made_from()


def test_libraries_are_those_that_the_model_was_made_with_unless_others_are_allowed(tmp_path: Path) -> None:
    right, wrong = tmp_path / "a.so", tmp_path / "b.so"
    right.write_bytes(b"right")
    wrong.write_bytes(b"wrong")
    recorded, model = [FileRecord("/old/a.so", sha256_of(right))], Path("m.onnx")
    check_libraries("--plugin", [wrong, right], recorded, model, Opening())
    check_libraries("--plugin", [wrong], [], model, Opening())
    check_libraries("--plugin", [wrong], recorded, model, Opening(other_libraries=True))
    with pytest.raises(
        ModelError, match=r"m\.onnx needs the plugins of a\.so\. Give the library with --plugin LIB\.so"
    ):
        check_libraries("--plugin", [], recorded, model, Opening())
    with pytest.raises(ModelError) as caught:
        check_libraries("--plugin", [wrong], recorded, model, Opening())
    assert sha256_of(right) in caught.value.message
    assert sha256_of(wrong) in caught.value.message
    assert "--other-libraries" in caught.value.fix
