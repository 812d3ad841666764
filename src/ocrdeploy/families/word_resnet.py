"""MMOCR's ResNet for words in configs, with the plugins of its official models."""

from typing import Any

from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.layers.recogniser_settings import WordResNetSettings

Pair = int | tuple[int, int]


def read_word_resnet(section: Section) -> WordResNetSettings:
    """Read the backbone of MASTER or ASTER.

    Raises:
        ConfigError: It is another backbone, or has options or plugins that cannot be honoured.
    """
    section.expect_type("ResNet")
    section.expect("out_indices", None)
    strides = tuple(_pair(each) for each in section.take("strides", tuple[Pair, ...]))
    stem = section.take("stem_channels", int | tuple[int, ...])
    given: dict[str, Any] = {"strides": strides, "stem_channels": (stem,) if isinstance(stem, int) else stem}
    block = section.section("block_cfgs")
    block.expect_type("BasicBlock")
    # MMOCR takes any value that is not empty for true, and one official config has the string 'True'.
    given["use_conv1x1"] = bool(block.take("use_conv1x1", Any, False))
    if "plugins" in block:
        given["context_ratio"] = _read_context(block)
    block.finish()
    if "plugins" in section:
        given |= _read_plugins(section.sections("plugins"), len(strides))
    settings = section.build(WordResNetSettings, ("in_channels", "arch_layers", "arch_channels"), given)
    section.finish()
    return settings


def _read_context(block: Section) -> float:
    """Return the ratio of the global context that follows the second convolution of each block."""
    plugin = block.section("plugins")
    plugin.expect("position", "after_conv2")
    context = plugin.section("cfg")
    plugin.finish()
    context.expect_type("GCAModule")
    context.expect("n_head", 1)
    context.expect("pooling_type", "att")
    context.expect("fusion_type", "channel_add")
    context.expect("scale_attn", False)
    # MMOCR's module has no such option and does not look at it.
    context.skip("is_att_scale")
    ratio: float = context.take("ratio", float)
    context.finish()
    return ratio


def _read_plugins(plugins: list[Section], stages: int) -> dict[str, Any]:
    """Return the poolings before, and whether there is a convolution behind each stage."""
    pools: list[tuple[int, int] | None] = [None] * stages
    convolutions = [False] * stages
    for plugin in plugins:
        position = plugin.take("position", str)
        chosen = plugin.take("stages", tuple[bool, ...])
        if len(chosen) != stages:
            raise ConfigError(f"{plugin.place}.stages says {len(chosen)} stages, and the backbone has {stages}")
        layer = plugin.section("cfg")
        plugin.finish()
        name = layer.type_name()
        match name, position:
            case "Maxpool2d", "before_stage":
                edges = _pair(layer.take("kernel_size", Pair))
                if _pair(layer.take("stride", Pair)) != edges or layer.take("padding", Any, 0) not in (0, (0, 0)):
                    raise ConfigError(
                        f"{layer.place}: a pooling is supported whose stride is its kernel_size, without padding"
                    )
                pools = [edges if is_chosen else old for old, is_chosen in zip(pools, chosen, strict=True)]
            case "ConvModule", "after_stage":
                _check_convolution(layer)
                convolutions = [old or is_chosen for old, is_chosen in zip(convolutions, chosen, strict=True)]
            case _:
                raise ConfigError(
                    f"{layer.place}: {name} {position} cannot be honoured: supported are Maxpool2d before_stage and "
                    "ConvModule after_stage"
                )
        layer.finish()
    return {"pools": tuple(pools), "has_last_conv": tuple(convolutions)}


def _check_convolution(layer: Section) -> None:
    """Refuse convolutions other than 3×3 with batch normalisation and ReLU."""
    for key, expected in (("kernel_size", 3), ("stride", 1), ("padding", 1)):
        layer.expect(key, expected)
    for key, kind in (("norm_cfg", "BN"), ("act_cfg", "ReLU")):
        part = layer.section(key)
        part.expect_type(kind)
        part.skip("requires_grad", "inplace")
        part.finish()


def _pair(value: Pair) -> tuple[int, int]:
    """Return a number that stands for height and width as both."""
    return (value, value) if isinstance(value, int) else value
