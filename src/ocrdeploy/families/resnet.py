"""The residual network of the detectors in configs."""

from typing import Any

from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.layers.settings import DeformableSettings, ResNetSettings

Stages = tuple[bool, bool, bool, bool]

BATCH_NORMS = ("BN", "BN2d", "SyncBN")
"""Kinds of batch normalisation that are the same at inference."""


def read_resnet(section: Section) -> ResNetSettings:
    """Read mmdet's ResNet or ResNetV1d, or MMOCR 1.x's CLIPResNet, with four stages and batch normalisation."""
    keys: tuple[str, ...] = ("depth", "in_channels", "stem_channels", "base_channels", "style", "out_indices")
    given: dict[str, Any] = {}
    match section.type_name():
        case "ResNet":
            keys += ("deep_stem", "avg_down")
        case "ResNetV1d":
            given = {"deep_stem": True, "avg_down": True}
        case "CLIPResNet":
            given = {"averages": True, "depth": section.take("depth", int, 50)}
            given |= {key: section.take(key, bool, True) for key in ("deep_stem", "avg_down")}
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the backbone is not supported; supported are ResNet, ResNetV1d, "
                "CLIPResNet"
            )
    section.expect("num_stages", 4)
    section.expect("strides", (1, 2, 2, 2))
    section.expect("dilations", (1, 1, 1, 1))
    for key in ("conv_cfg", "plugins"):
        section.expect(key, None)
    section.skip("frozen_stages", "norm_eval", "with_cp", "zero_init_residual")
    if "norm_cfg" in section:
        _check_batch_norm(section.section("norm_cfg"))
    settings = section.build(ResNetSettings, keys, given | {"deformable": _read_deformable(section)})
    section.finish()
    return settings


def _read_deformable(section: Section) -> DeformableSettings | None:
    """Read where the network has deformable convolutions; mmdet reads `stage_with_dcn` only where there is a `dcn`."""
    stages: Stages = section.take("stage_with_dcn", Stages, (False,) * 4)
    value = section.take("dcn", Any, None)
    if value is None:
        return None
    dcn = Section(value, f"{section.place}.dcn")
    dcn.expect_type("DCNv2")
    # mmcv still takes the older name.
    groups = dcn.take("deform_groups", int, dcn.take("deformable_groups", int, 1))
    fallback_on_stride = dcn.take("fallback_on_stride", bool, False)
    dcn.finish()
    try:
        return DeformableSettings(stages, groups, fallback_on_stride)
    except ValueError as error:
        raise ConfigError(f"{dcn.place}: {error}") from error


def _check_batch_norm(section: Section) -> None:
    """Refuse normalisations other than batch normalisation with the usual epsilon."""
    name = section.type_name()
    if name not in BATCH_NORMS:
        known = ", ".join(BATCH_NORMS)
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: supported are {known}")
    section.expect("eps", 1e-5)
    section.skip("requires_grad", "momentum")
    section.finish()
