"""PP-OCR's models (versions 2 to 6): RapidOCR's numbers as presets, and those of Paddle's `inference.yml`.

There are two sets of numbers for the same detectors. RapidOCR's configuration (3.10) is the preset; what an
`inference.yml` says goes before it, with PaddleOCR's numbers for all that it leaves out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ocrdeploy.decoders import CTCConvertor, Decoder, PPOCRPostprocessor
from ocrdeploy.decoders.orientation import OrientationPostprocessor
from ocrdeploy.dialects.foreign import BLANK, ForeignModel, read_text
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.steps import FitSides, FrameImage, LoadImageFromFile, NormalizeImage, ResizeWord, Step

Preset = Literal["ppocr-det", "ppocr-rec", "ppocr-cls"]
PRESETS: tuple[Preset, ...] = ("ppocr-det", "ppocr-rec", "ppocr-cls")
SPACE = " "
CLASSIFIER_WIDTHS = {48: 192, 80: 160}
"""Width of a line that a classifier of its orientation sees, by its height: of PP-OCR 2 to 4, and of 5."""
PPOCR_HEIGHT = 48
ARCHITECTURES: dict[Preset, str] = {
    "ppocr-det": "DB",
    "ppocr-rec": "CTC",
    "ppocr-cls": "TextLineOrientation",
}
PRESETS_OF_DECODERS: dict[str, Preset] = {
    "DBPostProcess": "ppocr-det",
    "CTCLabelDecode": "ppocr-rec",
    "Topk": "ppocr-cls",
    "ClsPostProcess": "ppocr-cls",
}
"""Which model the `PostProcess` of an `inference.yml` belongs to."""
COLOR = LoadImageFromFile("color_ignore_orientation")


def preset_model(preset: Preset, dictionary: tuple[str, ...], height: int) -> ForeignModel:
    """Return what RapidOCR's configuration says.

    Args:
        preset: Which of the models.
        dictionary: The classes of a recogniser, as `dictionary_of` gives them.
        height: Height of a line of text as the network takes it.

    Raises:
        ConfigError: A classifier takes lines of a height that none has.
    """
    steps: tuple[Step, ...]
    decoder: Decoder
    match preset:
        case "ppocr-det":
            steps = (COLOR, FrameImage(), FitSides(), NormalizeImage())
            decoder = PPOCRPostprocessor(dilation=True)
        case "ppocr-rec":
            steps = (COLOR, ResizeWord(height))
            decoder = CTCConvertor(dictionary, reads="probabilities", reads_padding=True)
        case "ppocr-cls":
            if height not in CLASSIFIER_WIDTHS:
                known = " or ".join(map(str, CLASSIFIER_WIDTHS))
                raise ConfigError(
                    f"a classifier of PP-OCR takes lines {known} pixels high, and this one takes {height}"
                )
            width = CLASSIFIER_WIDTHS[height]
            steps = (COLOR, ResizeWord(height, width, width))
            decoder = OrientationPostprocessor()
    return ForeignModel(ARCHITECTURES[preset], decoder.task, steps, decoder, f"RapidOCR's numbers ({preset})")


def dictionary_of(characters: Sequence[str], classes: int, origin: str) -> tuple[str, ...]:
    """Return the string of each class: the blank, the characters, and the space where the model has a class for it.

    Args:
        characters: A dictionary, in which blank and space may be baked in.
        classes: How many classes the model has.
        origin: Where the dictionary is from, for messages.

    Raises:
        ConfigError: The dictionary has another length than the model's classes.
    """
    own = list(characters[1:] if characters and characters[0] == BLANK else characters)
    if len(own) + 2 == classes:
        own.append(SPACE)
    if len(own) + 1 != classes:
        raise ConfigError(
            f"the dictionary of {origin} has {len(own)} characters, and the model has {classes} classes: its blank and "
            f"{classes - 1} characters, or {classes - 2} and the space",
            "Give the model's own dictionary with --dictionary.",
        )
    return (BLANK, *own)


def read_inference_yml(path: Path) -> tuple[Preset, Mapping[str, Any]]:
    """Return which model an `inference.yml` is of, and its content.

    Raises:
        ConfigError: It cannot be read, or is of another model.
    """
    import yaml

    try:
        values = yaml.safe_load(read_text(path, "file"))
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is no YAML file: {' '.join(str(error).split())}") from error
    decoder = values.get("PostProcess") if isinstance(values, Mapping) else None
    name = str(decoder.get("name", "")) if isinstance(decoder, Mapping) else ""
    # That of a classifier is a section of its own, without a name.
    preset = PRESETS_OF_DECODERS.get(name or next(iter(decoder or {}), ""))
    if preset is None:
        raise ConfigError(
            f"{path}: the PostProcess {name!r} is not known; known are {', '.join(PRESETS_OF_DECODERS)}",
            "Describe the model in a file, and name it with --spec.",
        )
    return preset, values


def characters_in_yml(values: Mapping[str, Any], path: Path) -> list[str] | None:
    """Return the dictionary of an `inference.yml`; None where it has none.

    Raises:
        ConfigError: It is no list of characters.
    """
    found = values["PostProcess"].get("character_dict")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(each, str | int) for each in found):
        raise ConfigError(f"{path}: PostProcess.character_dict is a list of characters")
    return [str(each) for each in found]


def yml_model(preset: Preset, values: Mapping[str, Any], path: Path, dictionary: tuple[str, ...]) -> ForeignModel:
    """Return what an `inference.yml` says, with PaddleOCR's numbers for what it leaves out.

    Args:
        preset: Which model it is of.
        values: Its content.
        path: The file, for messages.
        dictionary: The classes of a recogniser.

    Raises:
        ConfigError: It asks for what is not known.
    """
    operators = _operators(values, path)
    decoder: Decoder
    match preset:
        case "ppocr-det":
            section = Section(dict(values["PostProcess"]), f"{path}: PostProcess")
            section.skip("name", "box_type")
            numbers = ("thresh", "box_thresh", "unclip_ratio", "max_candidates", "score_mode")
            dilation = {"dilation": section.take("use_dilation", bool, False), "corner_order": "diagonals"}
            decoder = section.build(PPOCRPostprocessor, numbers, dilation)
            section.finish()
            steps: tuple[Step, ...] = (COLOR, _fit_sides(operators, path), _normalize(operators, path))
        case "ppocr-rec":
            steps = (COLOR, ResizeWord(*_word_size(operators.get("RecResizeImg"), f"{path}: RecResizeImg")))
            decoder = CTCConvertor(dictionary, reads="probabilities", reads_padding=True)
        case "ppocr-cls":
            height, width = _line_size(operators, path)
            steps = (COLOR, ResizeWord(height, width, width))
            decoder = OrientationPostprocessor()
    return ForeignModel(ARCHITECTURES[preset], decoder.task, steps, decoder, str(path))


def _operators(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the operators of the pre-processing by their names."""
    preprocess = values.get("PreProcess")
    found = preprocess.get("transform_ops") if isinstance(preprocess, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(each, Mapping) and len(each) == 1 for each in found):
        raise ConfigError(f"{path}: PreProcess.transform_ops is a list of operators")
    operators = {str(name): value for each in found for name, value in each.items()}
    mode = (operators.get("DecodeImage") or {}).get("img_mode", "BGR")
    if mode != "BGR":
        raise ConfigError(f"{path}: DecodeImage.img_mode is BGR in PP-OCR's models, and here {mode}")
    return operators


