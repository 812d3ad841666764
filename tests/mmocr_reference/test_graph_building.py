import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.errors import ConfigError, ModelError, UsageError
from ocrdeploy.exporting import ExportRequest
from ocrdeploy.hardware import Device
from ocrdeploy.mmocr_reference.graph_building import export_with_mmocr, plan_export
from ocrdeploy.mmocr_reference.reference import open_mmocr_reference
from ocrdeploy.verification.verifying import verify
from tests.support.models import config_text, write_model

ROOT = Path(__file__).parents[2]


def request_of(folder: Path, architecture: str, **options: object) -> ExportRequest:
    files = write_model(folder, architecture)
    return ExportRequest(files.config, files.checkpoint, folder / "model.onnx", **options)  # type: ignore[arg-type]


def export(request: ExportRequest, python: Path) -> None:
    """Export, and check what was written against what it was made from."""
    plan = plan_export(request)
    with open_mmocr_reference(request.config, request.checkpoint, export=plan.options, python=python) as reference:
        report = export_with_mmocr(plan, reference)
        with open_predictor(report.path) as candidate:
            assert verify(reference, candidate, []).passed


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["dbnet", "crnn"])
def test_the_graph_describes_itself(architecture: str, tmp_path: Path, make_stand_in: Callable[[str], Path]) -> None:
    request = request_of(tmp_path, architecture, dynamic=True)
    export(request, make_stand_in("honest"))
    spec, config = read_onnx_spec(request.output), load_config(request.config)
    assert (spec.preprocessing, spec.postprocessing) == (config.preprocessing, config.postprocessing)
    assert spec.tools["mmocr"] == "0.6.3"
    assert spec.source is not None
    assert spec.source.checkpoint.path == str(request.checkpoint)
    assert spec.outputs[0].name == {"dbnet": "prob_map", "crnn": "logits"}[architecture]


def test_a_static_model_has_the_size_that_was_asked_for(tmp_path: Path, make_stand_in: Callable[[str], Path]) -> None:
    request = request_of(tmp_path, "psenet", shape=(2, 3, 64, 96))
    export(request, make_stand_in("honest"))
    spec = read_onnx_spec(request.output)
    assert spec.input.shape == (2, 3, 64, 96)
    assert spec.outputs[0].shape == (2, 7, 16, 24)
    (output,) = onnx.load_model(request.output).graph.output
    assert [dimension.dim_value for dimension in output.type.tensor_type.shape.dim] == [2, 7, 16, 24]


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((1, 1, 64, 64), ConfigError, "the network takes batch×3×height×width, got 1×1×64×64"),
        ((1, 3, 64, 65), UsageError, "height and width of a shape are multiples of 32, got 64 and 65"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(
    shape: tuple[int, int, int, int], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        plan_export(request_of(tmp_path, "dbnet", shape=shape))


def test_an_output_that_the_decoder_does_not_read_is_refused(
    tmp_path: Path, make_stand_in: Callable[[str], Path]
) -> None:
    plan = plan_export(request_of(tmp_path, "crnn"))
    files = plan.request.config, plan.request.checkpoint
    with open_mmocr_reference(*files, export=plan.options, python=make_stand_in("honest")) as reference:
        (output,) = reference.spec.outputs
        other = msgspec.structs.replace(output, shape=("batch", "sequence", 93))
        reference.spec = msgspec.structs.replace(reference.spec, outputs=(other,))
        with pytest.raises(ModelError, match="reads an output batch×sequence×93, and the network gives 1×25×37"):
            export_with_mmocr(plan, reference)
    assert not plan.request.output.exists()


def test_what_mmocrs_network_cannot_be_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--upsample chooses between this package's networks"):
        plan_export(request_of(tmp_path, "dbnet", upsample="bilinear"))
    with pytest.raises(UsageError, match="--decode-in-graph changes this package's networks"):
        plan_export(request_of(tmp_path, "crnn", decode_in_graph=True))
    with pytest.raises(UsageError, match="MMOCR traces networks on the CPU, not on cuda:0"):
        plan_export(request_of(tmp_path, "dbnet", device=Device(0)))


# From here on with the real MMOCR.

UNKNOWN_NETWORKS = {
    "DBNet++": ("out_channels=8)", "out_channels=8, asf_cfg=dict(attention_type='ScaleChannelSpatial'))"),
    "dilated": ("style='caffe'", "strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)"),
    "group norm": ("dict(type='BN', requires_grad=True)", "dict(type='GN', num_groups=4)"),
}
"""Changes to the config of the small DBNet that make it one which this package has no network for."""

DEFORMABLE = ("style='caffe'", "dcn=dict(type='DCNv2', deform_groups=1), stage_with_dcn=(False, True, True, True)")


def write_unknown(folder: Path, change: tuple[str, str], python: Path) -> ExportRequest:
    """Write a config and its checkpoint, whose weights MMOCR's interpreter must name."""
    text = config_text("dbnet").replace("depth=18", "depth=50").replace("[8, 16, 32, 64]", "[32, 64, 128, 256]")
    assert change[0] in text
    request = ExportRequest(folder / "config.py", folder / "model.pth", folder / "model.onnx", dynamic=True)
    request.config.write_text(text.replace(*change))
    script = ROOT / "tests" / "support" / "write_mmocr_checkpoint.py"
    command = [python, script, request.config, request.checkpoint]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(ROOT)}, capture_output=True)
    return request


def require_onnx(python: Path) -> None:
    """Skip the test where PyTorch's exporter lacks onnx in MMOCR's interpreter."""
    if subprocess.run([python, "-c", "import onnx"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} lacks onnx")


@pytest.mark.requires_mmocr
@pytest.mark.parametrize("name", UNKNOWN_NETWORKS)
def test_networks_that_this_package_does_not_have_are_exported(name: str, tmp_path: Path, mmocr_python: Path) -> None:
    require_onnx(mmocr_python)
    request = write_unknown(tmp_path, UNKNOWN_NETWORKS[name], mmocr_python)
    with pytest.raises(ConfigError):
        load_config(request.config)
    export(request, mmocr_python)


@pytest.mark.requires_mmocr
def test_deformable_convolutions_are_refused(tmp_path: Path, mmocr_python: Path) -> None:
    require_onnx(mmocr_python)
    request = write_unknown(tmp_path, DEFORMABLE, mmocr_python)
    with pytest.raises(ConfigError, match="ModulatedDeformConv2dPack, which needs a custom operator"):
        export(request, mmocr_python)
