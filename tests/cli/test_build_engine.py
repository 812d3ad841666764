import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from ocrdeploy.backends import cuda
from ocrdeploy.backends.cuda import CudaDevice
from ocrdeploy.backends.trt import Library, load_library
from ocrdeploy.engines.files import read_engine
from ocrdeploy.running import engines as opening
from tests.cli.conftest import Outcome
from tests.support.cuda_driver import FakeDriver
from tests.support.tensorrt import RTX, EngineStandIn, needs_rtx

pytestmark = needs_rtx

Command = Callable[..., Outcome]
Seeded = Callable[[str], Path]

AHEAD = ("--runtime", "tensorrt-rtx", "--compute-capability", "sm86")

SLOW_BUILD = """
import sys, time
from ocrdeploy.cli import build_display
from ocrdeploy.cli.main import main

step_done = build_display.BuildDisplay.step_done

def slow_step_done(self, name, step):
    print("step", flush=True)
    time.sleep(0.5)
    step_done(self, name, step)

build_display.BuildDisplay.step_done = slow_step_done
sys.argv[0] = "ocrdeploy"
main()
"""
"""Runs the command line with a build that takes its time."""


@pytest.fixture
def folder(sample_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the demo's model in it, on a machine without a GPU."""
    (tmp_path / "model.onnx").write_bytes(sample_onnx.read_bytes())
    monkeypatch.chdir(tmp_path)
    for module in ("ocrdeploy.backends.cuda", "ocrdeploy.engines.targets"):
        monkeypatch.setattr(f"{module}.cuda_device_count", lambda: 0)
    return tmp_path


def test_the_lines_of_the_interface(command: Command, folder: Path) -> None:
    outcome = command("build-engine", "model.onnx", "--fp16", *AHEAD)
    assert outcome.code == 0
    version = load_library(RTX).version
    assert outcome.out.startswith(f"model.engine: TensorRT for RTX {version} for sm86, fp16, ")
    assert "  input: 1×3×32×32 to 1×3×1344×1344, fastest at 1×3×736×1344\n" in outcome.out
    assert "  float16: 68 operators; 2 layers stay float32\n" in outcome.out
    assert sorted(path.name for path in folder.iterdir()) == ["model.engine", "model.engine.json", "model.onnx"]
    outcome = command("evaluate", "--backend", "tensorrt")
    assert outcome.code == 3
    assert outcome.error == (
        "TensorRT for RTX runs engines on NVIDIA GPUs, and this machine shows none. Run the model that the engine was "
        f"built from: --backend onnxruntime {folder}/model.onnx"
    )


def test_without_a_gpu_an_architecture_must_be_named(command: Command, folder: Path) -> None:
    outcome = command("build-engine", "model.onnx", "--runtime", "tensorrt-rtx")
    assert outcome.code == 3
    assert outcome.error.startswith(
        "this machine shows no GPU to build for. Name one with --compute-capability: sm75, "
    )
    outcome = command("build-engine", "model.onnx", *AHEAD, "--verify")
    assert outcome.code == 3
    assert outcome.error == (
        "--verify and --show run the engine on an NVIDIA GPU, and this machine shows none. Leave them out."
    )
    assert not (folder / "model.engine").exists()


def test_the_document(command: Command, folder: Path) -> None:
    outcome = command(
        "build-engine", "model.onnx", "--trt-file", "x.plan", "--runtime", "RTX", "--compute-capability", "sm75,sm89",
        "--min-shape", 1, 3, 320, 320, "--opt-shape", 1, 3, 320, 640, "--max-shape", 2, 3, 640, 640,
        "--profile", "1x3x32x32,1x3x64x64", "--fp16", "--fp32-layers", "/neck/*", "--workspace-size", 2,
        "--optimization-level", 1, "--json", "-",
    )  # fmt: skip
    assert outcome.code == 0
    document = outcome.document
    kept = document.pop("float32_layers")
    assert kept["/neck/lateral_convs.0/conv/Conv"] == "asked for"
    assert document.pop("bytes") == (folder / "x.plan").stat().st_size
    assert document.pop("seconds") > 0
    assert document.pop("float16_operators") > 30
    assert document == {
        "schema": 1,
        "command": "build-engine",
        "engine": "x.plan",
        "onnx": str(folder / "model.onnx"),
        "runtime": RTX,
        "version": load_library(RTX).version,
        "gpu_architectures": ["sm75", "sm89"],
        "precision": "fp16",
        "profiles": [
            {"min": [1, 3, 320, 320], "opt": [1, 3, 320, 640], "max": [2, 3, 640, 640]},
            {"min": [1, 3, 32, 32], "opt": [1, 3, 64, 64], "max": [1, 3, 64, 64]},
        ],
    }


def test_what_stays_float32_is_told_on_request_with_tensorrts_log(command: Command, folder: Path) -> None:
    outcome = command("build-engine", "model.onnx", "--fp16", "--verbose", *AHEAD)
    assert outcome.code == 0
    assert "| /bbox_head/binarize/binarize.6/ConvTranspose | its values are the model's output" in outcome.out
    assert "Adding network input: input" in outcome.err
    quiet = command("build-engine", "model.onnx", "--fp16", "--quiet", *AHEAD)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_the_converted_model_is_judged_on_any_machine(command: Command, folder: Path, sample_data: list[str]) -> None:
    assert command("build-engine", "model.onnx", "--fp16", "--save-onnx", "half.onnx", *AHEAD).code == 0
    outcome = command("evaluate", "model.onnx", "half.onnx", *sample_data, "--json", "-")
    single, half = outcome.document["rows"]
    assert (single["precision"], half["precision"]) == ("fp32", "fp16")
    assert half["metrics"]["hmean-iou:hmean"] == pytest.approx(single["metrics"]["hmean-iou:hmean"], abs=0.005)
    # A box whose outline a rounded pixel has moved may be a difference; the network's outputs are within tolerance.
    (comparison,) = command("verify", "model.onnx", "half.onnx", "--json", "-").document["comparisons"]
    assert [tensor["passed"] for tensor in comparison["tensors"]] == [True]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.onnx"], 2, "model missing.onnx does not exist"),
        (["model.onnx", "--runtime", "cuda"], 2, "--runtime is tensorrt or tensorrt-rtx, got 'cuda'"),
        (
            ["model.onnx", *AHEAD, "-o", "/dev/null/model.engine"],
            2,
            "/dev/null/model.engine cannot be written: /dev/null is no folder",
        ),
        (["model.onnx", *AHEAD, "--min-shape", 1, 3, 32, 32], 2, "--min-shape and --max-shape are given together"),
        (["model.onnx", *AHEAD, "--profile", "32x32"], 2, "--profile is MIN,MAX or MIN,OPT,MAX, each as NxCxHxW"),
        (["model.onnx", *AHEAD, "--max-batch", 0], 2, "--max-batch is at least 1, got 0"),
        (["model.onnx", *AHEAD, "--plugin", "no.so"], 2, "plugin library no.so does not exist"),
        (["model.onnx", *AHEAD, "--timing-cache", "c"], 2, "TensorRT for RTX measures nothing while it builds"),
        (["model.onnx", "--runtime", "tensorrt", "--compute-capability", "sm86"], 2, "TensorRT builds for the GPU"),
        (["model.onnx", *AHEAD, "--optimization-level", 7], 2, "the optimisation level is a number from 0 to 5, got 7"),
        (["model.onnx", *AHEAD, "--device", "gpu"], 2, "a device is cpu, cuda or cuda:N, got 'gpu'"),
    ],
)  # fmt: skip
def test_refusals_are_one_line(
    arguments: list[str | int], code: int, message: str, command: Command, folder: Path
) -> None:
    outcome = command("build-engine", *arguments)
    assert outcome.code == code
    assert outcome.error.startswith(message)
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]


