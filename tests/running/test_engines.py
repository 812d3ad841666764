import json
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import onnx
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import sha256_of
from ocrdeploy.backends import cuda
from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.backends.trt import load_library
from ocrdeploy.backends.trt_runtime import TensorRTBackend
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.files import read_engine, sidecar_path, write_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.engines.shape_requests import GivenProfile, ShapeRequest
from ocrdeploy.errors import DeviceError, MissingPackageError, ModelError, UsageError
from ocrdeploy.model_spec import FileRecord
from ocrdeploy.results import Recognition
from ocrdeploy.running import engines as opening
from ocrdeploy.verification.inputs import drawn_images
from tests.support.cuda_driver import FakeDriver, noting
from tests.support.models import write_model
from tests.support.tensorrt import RTX, EngineStandIn, QuietMonitor, needs_rtx

pytestmark = needs_rtx

Seeded = Callable[[str], Path]

FLOAT32_SUMS = 1e-5
"""Of polygons and scores: the stand-in and the predictor split their work over different numbers of threads."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """Engines of the small models for sm86, made when first asked for."""
    folder = tmp_path_factory.mktemp("engines")

    def make(architecture: str, model: Path) -> Path:
        path = folder / f"{architecture}.engine"
        if not path.exists():
            shapes = ShapeRequest(max_batch=2)
            build_engine(BuildRequest(model, path, RTX, ("sm86",), shapes=shapes), QuietMonitor())
        return path

    return make


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeDriver]:
    """Pretend that there is a GPU, and that an engine's stand-in is what TensorRT loads."""

    def pretend(stand_in: EngineStandIn | None = None, capability: tuple[int, int] = (8, 6)) -> FakeDriver:
        driver = FakeDriver(capability)
        monkeypatch.setattr(cuda, "cuda_device_count", lambda: 1)
        monkeypatch.setattr(opening, "CudaDevice", lambda index: CudaDevice(index, driver))
        if stand_in is not None:
            monkeypatch.setattr(opening, "load_library", lambda _flavour: stand_in.library())
        return driver

    return pretend


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "cuda_device_count", lambda: 0)


def copy_engine(source: Path, folder: Path, **changes: object) -> Path:
    """Return a copy of an engine whose record is changed."""
    record, plan = read_engine(source)
    path = folder / source.name
    write_engine(path, plan, msgspec.structs.replace(record, **changes))
    return path


@pytest.mark.parametrize("architecture", ["dbnet", "crnn"])
def test_an_engine_gives_the_results_of_its_onnx_model(
    architecture: str, seeded_onnx: Seeded, engine: Callable[[str, Path], Path], gpu: Callable[..., FakeDriver]
) -> None:
    model = seeded_onnx(architecture)
    path = engine(architecture, model)
    stand_in = EngineStandIn(onnx.load_model(model), read_engine(path)[0].profiles)
    driver = gpu(stand_in)
    with open_predictor(model) as reference, open_predictor(path) as predictor:
        assert (predictor.backend.name, predictor.backend.precision) == ("tensorrt", "fp32")
        assert str(predictor.backend.device) == "cuda:0"
        assert predictor.spec == reference.spec
        predictor.warm_up()
        images = drawn_images(reference.spec)[1:]
        for expected, actual in zip(reference(images), predictor(images), strict=True):
            if isinstance(expected, Recognition):
                assert isinstance(actual, Recognition)
                assert actual.text == expected.text
                np.testing.assert_allclose(actual.char_scores, expected.char_scores, atol=FLOAT32_SUMS)
                continue
            assert not isinstance(actual, Recognition)
            assert len(actual) == len(expected)
            for one, other in zip(actual, expected, strict=True):
                np.testing.assert_allclose(one.polygon, other.polygon, atol=FLOAT32_SUMS)
                assert one.score == pytest.approx(other.score, abs=FLOAT32_SUMS)
    assert stand_in.plans == [path.read_bytes()]
    assert (driver.blocks, driver.pinned, driver.contexts) == ({}, {}, 0)


