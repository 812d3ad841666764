import os
import signal
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import settings

EXTRA_DATA_VARIABLE = "OCRDEPLOY_TEST_DATA"
"""Names a folder with `golden/`, `models/` and `data/`: recordings and models that are too large to ship."""

# Property tests try the same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure() -> None:
    """Give each of several workers a core of its own: runtimes that take all cores would wait for each other."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        # Workers ignore Ctrl-C, and processes that tests start would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture
def all_cores() -> Iterator[None]:
    """Give a test all cores while it runs: one that stops a process in time must not wait for it to leave a core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The test data that is shipped with the project."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def extra_data_dir() -> Path:
    """The test data that is too large to ship; the test is skipped where it is not."""
    folder = os.environ.get(EXTRA_DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{EXTRA_DATA_VARIABLE} is not set")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The trained DBNet and the images that the package carries for its demo."""
    with resources.as_file(resources.files("ocrdeploy") / "demo_data") as folder:
        return folder


@pytest.fixture(scope="session")
def sample_onnx(sample_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's DBNet as a dynamic ONNX model."""
    from ocrdeploy.exporting import ExportRequest, export_model

    path = tmp_path_factory.mktemp("sample") / "model.onnx"
    export_model(ExportRequest(sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth", path, dynamic=True))
    return path


@pytest.fixture(scope="session")
def small_onnx(sample_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's DBNet as a dynamic ONNX model whose pipeline makes images of a ninth of the pixels."""
    from ocrdeploy.exporting import ExportRequest, export_model

    folder = tmp_path_factory.mktemp("small")
    config = folder / "small.py"
    text = (sample_dir / "dbnet_sample.py").read_text(encoding="utf-8")
    config.write_text(text.replace("img_scale=(1333, 736)", "img_scale=(448, 256)"), encoding="utf-8")
    path = folder / "small.onnx"
    export_model(ExportRequest(config, sample_dir / "dbnet_sample.pth", path, dynamic=True))
    return path


@pytest.fixture(scope="session")
def seeded_onnx(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Small models of every architecture with seeded weights, as dynamic ONNX models, made when first asked for."""
    from ocrdeploy.exporting import ExportRequest, export_model
    from tests.support.models import write_model

    folder = tmp_path_factory.mktemp("seeded")

    def make(architecture: str) -> Path:
        path = folder / f"{architecture}.onnx"
        if not path.exists():
            files = write_model(folder, architecture)
            export_model(ExportRequest(files.config, files.checkpoint, path, dynamic=True))
        return path

    return make


@pytest.fixture(scope="session")
def seeded_recognizer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The small CRNN with seeded weights as a dynamic ONNX model, with or without softmax and argmax in its graph."""
    from ocrdeploy.exporting import ExportRequest, export_model
    from tests.support.models import write_model

    files = write_model(tmp_path_factory.mktemp("recognizer"), "crnn")

    def make(*, decode_in_graph: bool) -> Path:
        path = files.config.with_name(f"decoded_{decode_in_graph}.onnx")
        if not path.exists():
            request = ExportRequest(files.config, files.checkpoint, path, dynamic=True, decode_in_graph=decode_in_graph)
            export_model(request)
        return path

    return make
