"""The config's test pipeline and its `data_preprocessor` to the steps of the model spec."""

from typing import Any

from ocrdeploy.dialects.mmocr0.pipelines import take_pad_value
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import FixInvalidPolygon
from ocrdeploy.steps import (
    LoadImageFromFile,
    Normalize,
    Pad,
    PadToWidth,
    RescaleToHeight,
    RescaleToShortSide,
    Resize,
    Step,
    check_steps,
)

WITHOUT_INFLUENCE = ("LoadOCRAnnotations", "PackTextDetInputs", "PackTextRecogInputs")
"""Steps that touch labels alone, or wrap the image for MMOCR's loaders."""

LOCAL_FILES = ({"backend": "disk"}, {"backend": "local"})
"""What MMEngine calls the files of this machine."""

PREPROCESSORS = ("TextDetDataPreprocessor", "TextRecogDataPreprocessor")


def read_pipeline(
    values: object, place: str, preprocessor: Section
) -> tuple[tuple[Step, ...], FixInvalidPolygon | None]:
    """Return the steps of a test pipeline and of the model's preprocessor, and how labels are mended.

    Args:
        values: The pipeline.
        place: Where it stands, for messages.
        preprocessor: The model's `data_preprocessor`.

    Raises:
        ConfigError: A step or an option is not known, or not supported yet.
    """
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{place} of the config must be a list of steps, got {type(values).__name__}")
    steps: list[Step] = []
    fix: FixInvalidPolygon | None = None
    for index, value in enumerate(values):
        section = Section(value, f"{place}[{index}]")
        name = section.type_name()
        if name in WITHOUT_INFLUENCE:
            continue
        if name == "FixInvalidPolygon":
            fix = section.build(FixInvalidPolygon, ("mode", "min_poly_points", "fix_from_bbox"))
        else:
            steps.append(_read_step(section, name, check_steps(steps)))
        section.finish()
    if not steps or not isinstance(steps[0], LoadImageFromFile):
        raise ConfigError(f"{place} of the config must begin with LoadImageFromFile")
    steps += _read_preprocessor(preprocessor)
    check_steps(steps)
    return tuple(steps), fix


def _read_step(section: Section, name: str, channels: int) -> Step:
    """Return the step of a name, for images of so many channels."""
    match name:
        case "LoadImageFromFile" | "LoadImageFromNDArray":
            return _loader(section, name)
        case "Pad" | "PadToWidth":
            return _padding(section, name, channels)
        case "Resize":
            section.expect("scale_factor", None)
            section.expect("backend", "cv2")
            section.skip("clip_object_border")
            scale = section.take("scale", Any)
            given = {"scale": (scale, scale) if isinstance(scale, int) else scale}
            given["keep_ratio"] = section.take("keep_ratio", bool, False)
            return section.build(Resize, ("interpolation",), given)
        case "RescaleToHeight":
            section.expect("resize_type", "Resize")
            return section.build(RescaleToHeight, ("height", "min_width", "max_width", "width_divisor"))
        case "ShortScaleAspectJitter":
            section.expect("ratio_range", (1.0, 1.0), (0.7, 1.3))
            section.expect("aspect_ratio_range", (1.0, 1.0), (0.9, 1.1))
            section.expect("resize_type", "Resize")
            return section.build(RescaleToShortSide, ("short_size", "scale_divisor"))
    raise ConfigError(f"{section.place}: the pipeline step {name!r} of MMOCR 1.x is not supported yet")


def _loader(section: Section, name: str) -> Step:
    """Read what loads an image: from its file, or from a data set that holds images, such as LMDB."""
    section.expect("imdecode_backend", "cv2", "cv2")
    expect_local(section, "file_client_args", "backend_args")
    section.skip("ignore_empty", "min_size")
    if name == "LoadImageFromFile":
        return section.build(LoadImageFromFile, ("color_type", "to_float32"))
    if section.take("color_type", str, "color") != "color":
        raise ConfigError(
            f"{section.place}.color_type of LoadImageFromNDArray can be 'color' only: MMOCR 1.x takes blue for red "
            "where it makes such images grey"
        )
    return section.build(LoadImageFromFile, ("to_float32",))


def _padding(section: Section, name: str, channels: int) -> Step:
    """Read what pads an image, to a size or as wide as it has to be."""
    if name == "Pad":
        section.expect("pad_to_square", False)
        section.expect("padding_mode", "constant")
        size = section.take("size", tuple[int, int] | None, None)
        # Width and height there, height and width here.
        given = {"pad_val": _pad_value(section, channels), "size": None if size is None else size[::-1]}
        return section.build(Pad, ("size_divisor",), given)
    padding = section.section("pad_cfg") if "pad_cfg" in section else Section({"type": "Pad"}, "pad_cfg")
    padding.expect_type("Pad")
    padding.expect("pad_to_square", False)
    # MMOCR puts its own size in the place of whatever is said here.
    padding.skip("size", "size_divisor")
    given = {"pad_val": _pad_value(padding, channels)}
    given["padding_mode"] = padding.take("padding_mode", str, "constant")
    padding.finish()
    return section.build(PadToWidth, ("width",), given)


def _pad_value(section: Section, channels: int) -> Any:
    """Take the value of a padding; a whole number is that of all channels, which in 0.x is the first one's alone."""
    value = take_pad_value(section)
    return (value,) * channels if isinstance(value, int) and value else value


def expect_local(section: Section, *keys: str) -> None:
    """Take options that say where MMEngine reads files from, which can be this machine only."""
    for key in keys:
        if (value := section.take(key, Any, None)) not in (None, *LOCAL_FILES):
            raise ConfigError(f"{section.place}.{key} = {value!r} cannot be honoured: only local files are read")


def _read_preprocessor(section: Section) -> list[Step]:
    """Return what the model does with the tensor of an image before its network sees it."""
    name = section.type_name()
    if name not in PREPROCESSORS:
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: known are {', '.join(PREPROCESSORS)}")
    section.expect("rgb_to_bgr", False)
    section.expect("batch_augments", None)
    steps: list[Step] = [section.build(Normalize, ("mean", "std"), {"to_rgb": section.take("bgr_to_rgb", bool, False)})]
    divisor = section.take("pad_size_divisor", int, 1)
    value = section.take("pad_value", float, 0.0)
    if divisor > 1:
        # It is padded after normalisation, in all channels.
        numbers = (value,) * 3 if value else value
        steps.append(Pad(size_divisor=divisor, pad_val=numbers))
    section.finish()
    return steps