def test_a_profile_that_leaves_small_inputs_out_does_not_hinder_the_warm_up(
    seeded_onnx: Seeded, tmp_path: Path, gpu: Callable[..., FakeDriver]
) -> None:
    model, path = seeded_onnx("dbnet"), tmp_path / "large.engine"
    shapes = ShapeRequest((GivenProfile((1, 3, 192, 256), (1, 3, 192, 320)),))
    build_engine(BuildRequest(model, path, RTX, ("sm86",), shapes=shapes), QuietMonitor())
    stand_in = EngineStandIn(onnx.load_model(model), read_engine(path)[0].profiles)
    gpu(stand_in)
    with open_predictor(path) as predictor:
        # TensorRT has run once when the engine was opened.
        assert stand_in.runs == [(0, (1, 3, 192, 320))]
        predictor.warm_up()
        assert isinstance(predictor(np.full((192, 300, 3), 128, np.uint8)), list)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_reason_and_the_remedy_are_told(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path]
) -> None:
    model = seeded_onnx("dbnet")
    with pytest.raises(DeviceError) as caught:
        open_predictor(engine("dbnet", model))
    assert str(caught.value) == (
        "TensorRT for RTX runs engines on NVIDIA GPUs, and this machine shows none. "
        f"Run the model that the engine was built from: --backend onnxruntime {model}"
    )
    assert caught.value.exit_code == 3


@pytest.mark.usefixtures("no_gpu")
def test_what_is_wrong_with_the_file_is_told_first(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path
) -> None:
    path = copy_engine(engine("dbnet", seeded_onnx("dbnet")), tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="its SHA-256 is another"):
        open_predictor(path)


def test_an_engine_of_another_version_is_refused(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path
) -> None:
    path = copy_engine(engine("dbnet", seeded_onnx("dbnet")), tmp_path, version="1.2.0.54")
    with pytest.raises(ModelError) as caught:
        open_predictor(path)
    installed = load_library(RTX).version
    assert caught.value.message == f"{path} was built by TensorRT for RTX 1.2.0.54, and {installed} is installed"
    assert caught.value.fix.startswith("Build it again with: ocrdeploy build-engine ")
    assert caught.value.fix.endswith(" --compute-capability sm86")


def test_an_engine_of_the_other_flavour_names_what_is_missing(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_engine(engine("dbnet", seeded_onnx("dbnet")), tmp_path, runtime="tensorrt")
    monkeypatch.setattr("ocrdeploy.backends.trt.is_installed", lambda _flavour: False)
    with pytest.raises(MissingPackageError) as caught:
        open_predictor(path)
    assert str(caught.value) == (
        "TensorRT is needed to build and run engines, and it is not installed. "
        "Install it with: pip install 'ocrdeploy[tensorrt]'"
    )


def test_an_engine_for_another_gpu_is_refused_before_tensorrt_sees_it(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], gpu: Callable[..., FakeDriver]
) -> None:
    model = seeded_onnx("dbnet")
    path = engine("dbnet", model)
    driver = gpu(capability=(12, 0))
    with pytest.raises(ModelError) as caught:
        open_predictor(path)
    assert str(caught.value) == (
        f"{path} was built for sm86, and this GPU is sm120. Build it again with: ocrdeploy build-engine {model} "
        f"--runtime tensorrt-rtx -o {path} --max-batch 2 --compute-capability sm120"
    )
    assert driver.contexts == 0


def test_plugins_are_asked_for_and_never_loaded_by_themselves(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path, gpu: Callable[..., FakeDriver]
) -> None:
    model = seeded_onnx("dbnet")
    library = tmp_path / "libmmcv_trt.so"
    library.write_text("no library")
    path = copy_engine(engine("dbnet", model), tmp_path, plugins=(FileRecord(str(library), sha256_of(library)),))
    gpu()
    with pytest.raises(ModelError) as caught:
        open_predictor(path)
    assert str(caught.value) == (f"{path} needs the plugins of libmmcv_trt.so. Give the library with --plugin LIB.so.")
    with pytest.raises(ModelError, match=r"plugin library .*libmmcv_trt.so cannot be loaded"):
        open_predictor(path, plugins=[library])


def test_an_engine_without_a_spec_takes_a_config(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path, gpu: Callable[..., FakeDriver]
) -> None:
    model = seeded_onnx("dbnet")
    path = copy_engine(engine("dbnet", model), tmp_path, spec=None)
    driver = gpu(EngineStandIn(onnx.load_model(model), read_engine(path)[0].profiles))
    with pytest.raises(ModelError) as caught:
        open_predictor(path)
    assert str(caught.value) == (
        f"{path} was built from a model without a spec. Give the MMOCR config that it was made from with --config."
    )
    assert driver.contexts == 0
    with open_predictor(path, config=write_model(tmp_path, "dbnet").config) as predictor:
        assert (predictor.spec.architecture, predictor.spec.outputs[0].name) == ("DBNet", "prob_map")


