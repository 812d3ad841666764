import ctypes
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocrdeploy.backends import trt as module
from ocrdeploy.backends.trt import (
    FLAVOURS,
    Library,
    Severity,
    default_flavour,
    load_library,
    load_plugins,
    make_logger,
    parse_flavour,
    polygraphy_for,
    title,
)
from ocrdeploy.errors import MachineError, MissingPackageError, ModelError, UsageError
from ocrdeploy.model_spec import TensorRTFlavour
from tests.support.tensorrt import needs_rtx

pytestmark = needs_rtx


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that exactly these packages are installed."""

    def pretend(*names: str) -> None:
        def find(name: str) -> object:
            return SimpleNamespace() if name in names else None

        monkeypatch.setattr(importlib.util, "find_spec", find)

    return pretend


def test_flavours_by_name() -> None:
    assert [parse_flavour(name) for name in ("tensorrt", "TensorRT", "trt")] == ["tensorrt"] * 3
    assert [parse_flavour(name) for name in ("tensorrt-rtx", "TENSORRT_RTX", "rtx")] == ["tensorrt-rtx"] * 3
    with pytest.raises(UsageError, match="--runtime is tensorrt or tensorrt-rtx, got 'cuda'"):
        parse_flavour("cuda")
    assert (title("tensorrt"), title("tensorrt-rtx")) == ("TensorRT", "TensorRT for RTX")


def test_the_default_is_tensorrt_where_it_is_installed(installed: Callable[..., None]) -> None:
    installed("tensorrt", "tensorrt_rtx")
    assert default_flavour() == "tensorrt"
    installed("tensorrt_rtx")
    assert default_flavour() == "tensorrt-rtx"
    installed()
    with pytest.raises(MissingPackageError) as caught:
        default_flavour()
    assert str(caught.value) == (
        "TensorRT is needed to build and run engines, and it is not installed. Install it with: "
        "pip install 'ocrdeploy[tensorrt]', or without a GPU: pip install 'ocrdeploy[tensorrt-rtx]'"
    )
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_flavour_that_is_missing_is_named_with_its_command(
    flavour: TensorRTFlavour, installed: Callable[..., None]
) -> None:
    installed()
    with pytest.raises(MissingPackageError) as caught:
        load_library.__wrapped__(flavour)
    assert str(caught.value) == (
        f"{title(flavour)} is needed to build and run engines, and it is not installed. "
        f"Install it with: pip install 'ocrdeploy[{flavour}]'"
    )


def test_a_broken_installation_is_told(installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    installed("tensorrt")

    def fail(_name: str) -> None:
        raise OSError("libnvinfer.so.10: cannot\nopen")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(MachineError) as caught:
        load_library.__wrapped__("tensorrt")
    assert str(caught.value) == (
        "TensorRT is installed, but does not load: libnvinfer.so.10: cannot open. "
        "Install it again with: pip install --force-reinstall 'ocrdeploy[tensorrt]'"
    )


def test_a_library_knows_its_name_and_is_loaded_once() -> None:
    library = load_library("tensorrt-rtx")
    assert library is load_library("tensorrt-rtx")
    assert library.name == f"TensorRT for RTX {library.version}"
    assert library.trt is sys.modules["tensorrt_rtx"]


def test_the_log_goes_to_whoever_listens() -> None:
    library = load_library("tensorrt-rtx")
    heard: list[tuple[Severity, str]] = []

    def listen(severity: Severity, message: str) -> None:
        heard.append((severity, message))

    severities = library.trt.ILogger.Severity
    with library.logging_to(listen):
        for name in ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"):
            library.logger.log(getattr(severities, name), name.lower())
    library.logger.log(severities.ERROR, "nobody listens")
    assert heard == [
        ("error", "internal_error"),
        ("error", "error"),
        ("warning", "warning"),
        ("info", "info"),
        ("verbose", "verbose"),
    ]


def test_users_of_the_log_that_overlap_each_hear_their_own() -> None:
    library = load_library("tensorrt-rtx")
    severity = library.trt.ILogger.Severity.ERROR
    heard: dict[str, list[str]] = {"first": [], "second": []}
    both_listen, first_is_done = threading.Barrier(2), threading.Event()

    def use(name: str) -> None:
        with library.logging_to(lambda _severity, message: heard[name].append(message)):
            both_listen.wait()
            library.logger.log(severity, f"for the {name}")
            if name == "second":
                first_is_done.wait()
                library.logger.log(severity, "still for the second")
        first_is_done.set()

    threads = [threading.Thread(target=use, args=(name,)) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    library.logger.log(severity, "for nobody")
    assert heard == {"first": ["for the first"], "second": ["for the second", "still for the second"]}


def test_messages_of_threads_that_tensorrt_starts_go_to_whoever_listens() -> None:
    library = load_library("tensorrt-rtx")
    heard: list[str] = []
    with library.logging_to(lambda _severity, message: heard.append(message)):
        thread = threading.Thread(target=library.logger.log, args=(library.trt.ILogger.Severity.ERROR, "from within"))
        thread.start()
        thread.join()
    assert heard == ["from within"]


def test_tensorrt_for_rtx_says_what_it_runs_on() -> None:
    library = load_library("tensorrt-rtx")
    assert library.architectures is not None
    assert {"sm75", "sm86"} <= set(library.architectures)
    assert not {"current", "none"} & set(library.architectures)
    assert [library.runs_on(name) for name in ("sm86", "sm90")] == [True, False]
    assert Library("tensorrt", library.trt, library.logger).runs_on("sm90")


def test_a_logger_is_one_of_the_librarys() -> None:
    trt = load_library("tensorrt-rtx").trt
    assert isinstance(make_logger(trt), trt.ILogger)


def test_polygraphy_is_silent_and_of_one_flavour(capsys: pytest.CaptureFixture[str]) -> None:
    from polygraphy.logger import G_LOGGER

    with polygraphy_for("tensorrt-rtx") as polygraphy:
        G_LOGGER.error("not our words")
        assert polygraphy is sys.modules["polygraphy.backend.trt"]
    assert capsys.readouterr() == ("", "")
    with pytest.raises(UsageError, match="one process builds engines with one flavour"), polygraphy_for("tensorrt"):
        pass


def test_polygraphy_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polygraphy", None)
    with (
        pytest.raises(MissingPackageError, match="Install it with: pip install polygraphy"),
        polygraphy_for("tensorrt"),
    ):
        pass


def test_plugins_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded: list[tuple[str, int]] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name, mode: loaded.append((name, mode)))
    path = tmp_path / "libplugin.so"
    path.write_bytes(b"")
    load_plugins([path])
    assert loaded == [(str(path), ctypes.RTLD_GLOBAL)]


def test_plugins_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "libplugin.so"
    with pytest.raises(ModelError, match=r"plugin library .*libplugin.so does not exist"):
        load_plugins([path])
    path.write_text("no library")
    with pytest.raises(ModelError, match=r"plugin library .*libplugin.so cannot be loaded: "):
        load_plugins([path])


def test_importing_the_module_imports_no_tensorrt() -> None:
    # The names that it imports lazily are not among its own.
    assert not {"tensorrt", "tensorrt_rtx", "polygraphy"} & set(vars(module))
