import pytest
import torch

from ocrdeploy.layers.recogniser_settings import ResNet31Settings
from ocrdeploy.layers.resnet31 import ResNet31

CHANNELS = (2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize("last_stage_pool", [False, True])
@pytest.mark.parametrize("stage4_pool", [(2, 1), (1, 2)])
@pytest.mark.parametrize("size", [(48, 160), (32, 33), (1, 1)])
def test_the_feature_map_has_the_size_that_the_settings_say(
    last_stage_pool: bool, stage4_pool: tuple[int, int], size: tuple[int, int]
) -> None:
    settings = ResNet31Settings(1, (1, 1, 2, 1), CHANNELS, stage4_pool, last_stage_pool)
    with torch.inference_mode():
        features = ResNet31(settings).eval()(torch.zeros(2, 1, *size))
    expected = [-(-side // stride) for side, stride in zip(size, settings.stride, strict=True)]
    assert features.shape == (2, settings.out_channels, *expected)
    assert features.min() >= 0


@pytest.mark.parametrize("changes", [{"channels": (1, 2, 3, 4, 5)}, {"layers": (1, 0, 1, 1)}, {"base_channels": 0}])
def test_networks_without_layers_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="ResNet31OCR"):
        ResNet31Settings(**changes)  # type: ignore[arg-type]