def _fit_sides(operators: dict[str, Any], path: Path) -> FitSides:
    """Return the resizing of a detector; PaddleOCR's own is that the shorter side has 736 pixels at least."""
    section = Section(operators.get("DetResizeForTest") or {}, f"{path}: DetResizeForTest")
    given: dict[str, Any] = {}
    if "resize_long" in section:
        given = {"limit_side_len": section.take("resize_long", int), "limit_type": "long"}
    elif "image_shape" in section:
        section.expect("keep_ratio", False, False)
        given = {"size": section.take("image_shape", tuple[int, int])}
    step = section.build(FitSides, ("limit_side_len", "limit_type"), given)
    section.finish()
    return step


def _normalize(operators: dict[str, Any], path: Path) -> NormalizeImage:
    """Return the normalisation of a detector."""
    section = Section(operators.get("NormalizeImage") or {}, f"{path}: NormalizeImage")
    section.expect("order", "hwc", "hwc")
    section.expect("scale", "1./255.", "1./255.")
    given = {name: tuple(section.take(name, list[float])) for name in ("mean", "std") if name in section}
    step = section.build(NormalizeImage, (), given)
    section.finish()
    return step


def _word_size(values: object, place: str) -> tuple[int, int]:
    """Return height and least width of a word."""
    shape = values.get("image_shape") if isinstance(values, Mapping) else None
    if shape is None:
        return PPOCR_HEIGHT, 320
    if not isinstance(shape, list) or len(shape) != 3 or not all(isinstance(each, int) for each in shape):
        raise ConfigError(f"{place}.image_shape has three numbers, got {shape}")
    return shape[1], shape[2]


def _line_size(operators: dict[str, Any], path: Path) -> tuple[int, int]:
    """Return height and width of a line that a classifier sees."""
    resize = operators.get("ResizeImage") or {}
    size = resize.get("size") if isinstance(resize, Mapping) else None
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(each, int) for each in size):
        raise ConfigError(f"{path}: ResizeImage.size has two numbers, got {size}")
    return size[1], size[0]
