"""TensorRT for RTX builds every model of MMOCR's deployment table, at full size, in every run of the tests."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ocrdeploy.artifacts import read_onnx_spec, sha256_of
from ocrdeploy.backends.trt import load_library
from ocrdeploy.backends.trt_parser import parse_network
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.engines.building import build_engine
from ocrdeploy.engines.files import read_engine
from ocrdeploy.engines.requests import BuildRequest
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from ocrdeploy.layers.settings import DetectorSettings
from ocrdeploy.model_spec import ShapeProfile, Upsample
from tests.support.network_cases import AnyDetector, network_cases, official_networks
from tests.support.networks import build_network, export_onnx, seeded_network
from tests.support.official_models import OfficialExports, official_models
from tests.support.tensorrt import RTX, QuietMonitor, needs_rtx, resize_layers
from tests.support.zoo import META
from tests.support.zoo import OfficialModel as ZooModel

MODELS = official_models()
LARGEST_RATIO = 0.8
"""Of the sizes of a float16 and a float32 engine. Detectors come to about one half; CRNN keeps its LSTMs."""

ZOO = (
    ZooModel("v0", "dbnetpp_r50dcnv2_fpnc_100k_iter_synthtext"),
    ZooModel("v1", "dbnetpp_resnet50-oclip_fpnc_1200e_icdar2015"),
    ZooModel("v1", "psenet_resnet50-oclip_fpnf_600e_ctw1500"),
)
"""Models beyond the table: deformable convolutions, adaptive scale fusion, oCLIP's ResNet."""

PROFILES = {
    "dbnet_r18_fpnc_1200e_icdar2015": [((1, 3, 32, 32), (1, 3, 736, 1344), (1, 3, 1344, 1344))],
    "psenet_r50_fpnf_600e_ctw1500": [((1, 3, 32, 32), (1, 3, 1280, 1280), (1, 3, 1280, 1280))],
    "psenet_r50_fpnf_600e_icdar2015": [((1, 3, 32, 32), (1, 3, 2240, 2240), (1, 3, 2240, 2240))],
    "panet_r18_fpem_ffm_600e_ctw1500": [
        ((1, 3, 32, 640), (1, 3, 640, 3008), (1, 3, 640, 3008)),
        ((1, 3, 640, 32), (1, 3, 3008, 640), (1, 3, 3008, 640)),
    ],
    "panet_r18_fpem_ffm_600e_icdar2015": [((1, 3, 32, 32), (1, 3, 736, 1344), (1, 3, 1344, 1344))],
    "crnn_academic_dataset": [((1, 1, 32, 32), (16, 1, 32, 96), (16, 1, 32, 1024))],
}


