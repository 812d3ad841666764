from pathlib import Path
from types import SimpleNamespace

import pytest

from ocrdeploy.backends import cuda
from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.backends.trt import Library, load_library, make_logger
from ocrdeploy.engines import targets
from ocrdeploy.engines.targets import choose_target, requested_flavour
from ocrdeploy.errors import DeviceError, UsageError
from tests.support.cuda_driver import FakeDriver
from tests.support.tensorrt import RTX, needs_rtx

pytestmark = needs_rtx


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A GPU."""
    driver = FakeDriver((8, 9))
    for module in (cuda, targets):
        monkeypatch.setattr(module, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(targets, "CudaDevice", lambda index: CudaDevice(index, driver))
    return driver


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cuda, targets):
        monkeypatch.setattr(module, "cuda_device_count", lambda: 0)


def tensorrt() -> Library:
    return Library("tensorrt", SimpleNamespace(__version__="11.0"), make_logger(load_library(RTX).trt))


def test_tensorrt_builds_for_the_gpu_that_is_here(driver: FakeDriver) -> None:
    target = choose_target(tensorrt(), (), None)
    assert (target.architectures, target.compute_capabilities) == (("sm89",), ())
    with target.active():
        assert driver.current is not None
    assert driver.current is None
    target.close()
    assert (driver.streams, driver.contexts) == (set(), 0)


@pytest.mark.usefixtures("no_gpu")
def test_tensorrt_needs_a_gpu() -> None:
    with pytest.raises(DeviceError) as caught:
        choose_target(tensorrt(), (), None)
    assert str(caught.value) == (
        "TensorRT builds on the NVIDIA GPU that will run the engine, and this machine shows none. "
        "Build ahead of time with: --runtime tensorrt-rtx --compute-capability sm86"
    )


@pytest.mark.usefixtures("no_gpu")
def test_tensorrt_for_rtx_builds_for_what_is_named() -> None:
    library = load_library(RTX)
    target = choose_target(library, ("SM86", " sm75", "sm86"), None)
    assert (target.architectures, target.compute_capabilities, target.gpu) == (("sm86", "sm75"), ("sm86", "sm75"), None)
    with target.active():
        target.close()


@pytest.mark.parametrize("names", [(), ("current",)])
def test_the_default_is_the_gpu_that_is_here(names: tuple[str, ...], driver: FakeDriver) -> None:
    target = choose_target(load_library(RTX), names, None)
    assert (target.architectures, target.compute_capabilities) == (("sm89",), ("current",))


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_an_architecture_must_be_named() -> None:
    with pytest.raises(DeviceError) as caught:
        choose_target(load_library(RTX), (), None)
    message = str(caught.value)
    assert message.startswith(
        "this machine shows no GPU to build for. Name one with --compute-capability: sm75, sm80, "
    )
    assert message.endswith(".")
    with pytest.raises(DeviceError) as refused:
        choose_target(load_library(RTX), ("current",), None)
    assert str(refused.value).startswith(
        "--compute-capability current is that of an NVIDIA GPU which is here, and this machine shows none. "
        "Name one of sm75, sm80, "
    )


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["8.6", "86", "sm_86", "SM86", " sm86 ", "compute_86"])
def test_an_architecture_has_several_names(name: str) -> None:
    assert choose_target(load_library(RTX), (name, "12.0"), None).architectures == ("sm86", "sm120")


@pytest.mark.parametrize("names", [(), ("current",)])
def test_a_gpu_that_the_flavour_does_not_know_is_refused_before_the_build(
    names: tuple[str, ...], driver: FakeDriver
) -> None:
    driver.capability = (9, 0)
    library = load_library(RTX)
    with pytest.raises(DeviceError) as caught:
        choose_target(library, names, None)
    assert caught.value.message.startswith(f"{library.name} does not run on this GPU: it builds for sm75, sm80, ")
    assert caught.value.message.endswith(", and this GPU is sm90")
    assert (driver.streams, driver.contexts) == (set(), 0)
    # For others it still builds ahead of time.
    assert choose_target(library, ("sm86",), None).architectures == ("sm86",)


@pytest.mark.parametrize("names", [("sm12",), ("sm86", "current"), ("sm90",), ("",), ("none",)])
def test_an_architecture_that_does_not_exist_is_refused(names: tuple[str, ...]) -> None:
    library = load_library(RTX)
    with pytest.raises(UsageError) as caught:
        choose_target(library, names, None)
    assert caught.value.message.startswith(f"{library.name} builds for sm75, sm80, ")
    assert caught.value.message.endswith(f", or current alone, got --compute-capability {names[-1]}")


def test_options_of_the_other_flavour_are_refused() -> None:
    assert requested_flavour("tensorrt", (), Path("cache")) == "tensorrt"
    assert requested_flavour("tensorrt-rtx", ("sm86",), None) == "tensorrt-rtx"
    with pytest.raises(UsageError) as caught:
        requested_flavour("tensorrt", ("sm86",), None)
    assert str(caught.value) == (
        "TensorRT builds for the GPU that it runs on, so --compute-capability is for TensorRT for RTX alone. "
        "Leave it out, or add --runtime tensorrt-rtx."
    )
    with pytest.raises(UsageError) as caught:
        requested_flavour("tensorrt-rtx", (), Path("cache"))
    assert str(caught.value) == (
        "TensorRT for RTX measures nothing while it builds, so it has no timing cache. Leave it out."
    )


def test_the_flavour_that_is_installed_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "default_flavour", lambda: "tensorrt")
    assert requested_flavour(None, (), None) == "tensorrt"
