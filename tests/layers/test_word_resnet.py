import numpy as np
import pytest
import torch

from ocrdeploy.layers.recogniser_settings import WordResNetSettings
from ocrdeploy.layers.word_resnet import GlobalContext, WordResNet

MASTER = WordResNetSettings(
    3,
    (2, 4),
    (1, 2, 1, 1),
    (8, 8, 16, 16),
    ((1, 1),) * 4,
    pools=((2, 2), (2, 2), (2, 1), None),
    has_last_conv=(True,) * 4,
    context_ratio=0.25,
)
ASTER = WordResNetSettings(3, (4,), (1, 2), (4, 8), ((2, 2), (2, 1)), use_conv1x1=True)
ROUNDING = 1e-5
"""Of sums over some 30 places in float32, in another order."""


@pytest.mark.parametrize(("settings", "stride"), [(MASTER, (8, 4)), (ASTER, (4, 2))])
def test_the_feature_map_has_the_size_that_the_settings_say(
    settings: WordResNetSettings, stride: tuple[int, int]
) -> None:
    assert settings.stride == stride
    with torch.inference_mode():
        features = WordResNet(settings).eval()(torch.zeros(2, 3, 48, 80))
    assert features.shape == (2, settings.out_channels, 48 // stride[0], 80 // stride[1])
    assert features.min() >= 0


@torch.inference_mode()
def test_global_context_adds_one_vector_to_all_places() -> None:
    torch.manual_seed(0)
    context = GlobalContext(8, 2)
    features = torch.randn(2, 8, 5, 6)
    added = context(features) - features
    np.testing.assert_allclose(added, added[:, :, :1, :1].expand_as(added), atol=ROUNDING)
    weights = context.conv_mask(features).flatten(1).softmax(dim=1)
    read = (features.flatten(2) * weights[:, None]).sum(dim=2)[:, :, None, None]
    np.testing.assert_allclose(added[:, :, :1, :1], context.channel_add_conv(read), atol=ROUNDING)


@pytest.mark.parametrize(
    ("stages", "ratio"), [(((1,), (4, 4)), None), (((), ()), None), (((0,), (4,)), None), (((1,), (4,)), 0.1)]
)
def test_networks_without_whole_stages_are_refused(
    stages: tuple[tuple[int, ...], tuple[int, ...]], ratio: float | None
) -> None:
    layers, channels = stages
    with pytest.raises(ValueError, match=r"ResNet for words|global context"):
        WordResNetSettings(3, (4,), layers, channels, ((1, 1),) * len(layers), context_ratio=ratio)