@pytest.fixture(scope="module")
def official_onnx(tmp_path_factory: pytest.TempPathFactory) -> OfficialExports:
    """The models as dynamic ONNX models."""
    return OfficialExports(tmp_path_factory.mktemp("official"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@needs_rtx
def test_every_model_is_built_in_both_precisions(name: str, official_onnx: OfficialExports, tmp_path: Path) -> None:
    model = official_onnx(name)
    sizes = []
    for fp16 in (False, True):
        path = tmp_path / "model.engine"
        monitor = QuietMonitor()
        report = build_engine(BuildRequest(model, path, RTX, ("sm86",), fp16=fp16), monitor)
        record, plan = read_engine(path)
        assert (record, len(plan)) == (report.record, report.size)
        assert record.onnx.sha256 == sha256_of(model)
        assert record.spec == msgspec.structs.replace(read_onnx_spec(model), precision=record.precision)
        assert record.profiles == tuple(ShapeProfile(*shapes) for shapes in PROFILES[name])
        assert not [message for severity, message in monitor.messages if severity == "error"]
        sizes.append(report.size)
    assert sizes[0] > model.stat().st_size
    assert sizes[1] <= LARGEST_RATIO * sizes[0]


@pytest.mark.slow
@pytest.mark.parametrize("model", ZOO, ids=str)
@needs_rtx
def test_models_with_other_backbones_and_necks_are_built(model: ZooModel, extra_data_dir: Path, tmp_path: Path) -> None:
    config, checkpoint = model.config(extra_data_dir), tmp_path / "seeded.pth"
    weights = model.weights(extra_data_dir, load_config(config))
    torch.save({"meta": META[model.generation], "state_dict": weights}, checkpoint)
    exported = export_model(ExportRequest(config, checkpoint, tmp_path / "m.onnx", dynamic=True))
    sizes = []
    for fp16 in (False, True):
        monitor = QuietMonitor()
        report = build_engine(BuildRequest(exported.path, tmp_path / "m.engine", RTX, ("sm86",), fp16=fp16), monitor)
        assert not [message for severity, message in monitor.messages if severity == "error"]
        sizes.append(report.size)
    assert sizes[1] <= LARGEST_RATIO * sizes[0]


@pytest.mark.parametrize("name", MODELS)
def test_the_configs_are_those_of_the_table(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(MODELS[name].config)
    assert load_config(tmp_path / "config.py").network == official_networks()[name]


class Resizes(TorchFunctionMode):
    """Notes how PyTorch resizes, in TensorRT's words; resizing one tensor twice alike counts once, as when exported."""

    def __init__(self) -> None:
        self.found: Counter[tuple[str, str, str, tuple[float, ...]]] = Counter()
        self._seen: list[tuple[torch.Tensor, float]] = []

    def __torch_function__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if function is functional.interpolate:
            factor = options["scale_factor"]
            if not any(tensor is args[0] and seen == factor for tensor, seen in self._seen):
                self._seen.append((args[0], factor))
                words = _words(options["mode"], bool(options.get("align_corners")))
                self.found[(*words, (1, 1, factor, factor))] += 1
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **options)


def _words(mode: str, align_corners: bool) -> tuple[str, str, str]:
    """Return mode, coordinates and rounding as TensorRT calls them."""
    if mode == "nearest":
        return "NEAREST", "ASYMMETRIC", "FLOOR"
    assert mode == "bilinear"
    return "LINEAR", "ALIGN_CORNERS" if align_corners else "HALF_PIXEL", ""


def resizes_of_pytorch(settings: AnyDetector, upsample: Upsample) -> Counter[Any]:
    """Return how a network resizes when PyTorch runs it."""
    network = build_network(settings, upsample=upsample)
    resizes = Resizes()
    with torch.inference_mode(), resizes:
        network(torch.zeros(1, settings.backbone.in_channels, 64, 64))
    return resizes.found


DETECTORS = (
    "dbnet_r18_fpnc_1200e_icdar2015",
    "psenet_r50_fpnf_600e_ctw1500",
    "panet_r18_fpem_ffm_600e_ctw1500",
)
"""One model of each network."""
NEAREST = ("NEAREST", "ASYMMETRIC", "FLOOR")
LINEAR = ("LINEAR", "HALF_PIXEL", "")

EXPECTED = {
    "dbnet": {(*NEAREST, (1, 1, 2, 2)): 4, (*NEAREST, (1, 1, 4, 4)): 1, (*NEAREST, (1, 1, 8, 8)): 1},
    "psenet": {(*NEAREST, (1, 1, 2, 2)): 3, (*NEAREST, (1, 1, 4, 4)): 1, (*NEAREST, (1, 1, 8, 8)): 1},
    "panet": {
        (*NEAREST, (1, 1, 2, 2)): 6,
        (*LINEAR, (1, 1, 2, 2)): 1,
        (*LINEAR, (1, 1, 4, 4)): 1,
        (*LINEAR, (1, 1, 8, 8)): 1,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("fp16", [False, True], ids=["fp32", "fp16"])
@needs_rtx
def test_tensorrt_resizes_as_pytorch_does(name: str, fp16: bool, official_onnx: OfficialExports) -> None:
    model = onnx.load_model(official_onnx(name))
    if fp16:
        model = convert_to_float16(model).model
    parsed = parse_network(load_library(RTX), model.SerializeToString())
    found = Counter(resize_layers(parsed.network).values())
    settings = official_networks()[name]
    assert isinstance(settings, DetectorSettings)
    assert found == resizes_of_pytorch(settings, "nearest") == EXPECTED[MODELS[name].network]


BILINEAR = ("dbnet", "fpnf_concat", "fpem_ffm_twice", "fpem_ffm_align_corners")


@pytest.mark.parametrize("name", BILINEAR)
@needs_rtx
def test_with_bilinear_upsampling_every_resize_is_linear(name: str) -> None:
    settings = network_cases()[name].settings
    assert isinstance(settings, DetectorSettings)
    network = seeded_network(settings, upsample="bilinear")
    images = torch.zeros(1, settings.backbone.in_channels, 64, 64).numpy()
    parsed = parse_network(load_library(RTX), export_onnx(network, images).SerializeToString())
    found = Counter(resize_layers(parsed.network).values())
    assert found == resizes_of_pytorch(settings, "bilinear")
    # Only FPEM_FFM's own option aligns corners, and only in its final fusion.
    aligned = sum(count for (_, coordinates, *_), count in found.items() if coordinates == "ALIGN_CORNERS")
    assert aligned == (3 if name == "fpem_ffm_align_corners" else 0)
    assert {mode for mode, *_ in found} == {"LINEAR"}


@needs_rtx
def test_crnn_resizes_nothing(official_onnx: OfficialExports) -> None:
    parsed = parse_network(load_library(RTX), official_onnx("crnn_academic_dataset").read_bytes())
    assert resize_layers(parsed.network) == {}
