from pathlib import Path

import pytest
import torch

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network, load_network
from ocrdeploy.errors import CheckpointError, ConfigError
from ocrdeploy.model_spec import ExportOptions
from tests.support.configs import detection_config, write_config


@pytest.mark.parametrize("name", ["dbnet", "psenet", "panet", "crnn"])
def test_a_checkpoint_fills_the_network(data_dir: Path, tmp_path: Path, name: str) -> None:
    config = load_config(data_dir / "configs" / f"{name}.py")
    state = build_network(config).state_dict()
    path = tmp_path / "a.pth"
    torch.save({"meta": {"mmocr_version": "0.6.3"}, "state_dict": state}, path)
    network = load_network(config, path, None)
    assert not network.training
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_options_of_the_export_are_obeyed(data_dir: Path, tmp_path: Path) -> None:
    config = load_config(data_dir / "configs" / "dbnet.py")
    path = tmp_path / "a.pth"
    torch.save(build_network(config).state_dict(), path)
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        all_maps = load_network(config, path, ExportOptions(17, dynamic=True, all_outputs=True))(images)
        one_map = load_network(config, path, None)(images)
        smooth = load_network(config, path, ExportOptions(17, dynamic=True, upsample="bilinear"))(images)
    assert (all_maps.shape, one_map.shape) == ((1, 3, 32, 32), (1, 1, 32, 32))
    assert torch.equal(all_maps[:, :1], one_map)
    assert not torch.equal(smooth, one_map)


def test_the_checkpoint_of_another_architecture_is_refused(data_dir: Path, tmp_path: Path) -> None:
    configs = data_dir / "configs"
    path = tmp_path / "psenet.pth"
    torch.save({"state_dict": build_network(load_config(configs / "psenet.py")).state_dict()}, path)
    with pytest.raises(CheckpointError) as caught:
        load_network(load_config(configs / "dbnet.py"), path, None)
    message = caught.value.message
    assert message.startswith(f"the weights in {path} do not have the keys and shapes of the network")
    assert "30 missing (neck.smooth_convs.0.conv.weight, " in message
    assert "unexpected (backbone.layer1.0.conv3.weight" in message
    assert "of another shape (backbone." in message
    assert caught.value.fix == "Give the config that the checkpoint was trained with, of the same generation of MMOCR."


def test_small_models(extra_data_dir: Path) -> None:
    for name in ("crnn", "dbnet", "dbnet_sample", "panet", "psenet"):
        folder = extra_data_dir / "models"
        network = load_network(load_config(folder / f"{name}.py"), folder / f"{name}.pth", None)
        saved = torch.load(folder / f"{name}.pth", map_location="cpu", weights_only=False)
        weights = saved.get("state_dict", saved)
        assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


def test_a_network_that_fits_in_no_memory_is_refused(tmp_path: Path) -> None:
    path = write_config(tmp_path, detection_config({"model.neck.lateral_channels": 10**18}))
    with pytest.raises(ConfigError, match=r"the network that .* describes does not fit in memory\. Check its numbers"):
        build_network(load_config(path))