def test_a_library_that_is_missing_exits_3(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrdeploy.backends.trt.is_installed", lambda _flavour: False)
    outcome = command("build-engine", "model.onnx", "--runtime", "tensorrt")
    assert outcome.code == 3
    assert outcome.error == (
        "TensorRT is needed to build and run engines, and it is not installed. "
        "Install it with: pip install 'ocrdeploy[tensorrt]'"
    )


def test_with_a_gpu_the_engine_is_evaluated_and_compared(
    command: Command, folder: Path, sample_data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the GPU and TensorRT's runtime are stand-ins: the engine is built, and the rest is as it would be.
    assert command("build-engine", "model.onnx", *AHEAD).code == 0
    stand_in = EngineStandIn(onnx.load_model("model.onnx"), read_engine(Path("model.engine"))[0].profiles)
    monkeypatch.setattr(cuda, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(opening, "CudaDevice", lambda index: CudaDevice(index, FakeDriver()))
    monkeypatch.setattr(opening, "load_library", lambda _flavour: stand_in.library())
    outcome = command("evaluate", "--backend", "tensorrt", *sample_data, "--json", "-")
    assert outcome.code == 0
    (row,) = outcome.document["rows"]
    assert (row["model"], row["backend"], row["precision"]) == ("model.engine", "tensorrt", "fp32")
    expected = command("evaluate", "model.onnx", *sample_data, "--json", "-").document["rows"][0]
    assert row["metrics"] == expected["metrics"]
    outcome = command("verify", "model.onnx", "model.engine", "--json", "-")
    assert outcome.code == 0
    (comparison,) = outcome.document["comparisons"]
    assert (comparison["reference"], comparison["candidate"]) == ("onnxruntime", "tensorrt")


def test_with_a_gpu_verify_and_show_follow_the_build(
    command: Command, folder: Path, sample_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_flavour: str) -> Library:
        return EngineStandIn(onnx.load_model("model.onnx"), read_engine(Path("model.engine"))[0].profiles).library()

    monkeypatch.setattr(cuda, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(opening, "CudaDevice", lambda index: CudaDevice(index, FakeDriver()))
    monkeypatch.setattr(opening, "load_library", load)
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("build-engine", "model.onnx", image, *AHEAD, "--verify", "--show", "--json", "-")
    assert outcome.code == 0
    comparison = outcome.document["comparison"]
    assert (comparison["reference"], comparison["candidate"]) == ("onnxruntime", "tensorrt")
    assert comparison["passed"]
    assert (folder / "model.show.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("all_cores")
def test_ctrl_c_ends_a_build_cleanly(folder: Path) -> None:
    (folder / "model.engine").write_bytes(b"the old engine")
    arguments = [sys.executable, "-c", SLOW_BUILD, "build-engine", "model.onnx", *AHEAD]
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "step\n"
    os.kill(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors == "ocrdeploy: error: interrupted\n"
    assert output.count("step") <= 3
    assert (folder / "model.engine").read_bytes() == b"the old engine"
    assert sorted(path.name for path in folder.iterdir()) == ["model.engine", "model.onnx"]


def test_the_help_names_the_options_of_mmocrs_script(command: Command) -> None:
    text = command("build-engine", "--help").out
    for option in ("--trt-file", "--min-shape", "--opt-shape", "--max-shape", "--workspace-size", "--fp16", "--verify",
                   "--show", "--verbose", "--runtime", "--compute-capability", "--save-onnx", "--fp32-layers",
                   "--timing-cache", "--plugin", "--custom-ops", "--max-batch"):  # fmt: skip
        assert option in text


def test_the_command_line_imports_no_tensorrt() -> None:
    script = (
        "import sys, json; from ocrdeploy.cli.main import run; run(['build-engine', '--help']); "
        "print(json.dumps([name for name in ('tensorrt_rtx', 'polygraphy', 'onnx', 'numpy') if name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout.splitlines()[-1]) == []


def test_a_name_without_a_suffix_gets_one_and_other_files_stay(command: Command, folder: Path) -> None:
    (folder / "res.json").write_text('{"my": "labels"}')
    shape = ("--profile", "1x3x64x64,1x3x64x64")
    outcome = command("build-engine", "model.onnx", *AHEAD, *shape, "-o", "res")
    assert outcome.code == 0
    assert outcome.out.startswith("res.engine: ")
    assert (folder / "res.json").read_text() == '{"my": "labels"}'
    assert {"res.engine", "res.engine.json"} <= {path.name for path in folder.iterdir()}
    assert command("build-engine", "model.onnx", *AHEAD, *shape, "-o", "-").code == 2
    assert not (folder / "-.engine").exists()
