import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from ocrdeploy.backends import onnx_sessions
from ocrdeploy.backends.onnx import OnnxRuntimeBackend
from ocrdeploy.backends.onnx_sessions import SessionSource, cuda_options, run_bound
from ocrdeploy.errors import OcrDeployWarning, OutputError
from ocrdeploy.graphs.small_model import write_small_model
from ocrdeploy.hardware import CPU, Device
from tests.support.batches import batch_of

BATCH: NDArray[np.float32] = np.random.default_rng(0).standard_normal((1, 3, 64, 96), dtype=np.float32)


@pytest.fixture
def model(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(seeded_onnx("dbnet"), tmp_path / "dbnet.onnx"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def outputs_of(model: Path, cache: Path | None) -> NDArray[np.float32]:
    return OnnxRuntimeBackend(model, CPU, 1, optimized_model_cache=cache).run(batch_of(BATCH))["prob_map"]


def test_an_optimised_model_is_kept_and_gives_the_same(model: Path, cache: Path) -> None:
    expected = outputs_of(model, None)
    np.testing.assert_array_equal(outputs_of(model, cache), expected)
    (kept,) = cache.iterdir()
    assert kept.name.startswith("dbnet.")
    written = kept.stat().st_mtime_ns
    # Optimising has happened: what ONNX Runtime computes in its own layout has operators of its own.
    assert {node.domain for node in onnx.load_model(kept).graph.node} - {""}
    backend = OnnxRuntimeBackend(model, CPU, 1, optimized_model_cache=cache)
    assert "ocrdeploy" in backend.metadata
    np.testing.assert_array_equal(backend.run(batch_of(BATCH))["prob_map"], expected)
    (again,) = cache.iterdir()
    assert again.stat().st_mtime_ns == written


def test_it_is_what_is_loaded(model: Path, cache: Path) -> None:
    outputs_of(model, cache)
    (kept,) = cache.iterdir()
    changed = onnx.load_model(kept)
    changed.metadata_props.add(key="marked", value="yes")
    onnx.save_model(changed, kept)
    assert OnnxRuntimeBackend(model, CPU, 1, optimized_model_cache=cache).metadata["marked"] == "yes"


def test_another_model_of_the_same_name_has_a_file_of_its_own(
    model: Path, cache: Path, seeded_onnx: Callable[[str], Path]
) -> None:
    outputs_of(model, cache)
    shutil.copy(seeded_onnx("panet"), model)
    assert OnnxRuntimeBackend(model, CPU, 1, optimized_model_cache=cache).output_names == ["maps"]
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("fact", ["version", "processor"])
def test_another_version_or_processor_optimises_anew(
    model: Path, cache: Path, fact: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs_of(model, cache)
    if fact == "version":
        monkeypatch.setattr(onnxruntime, "__version__", "0.0.1")
    else:
        (tmp_path / "cpuinfo").write_text("model name : another\nflags : sse\n")
        monkeypatch.setattr(onnx_sessions, "CPU_FACTS", tmp_path / "cpuinfo")
    outputs_of(model, cache)
    assert len(list(cache.iterdir())) == 2


def test_a_broken_file_is_replaced(model: Path, cache: Path) -> None:
    expected = outputs_of(model, cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(b"broken")
    np.testing.assert_array_equal(outputs_of(model, cache), expected)
    assert kept.stat().st_size > 1000
    assert [path.name for path in cache.iterdir()] == [kept.name]


def test_a_model_that_is_replaced_while_it_is_opened_is_not_kept_under_the_hash_of_the_old_one(
    model: Path, cache: Path, seeded_onnx: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = onnx_sessions.Session

    def replacing(path: str, **options: object) -> onnx_sessions.Session:
        if path == str(model):
            shutil.copy(seeded_onnx("panet"), model)
        return real(path, **options)

    monkeypatch.setattr(onnx_sessions, "Session", replacing)
    with pytest.warns(OcrDeployWarning, match="was replaced while it was opened"):
        SessionSource(model, cache=cache).open(CPU, 1)
    assert not list(cache.iterdir())


def test_weights_in_other_files_are_not_kept(model: Path, cache: Path) -> None:
    proto = onnx.load_model(model)
    onnx.save_model(proto, model, save_as_external_data=True, location="weights.bin", size_threshold=1000)
    outputs_of(model, cache)
    assert not list(cache.iterdir())


@pytest.mark.parametrize("fault", ["read-only", "full"])
def test_a_folder_that_cannot_be_written_to_is_done_without(
    model: Path, cache: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outputs_of(model, None)

    @contextmanager
    def read_only(path: Path) -> Iterator[Path]:
        raise OutputError(f"{path} cannot be written: the file system is read-only")
        yield path

    @contextmanager
    def full(_path: Path) -> Iterator[Path]:
        yield Path("/dev/full")

    monkeypatch.setattr(onnx_sessions, "atomic_write", read_only if fault == "read-only" else full)
    with pytest.warns(OcrDeployWarning, match=f"the optimised model is not kept in {cache}: "):
        np.testing.assert_array_equal(outputs_of(model, cache), expected)


def test_a_long_name_of_any_script_is_cut_by_its_bytes(model: Path, cache: Path) -> None:
    renamed = model.rename(model.with_name("模" * 80 + ".onnx"))
    outputs_of(renamed, cache)
    (kept,) = cache.iterdir()
    assert kept.name.startswith("模" * 33 + ".")


def test_a_folder_that_is_not_there_is_never_made(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder for optimised models .*none does not exist"):
        SessionSource(model, (), tmp_path / "none").open(CPU, 1)
    assert not (tmp_path / "none").exists()


def test_a_run_on_a_gpu_binds_its_input_there_and_its_outputs_here(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = np.ones((1, 1, 64, 96), np.float32)
    binding = create_autospec(onnxruntime.IOBinding, instance=True)
    binding.copy_outputs_to_cpu.return_value = [expected]
    session = create_autospec(onnxruntime.InferenceSession, instance=True)
    session.io_binding.return_value = binding
    value = create_autospec(onnxruntime.OrtValue, instance=True)
    from_numpy = create_autospec(onnxruntime.OrtValue.ortvalue_from_numpy, return_value=value)
    monkeypatch.setattr(onnxruntime, "OrtValue", SimpleNamespace(ortvalue_from_numpy=from_numpy))
    (output,) = run_bound(session, batch_of(BATCH), ["prob_map"], Device(1))
    assert output is expected
    from_numpy.assert_called_once_with(BATCH, "cuda", 1)
    binding.bind_ortvalue_input.assert_called_once_with("input", value)
    binding.bind_output.assert_called_once_with("prob_map", "cpu")
    session.run_with_iobinding.assert_called_once_with(binding)
    session.run.assert_not_called()
    # The backend runs so where it is on a GPU, whatever the array's layout.
    backend = OnnxRuntimeBackend(model, CPU, 1)
    backend.device, backend._session = Device(1), session
    assert backend.run(batch_of(np.asfortranarray(BATCH)))["prob_map"] is expected
    assert from_numpy.call_args.args[0].flags.c_contiguous


def test_binding_gives_what_a_run_gives(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls are right: the real binding, with the input on the CPU for want of a GPU."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    real = onnxruntime.OrtValue.ortvalue_from_numpy
    on_cpu = SimpleNamespace(ortvalue_from_numpy=lambda array, _device, _index: real(array))
    monkeypatch.setattr(onnxruntime, "OrtValue", on_cpu)
    (output,) = run_bound(session, batch_of(BATCH), ["prob_map"], Device(0))
    np.testing.assert_array_equal(output, session.run(None, {"input": BATCH})[0])


def test_a_reader_searches_no_algorithm_for_each_shape_and_flushes_what_is_too_small(tmp_path: Path) -> None:
    assert cuda_options(0, tf32=False, for_reading=True)["cudnn_conv_algo_search"] == "DEFAULT"
    assert "cudnn_conv_algo_search" not in cuda_options(0, tf32=False)
    path = tmp_path / "small.onnx"
    write_small_model(path)
    session = SessionSource(path, for_reading=True).open(CPU, 1)
    assert session.get_session_options().get_session_config_entry("session.set_denormal_as_zero") == "1"
