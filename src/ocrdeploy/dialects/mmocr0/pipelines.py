"""The config's test pipeline to the steps of the model spec."""

from collections.abc import Sequence
from typing import Any

from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.steps import (
    LoadImageFromFile,
    Normalize,
    NormalizeOCR,
    Pad,
    Resize,
    ResizeOCR,
    Step,
    ToTensorOCR,
    check_steps,
)

Scale = tuple[int, int]

FORMATTING_KEYS = {
    "ImageToTensor": ("keys",),
    "DefaultFormatBundle": ("img_to_float", "pad_val"),
    "Collect": ("keys", "meta_keys"),
}
"""Steps that only wrap the image for MMOCR's loaders. The tensor is channels-first float32 with or without them."""


def read_pipeline(sections: Sequence[Section]) -> tuple[Step, ...]:
    """Return the steps of a test pipeline, nested ones included, without those that only wrap the image.

    Raises:
        ConfigError: A step or an option is not known, or asks for test-time augmentation.
    """
    steps: list[Step] = []
    for section in sections:
        steps += _read_step(section, scale=None)
    if not steps or not isinstance(steps[0], LoadImageFromFile):
        raise ConfigError("the test pipeline of the config must begin with LoadImageFromFile or LoadImageFromLMDB")
    check_steps(steps)
    return tuple(steps)


def _read_step(section: Section, scale: Scale | None) -> list[Step]:
    """Return what one entry of the pipeline stands for; `scale` is what an enclosing MultiScaleFlipAug gives."""
    steps: list[Step]
    match section.type_name():
        case "MultiScaleFlipAug":
            steps = _multi_scale_flip_aug(section)
        case "MultiRotateAugOCR":
            # MMOCR's deployment scripts undo the rotations as well (disable_text_recog_aug_test).
            section.skip("rotate_degrees", "force_rotate")
            steps = [step for inner in section.sections("transforms") for step in _read_step(inner, scale)]
        case "RandomFlip" if scale is not None:
            # Inside MultiScaleFlipAug, whose `flip` is False, it does nothing.
            section.skip("flip_ratio", "direction")
            steps = []
        case "ImageToTensor" | "DefaultFormatBundle" | "Collect" as name:
            section.skip(*FORMATTING_KEYS[name])
            steps = []
        case name:
            steps = [_read_single_step(section, name, scale)]
    section.finish()
    return steps


def _read_single_step(section: Section, name: str, scale: Scale | None) -> Step:
    """Return the step of the same name."""
    step: Step
    match name:
        case "LoadImageFromFile":
            step = _load_image(section)
        case "LoadImageFromLMDB":
            # Where the bytes of an image come from, the data set says; what is done with them is the same.
            step = section.build(LoadImageFromFile, ("color_type",))
        case "Resize":
            step = _resize(section, scale)
        case "Normalize":
            step = section.build(Normalize, ("mean", "std", "to_rgb"))
        case "Pad":
            step = _pad(section)
        case "ResizeOCR":
            step = _resize_ocr(section)
        case "ToTensorOCR":
            step = ToTensorOCR()
        case "NormalizeOCR":
            step = section.build(NormalizeOCR, ("mean", "std"))
        case other:
            raise ConfigError(f"{section.place}: the pipeline step {other!r} is not known, so it cannot be honoured")
    return step


def _load_image(section: Section) -> Step:
    """Read LoadImageFromFile, whose images must be files on disk."""
    section.expect("file_client_args", {"backend": "disk"})
    return section.build(LoadImageFromFile, ("color_type", "channel_order", "to_float32"))


def _multi_scale_flip_aug(section: Section) -> list[Step]:
    """Read MultiScaleFlipAug, which must neither flip nor have several scales."""
    section.expect("flip", False)
    section.expect("scale_factor", None)
    section.skip("flip_direction")
    scale = _single_scale(section, section.take("img_scale", Any))
    return [step for inner in section.sections("transforms") for step in _read_step(inner, scale)]


def _single_scale(section: Section, value: Any) -> Scale:
    """Return the one scale of `img_scale`, which is a pair or a list of one pair."""
    match value:
        case [int(first), int(second)] | [[int(first), int(second)]]:
            return first, second
    raise ConfigError(
        f"{section.place}.img_scale = {value!r} cannot be honoured: one pair of whole numbers is supported, "
        "not test-time augmentation over several scales"
    )


def _resize(section: Section, scale: Scale | None) -> Step:
    """Read Resize; the scale of an enclosing MultiScaleFlipAug goes before its own, as in mmdet."""
    own = section.take("img_scale", Any, None)
    if scale is None:
        scale = _single_scale(section, own)
    section.expect("backend", "cv2")
    section.expect("override", False)
    section.expect("ratio_range", None)
    section.skip("multiscale_mode", "bbox_clip_border")
    return section.build(Resize, ("keep_ratio", "interpolation"), {"scale": scale})


def _pad(section: Section) -> Step:
    """Read Pad."""
    section.expect("pad_to_square", False)
    return section.build(Pad, ("size_divisor", "size"), {"pad_val": take_pad_value(section)})


def take_pad_value(section: Section) -> Any:
    """Take `pad_val`, of which only what it says of the image counts; MMOCR 1.x has it in the same form."""
    value = section.take("pad_val", Any, 0)
    if isinstance(value, dict):
        values = Section(value, f"{section.place}.pad_val")
        value = values.take("img", Any, 0)
        values.skip("masks", "seg")
        values.finish()
    return value


def _resize_ocr(section: Section) -> Step:
    """Read ResizeOCR for one size; its lists of sizes are for distributed training."""
    if section.take("backend", str | None, None) not in (None, "cv2"):
        raise ConfigError(f"{section.place}.backend cannot be honoured: only 'cv2' is supported")
    sizes = ("height", "min_width", "max_width", "keep_aspect_ratio", "width_downsample_ratio")
    return section.build(ResizeOCR, (*sizes, "img_pad_value", "padding_mode"))