def test_a_spec_of_another_engine_is_refused(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path, gpu: Callable[..., FakeDriver]
) -> None:
    model = seeded_onnx("dbnet")
    record, plan = read_engine(engine("dbnet", model))
    path = tmp_path / "m.engine"
    write_engine(path, plan, record)
    document = json.loads(sidecar_path(path).read_text())
    document["spec"]["outputs"][0]["name"] = "maps"
    sidecar_path(path).write_text(json.dumps(document))
    gpu(EngineStandIn(onnx.load_model(model), record.profiles))
    with pytest.raises(ModelError, match=r"speaks of 'input' and \['maps'\], the graph has 'input' and \['prob_map'\]"):
        open_predictor(path)


def test_a_device_that_is_named_is_obeyed_or_refused(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], gpu: Callable[..., FakeDriver]
) -> None:
    path = engine("dbnet", seeded_onnx("dbnet"))
    gpu()
    with pytest.raises(DeviceError, match="cuda:3 does not exist: this machine shows 1 CUDA devices"):
        open_predictor(path, device="cuda:3")
    with pytest.raises(DeviceError, match="runs engines on NVIDIA GPUs, and --device cpu was asked for"):
        open_predictor(path, device="cpu")


def test_tensorrt_runs_engines_alone(seeded_onnx: Seeded, tmp_path: Path) -> None:
    model = seeded_onnx("dbnet")
    with pytest.raises(UsageError) as caught:
        open_predictor(model, backend="TensorRT")
    assert str(caught.value) == (
        f"TensorRT runs engines (.engine, .plan, .trt), got {model}. Build one with: ocrdeploy build-engine {model}"
    )
    with pytest.raises(UsageError, match="TensorRT runs engines"):
        open_predictor(tmp_path / "model.pth", backend="trt")


def test_images_of_every_size_find_a_profile(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path, gpu: Callable[..., FakeDriver]
) -> None:
    model = seeded_onnx("crnn")
    path = engine("crnn", model)
    gpu(EngineStandIn(onnx.load_model(model), read_engine(path)[0].profiles))
    cv2.imwrite(str(tmp_path / "word.png"), np.full((20, 300, 3), 90, np.uint8))
    with open_predictor(path) as predictor:
        for image in (tmp_path / "word.png", np.full((31, 10, 3), 200, np.uint8)):
            assert isinstance(predictor(image), Recognition)


def test_an_engine_whose_spec_is_refused_goes_before_its_gpu(
    seeded_onnx: Seeded,
    engine: Callable[[str, Path], Path],
    tmp_path: Path,
    gpu: Callable[..., FakeDriver],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = copy_engine(engine("dbnet", seeded_onnx("dbnet")), tmp_path, spec=None)
    driver = gpu(EngineStandIn(onnx.load_model(seeded_onnx("dbnet")), read_engine(path)[0].profiles))
    order: list[str] = []
    close, release = TensorRTBackend.close, driver.cuDevicePrimaryCtxRelease_v2
    monkeypatch.setattr(TensorRTBackend, "close", noting(order, "engine", close))
    monkeypatch.setattr(driver, "cuDevicePrimaryCtxRelease_v2", noting(order, "GPU", release))
    with pytest.raises(ModelError, match="was built from a model without a spec"):
        open_predictor(path)
    assert order == ["engine", "GPU"]
    assert (driver.blocks, driver.pinned, driver.streams, driver.contexts) == ({}, {}, set(), 0)


def test_an_engine_for_gpus_that_its_flavour_does_not_know_is_refused(
    seeded_onnx: Seeded, engine: Callable[[str, Path], Path], tmp_path: Path, gpu: Callable[..., FakeDriver]
) -> None:
    path = engine("dbnet", seeded_onnx("dbnet"))
    gpu(capability=(9, 0))
    library = load_library(RTX)
    with pytest.raises(ModelError) as caught:
        open_predictor(copy_engine(path, tmp_path, gpu_architectures=("sm90",)))
    assert caught.value.message.startswith(
        f"{tmp_path}/dbnet.engine was built for sm90, which {library.name} does not know: it knows sm75, "
    )
    with pytest.raises(DeviceError, match=r"does not run on this GPU: it knows sm75, .*, and this GPU is sm90"):
        open_predictor(path)
