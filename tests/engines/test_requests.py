import shlex
from pathlib import Path

from ocrdeploy.engines.requests import BuildRequest, rebuild_command
from ocrdeploy.engines.shape_requests import GivenProfile, ShapeRequest
from ocrdeploy.hardware import Device


def test_the_command_can_be_stored_whatever_the_name_of_the_model() -> None:
    request = BuildRequest(Path("a b\udcff.onnx"), Path("m.engine"), "tensorrt-rtx", ("sm86",))
    command = rebuild_command(request, "tensorrt-rtx")
    assert command == "ocrdeploy build-engine 'a b\\xff.onnx' --runtime tensorrt-rtx -o m.engine"
    command.encode()


def test_the_command_has_every_option_that_shapes_the_engine() -> None:
    request = BuildRequest(
        Path("m.onnx"),
        Path("m.engine"),
        "tensorrt",
        config=Path("m.py"),
        shapes=ShapeRequest((GivenProfile((1, 3, 32, 32), (2, 3, 64, 64), (1, 3, 48, 48)),)),
        fp16=True,
        tf32=True,
        float32_layers=("/neck/*",),
        workspace_gib=0.5,
        optimization_level=0,
        timing_cache=Path("cache"),
        plugins=(Path("p.so"),),
        custom_ops=(Path("ops.so"),),
        device=Device(1),
    )
    words = shlex.split(rebuild_command(request, "tensorrt"))
    assert words[:7] == ["ocrdeploy", "build-engine", "m.onnx", "--runtime", "tensorrt", "-o", "m.engine"]
    assert words[7:9] == ["--fp16", "--tf32"]
    assert dict(zip(words[9::2], words[10::2], strict=True)) == {
        "--fp32-layers": "/neck/*",
        "--profile": "1x3x32x32,1x3x48x48,2x3x64x64",
        "--plugin": "p.so",
        "--custom-ops": "ops.so",
        "--config": "m.py",
        "--workspace-size": "0.5",
        "--optimization-level": "0",
        "--timing-cache": "cache",
        "--device": "cuda:1",
    }
