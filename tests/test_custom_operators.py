import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import helper

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import embed_spec, read_onnx_spec, sha256_of
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import FileRecord
from tests.support.tensorrt import RTX, QuietMonitor, needs_rtx

Seeded = Callable[[str], Path]

EMPTY_LIBRARY = "void *RegisterCustomOps(void *options, const void *api) { return 0; }"
"""A library that ONNX Runtime takes, with no operator in it."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that both runtimes load."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("library")
    (folder / "ops.c").write_text(EMPTY_LIBRARY)
    path = folder / "libops.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(path), str(folder / "ops.c")], check=True)
    return path


def with_unknown_operator(model: Path, path: Path, *libraries: Path) -> Path:
    """Write a model whose output goes through an operator that nobody knows; its spec names libraries."""
    changed = onnx.load_model(model)
    last = changed.graph.node[-1]
    output = last.output[0]
    last.output[0] = "inner"
    changed.graph.node.append(helper.make_node("Deformed", ["inner"], [output], name="deformed", domain="mmcv"))
    changed.opset_import.append(helper.make_opsetid("mmcv", 1))
    records = tuple(FileRecord(str(each), sha256_of(each) if each.is_file() else "00" * 32) for each in libraries)
    embed_spec(changed, msgspec.structs.replace(read_onnx_spec(model), custom_ops=records))
    onnx.save_model(changed, path)
    return path


def test_a_library_that_the_model_names_is_asked_for(seeded_onnx: Seeded, tmp_path: Path) -> None:
    path = with_unknown_operator(seeded_onnx("dbnet"), tmp_path / "m.onnx", Path("/elsewhere/libmmcvonnx.so"))
    with pytest.raises(ModelError) as caught:
        open_predictor(path)
    assert str(caught.value) == (
        f"{path} needs the operators of libmmcvonnx.so. Give the library with --custom-ops LIB.so."
    )


def test_a_library_is_never_loaded_because_a_model_names_it(
    seeded_onnx: Seeded, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    path = with_unknown_operator(seeded_onnx("dbnet"), tmp_path / "m.onnx", library)
    monkeypatch.setattr(
        onnxruntime.SessionOptions, "register_custom_ops_library", lambda *_arguments: pytest.fail("it was loaded")
    )
    with pytest.raises(ModelError, match="needs the operators of libops"):
        open_predictor(path)


def test_without_a_library_the_runtimes_own_words_are_shown(seeded_onnx: Seeded, tmp_path: Path) -> None:
    path = with_unknown_operator(seeded_onnx("dbnet"), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"cannot be opened by ONNX Runtime: .*Deformed"):
        open_predictor(path)


def test_a_library_that_is_given_is_loaded(seeded_onnx: Seeded, library: Path, tmp_path: Path) -> None:
    with open_predictor(seeded_onnx("dbnet"), custom_ops=[library]) as predictor:
        predictor.warm_up()
    path = with_unknown_operator(seeded_onnx("dbnet"), tmp_path / "m.onnx", library)
    with pytest.raises(ModelError, match=r"cannot be opened by ONNX Runtime: .*Deformed"):
        open_predictor(path, custom_ops=[str(library)])


def test_libraries_that_are_none_are_refused(seeded_onnx: Seeded, tmp_path: Path) -> None:
    path = tmp_path / "libops.so"
    with pytest.raises(ModelError, match=r"operator library .*libops.so does not exist"):
        open_predictor(seeded_onnx("dbnet"), custom_ops=[path])
    path.write_text("no library")
    with pytest.raises(ModelError, match=r"operator library .*libops.so cannot be loaded by ONNX Runtime: "):
        open_predictor(seeded_onnx("dbnet"), custom_ops=[path])


@needs_rtx
def test_a_build_records_both_kinds_of_libraries(seeded_onnx: Seeded, library: Path, tmp_path: Path) -> None:
    saved = tmp_path / "half.onnx"
    report = build_engine(
        BuildRequest(
            seeded_onnx("dbnet"), tmp_path / "m.engine", RTX, ("sm86",), fp16=True, save_onnx=saved,
            plugins=(library,), custom_ops=(library,),
        ),
        QuietMonitor(),
    )  # fmt: skip
    assert [Path(record.path) for record in report.record.plugins] == [library]
    assert [Path(record.path) for record in read_onnx_spec(saved).custom_ops] == [library]
    assert f"--plugin {library}" in report.record.rebuild
