"""The residual network of the detectors in configs."""

from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.layers.settings import ResNetSettings

BATCH_NORMS = ("BN", "BN2d", "SyncBN")
"""Kinds of batch normalisation that are the same at inference."""


def read_resnet(section: Section) -> ResNetSettings:
    """Read mmdet's ResNet or ResNetV1d with four stages, batch normalisation and plain convolutions."""
    keys: tuple[str, ...] = ("depth", "in_channels", "stem_channels", "base_channels", "style")
    given: dict[str, bool] = {}
    match section.type_name():
        case "ResNet":
            keys += ("deep_stem", "avg_down")
        case "ResNetV1d":
            given = {"deep_stem": True, "avg_down": True}
        case other:
            raise ConfigError(
                f"{section.place}.type = {other!r}: the backbone is not supported; supported are ResNet, ResNetV1d"
            )
    section.expect("num_stages", 4)
    section.expect("strides", (1, 2, 2, 2))
    section.expect("dilations", (1, 1, 1, 1))
    section.expect("out_indices", (0, 1, 2, 3))
    for key in ("conv_cfg", "dcn", "plugins"):
        section.expect(key, None)
    section.skip("stage_with_dcn", "frozen_stages", "norm_eval", "with_cp", "zero_init_residual")
    if "norm_cfg" in section:
        _check_batch_norm(section.section("norm_cfg"))
    settings = section.build(ResNetSettings, keys, given)
    section.finish()
    return settings


def _check_batch_norm(section: Section) -> None:
    """Refuse normalisations other than batch normalisation with the usual epsilon."""
    name = section.type_name()
    if name not in BATCH_NORMS:
        known = ", ".join(BATCH_NORMS)
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: supported are {known}")
    section.expect("eps", 1e-5)
    section.skip("requires_grad", "momentum")
    section.finish()
