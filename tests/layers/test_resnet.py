from dataclasses import replace

import pytest
import torch
from torch import nn

from ocrdeploy.layers.deformable_convolution import DeformableConv2d
from ocrdeploy.layers.fpn import FPN
from ocrdeploy.layers.resnet import ResNet
from ocrdeploy.layers.settings import DeformableSettings, FPNSettings, ResNetSettings

SMALL = ResNetSettings(50, base_channels=4)


def deformable_layers(settings: ResNetSettings) -> list[str]:
    return [name for name, module in ResNet(settings).named_modules() if isinstance(module, DeformableConv2d)]


def test_the_stages_that_are_named_have_deformable_convolutions() -> None:
    found = deformable_layers(replace(SMALL, deformable=DeformableSettings((False, True, False, True))))
    assert found == [*(f"layer2.{block}.conv2" for block in range(4)), *(f"layer4.{block}.conv2" for block in range(3))]
    assert deformable_layers(SMALL) == []


def test_mmdet_falls_back_in_the_first_of_them_alone() -> None:
    settings = DeformableSettings((False, False, True, True), fallback_on_stride=True)
    found = deformable_layers(replace(SMALL, deformable=settings))
    assert found == [
        *(f"layer3.{block}.conv2" for block in range(1, 6)),
        *(f"layer4.{block}.conv2" for block in range(3)),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        replace(SMALL, style="caffe"),
        replace(SMALL, deformable=DeformableSettings((True, True, True, True), 2)),
        replace(SMALL, averages=True, deep_stem=True, avg_down=True),
        replace(SMALL, averages=True, deformable=DeformableSettings((False, True, True, True))),
    ],
)
@pytest.mark.parametrize("size", [(64, 96), (32, 32)])
def test_feature_maps_have_the_sizes_and_channels_that_settings_say(
    settings: ResNetSettings, size: tuple[int, int]
) -> None:
    images = torch.zeros(2, 3, *size)
    with torch.inference_mode():
        every = ResNet(settings).eval()(images)
        some = ResNet(replace(settings, out_indices=(1, 3))).eval()(images)
    shapes = [
        (2, channels, size[0] // stride, size[1] // stride)
        for channels, stride in zip((16, 32, 64, 128), (4, 8, 16, 32), strict=True)
    ]
    assert [tuple(each.shape) for each in every] == shapes
    assert [tuple(each.shape) for each in some] == shapes[1::2]


def test_oclips_network_has_no_strides_behind_the_first_convolution() -> None:
    network = ResNet(replace(SMALL, averages=True, deep_stem=True, avg_down=True))
    strided = [name for name, each in network.named_modules() if isinstance(each, nn.Conv2d) and each.stride != (1, 1)]
    assert strided == ["stem.0"]
    assert not any(isinstance(each, nn.MaxPool2d) for each in network.modules())


def test_a_pyramid_adds_coarser_levels_to_finer_ones() -> None:
    network = FPN(FPNSettings((1, 1), 1, 2), "nearest")
    for name, parameter in network.named_parameters():
        nn.init.zeros_(parameter)
        if name.endswith("weight"):
            parameter.data[0, 0, parameter.shape[2] // 2, parameter.shape[3] // 2] = 1
    fine, coarse = torch.arange(8.0).reshape(1, 1, 2, 4), torch.tensor([[[[100.0, 200.0]]]])
    with torch.inference_mode():
        first, second = network((fine, coarse))
    torch.testing.assert_close(first, fine + torch.tensor([100.0, 100, 200, 200]))
    torch.testing.assert_close(second, coarse)
