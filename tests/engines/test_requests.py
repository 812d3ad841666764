from pathlib import Path

from ocrdeploy.engines.requests import BuildRequest, rebuild_command


def test_the_command_can_be_stored_whatever_the_name_of_the_model() -> None:
    request = BuildRequest(Path("a b\udcff.onnx"), Path("m.engine"), "tensorrt-rtx", ("sm86",))
    command = rebuild_command(request, "tensorrt-rtx")
    assert command == "ocrdeploy build-engine 'a b\\xff.onnx' --runtime tensorrt-rtx -o m.engine"
    command.encode()
