from typing import Any

import pytest

from ocrdeploy.dialects.mmocr0.pipelines import read_pipeline
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.steps import LoadImageFromFile, Normalize, NormalizeOCR, Pad, Resize, ResizeOCR, Step, ToTensorOCR
from tests.support.configs import LOAD, NORMALIZE, PAD, RESIZE

Config = dict[str, Any]

LOADED = LoadImageFromFile("color_ignore_orientation")


def read(*steps: Config) -> tuple[Step, ...]:
    return read_pipeline([Section(step, f"pipeline[{index}]") for index, step in enumerate(steps)])


def multi_scale(*transforms: Config, **options: Any) -> Config:
    """Return a MultiScaleFlipAug."""
    return {
        "type": "MultiScaleFlipAug",
        "img_scale": (320, 192),
        "flip": False,
        "transforms": list(transforms),
    } | options


def test_a_detection_pipeline() -> None:
    wrapping = [{"type": "ImageToTensor", "keys": ["img"]}, {"type": "Collect", "keys": ["img"], "meta_keys": ("a",)}]
    inner = ({"type": "Resize", "keep_ratio": True}, {"type": "RandomFlip", "flip_ratio": 0.5}, NORMALIZE, PAD)
    assert read(LOAD, multi_scale(*inner, *wrapping)) == (
        LOADED,
        Resize((320, 192)),
        Normalize((120, 115, 100), (60, 58, 57), to_rgb=True),
        Pad(size_divisor=32),
    )


def test_a_recognition_pipeline() -> None:
    word = {
        "type": "ResizeOCR",
        "height": 32,
        "min_width": 32,
        "max_width": 160,
        "keep_aspect_ratio": True,
        "width_downsample_ratio": 0.25,
        "img_pad_value": 7,
        "backend": "cv2",
        "padding_mode": "edge",
    }
    steps = (word, {"type": "ToTensorOCR"}, {"type": "NormalizeOCR", "mean": [0.5] * 3, "std": [0.25] * 3})
    collect = {"type": "Collect", "keys": ["img"], "meta_keys": ["valid_ratio"]}
    expected = (
        LoadImageFromFile(),
        ResizeOCR(32, 32, 160, img_pad_value=7, width_downsample_ratio=0.25, padding_mode="edge"),
        ToTensorOCR(),
        NormalizeOCR((0.5,) * 3, (0.25,) * 3),
    )
    assert read({"type": "LoadImageFromFile"}, *steps, collect) == expected
    rotating = {"type": "MultiRotateAugOCR", "rotate_degrees": [0, 90, 270], "transforms": [*steps, collect]}
    assert read({"type": "LoadImageFromFile"}, rotating) == expected


def test_defaults_are_those_of_mmdet_and_mmocr() -> None:
    assert read(
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "img_scale": (8, 4)},
        {"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 1]},
        {"type": "Pad", "size": (64, 32)},
        {"type": "ResizeOCR", "height": 32},
    ) == (
        LoadImageFromFile("color", channel_order="bgr", to_float32=False),
        Resize((8, 4), keep_ratio=True, interpolation="bilinear"),
        Normalize((0, 0, 0), (1, 1, 1), to_rgb=True),
        Pad(size=(64, 32), pad_val=0),
        ResizeOCR(32, None, None, True, 0, 1 / 16, None, "constant"),
    )


def test_images_in_an_lmdb_are_prepared_as_others() -> None:
    gray = {"type": "LoadImageFromLMDB", "color_type": "grayscale"}
    assert read(gray) == (LoadImageFromFile("grayscale"),)
    assert read({"type": "LoadImageFromLMDB"}) == (LoadImageFromFile("color"),)


@pytest.mark.parametrize("scale", [(320, 192), [320, 192], [(320, 192)], [[320, 192]]])
def test_one_scale_in_any_writing(scale: Any) -> None:
    assert read(LOAD, multi_scale({"type": "Resize"}, img_scale=scale))[1] == Resize((320, 192))
    assert read(LOAD, RESIZE | {"img_scale": scale})[1] == Resize((320, 192))


def test_the_scale_of_the_augmentation_goes_before_that_of_resize() -> None:
    assert read(LOAD, multi_scale(RESIZE | {"img_scale": (9, 9)}))[1] == Resize((320, 192))


@pytest.mark.parametrize(
    ("pad_val", "expected"),
    [(3, 3.0), ({"img": 4, "masks": 1, "seg": 255}, 4.0), ({"seg": 255}, 0.0), ({"img": (1, 2, 3)}, (1.0, 2.0, 3.0))],
)
def test_padding_values(pad_val: Any, expected: Any) -> None:
    assert read(LOAD, PAD | {"pad_val": pad_val})[1] == Pad(size_divisor=32, pad_val=expected)


def test_options_without_influence_are_skipped() -> None:
    options = {
        "backend": "cv2",
        "override": False,
        "ratio_range": None,
        "multiscale_mode": "value",
        "bbox_clip_border": True,
    }
    assert read(LOAD, RESIZE | options) == read(LOAD, RESIZE)
    assert read(LOAD | {"file_client_args": {"backend": "disk"}}) == read(LOAD)
    assert read(LOAD, PAD | {"pad_to_square": False}) == read(LOAD, PAD)


@pytest.mark.parametrize(
    "step",
    [
        LOAD,
        RESIZE,
        NORMALIZE,
        PAD,
        multi_scale(),
        {"type": "MultiRotateAugOCR", "transforms": []},
        {"type": "LoadImageFromLMDB"},
        {"type": "ResizeOCR", "height": 32},
        {"type": "ToTensorOCR"},
        {"type": "NormalizeOCR", "mean": [0], "std": [1]},
        {"type": "ImageToTensor", "keys": ["img"]},
        {"type": "DefaultFormatBundle"},
        {"type": "Collect", "keys": ["img"]},
    ],
)
def test_unknown_options_are_refused_by_name(step: Config) -> None:
    with pytest.raises(
        ConfigError, match=r"^pipeline\[1\]\.novelty of the config: not known, so it cannot be honoured"
    ):
        read(LOAD, step | {"novelty": 1})


@pytest.mark.parametrize(
    "name",
    ["ColorJitter", "LoadImageFromNdarray", "LoadTextAnnotations", "OpencvToPil", "SquareResizePad", "RandomFlip"],
)
def test_unknown_steps_are_refused_by_name(name: str) -> None:
    message = rf"^pipeline\[1\]: the pipeline step '{name}' is not known, so it cannot be honoured"
    with pytest.raises(ConfigError, match=message):
        read(LOAD, {"type": name})


def test_unknown_steps_inside_others_are_refused_by_name() -> None:
    with pytest.raises(
        ConfigError, match=r"^pipeline\[1\]\.transforms\[1\]: the pipeline step 'PhotoMetric' is not known"
    ):
        read(LOAD, multi_scale(NORMALIZE, {"type": "PhotoMetric"}))


BEGIN = "the test pipeline of the config must begin with LoadImageFromFile or LoadImageFromLMDB"
SCALES = "cannot be honoured: one pair of whole numbers is supported, not test-time augmentation over several scales"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], BEGIN),
        ([NORMALIZE], BEGIN),
        ([{}], "pipeline[0] of the config lacks the key 'type'"),
        ([LOAD, LOAD], "LoadImageFromFile comes first in a pipeline, and here it is step 2"),
        ([LOAD | {"color_type": "unchanged"}], "pipeline[0].color_type of the config: Invalid enum value 'unchanged'"),
        (
            [LOAD | {"file_client_args": {"backend": "petrel"}}],
            (
                "pipeline[0].file_client_args = {'backend': 'petrel'} cannot be honoured: "
                "only {'backend': 'disk'} is supported"
            ),
        ),
        ([LOAD, multi_scale(flip=True)], "pipeline[1].flip = True cannot be honoured: only False is supported"),
        (
            [LOAD, multi_scale(scale_factor=2.0)],
            "pipeline[1].scale_factor = 2.0 cannot be honoured: only None is supported",
        ),
        (
            [LOAD, multi_scale(img_scale=[(320, 192), (640, 384)])],
            f"pipeline[1].img_scale = [(320, 192), (640, 384)] {SCALES}",
        ),
        ([LOAD, multi_scale(img_scale=(320.5, 192))], f"pipeline[1].img_scale = (320.5, 192) {SCALES}"),
        ([LOAD, {"type": "Resize"}], f"pipeline[1].img_scale = None {SCALES}"),
        ([LOAD, RESIZE | {"img_scale": (0, 8)}], "pipeline[1].scale[0] of the config: Expected `int` >= 1, got 0"),
        (
            [LOAD, RESIZE | {"ratio_range": (0.5, 2)}],
            "pipeline[1].ratio_range = (0.5, 2) cannot be honoured: only None is supported",
        ),
        (
            [LOAD, RESIZE | {"backend": "pillow"}],
            "pipeline[1].backend = 'pillow' cannot be honoured: only 'cv2' is supported",
        ),
        (
            [LOAD, RESIZE | {"override": True}],
            "pipeline[1].override = True cannot be honoured: only False is supported",
        ),
        ([LOAD, RESIZE, RESIZE], "a pipeline has at most one Resize, and this one has 2"),
        (
            [LOAD, NORMALIZE | {"std": [1, 0, 1]}],
            "pipeline[1].std[1] of the config: Expected `float` >= 1e-06, got 0",
        ),
        ([LOAD, NORMALIZE | {"mean": [1]}], "pipeline[1] of the config: mean and std need one number a channel each"),
        (
            [LOAD, {"type": "Normalize", "mean": [1] * 2, "std": [1] * 2}],
            "Normalize has 2 numbers for the channels of an image that has 3",
        ),
        ([LOAD, {"type": "Pad"}], "pipeline[1] of the config: Pad takes either size_divisor or size"),
        (
            [LOAD, PAD | {"pad_to_square": True}],
            "pipeline[1].pad_to_square = True cannot be honoured: only False is supported",
        ),
        (
            [LOAD, PAD | {"pad_val": {"img": 0, "depth": 1}}],
            "pipeline[1].pad_val.depth of the config: not known, so it cannot be honoured",
        ),
        ([LOAD, PAD | {"pad_val": "black"}], "pipeline[1].pad_val of the config: Expected"),
        (
            [LOAD, {"type": "ResizeOCR", "height": 32, "backend": "pillow"}],
            "pipeline[1].backend cannot be honoured: only 'cv2' is supported",
        ),
        ([LOAD, {"type": "ResizeOCR", "height": (32, 64)}], "pipeline[1].height of the config: Expected `int`, got"),
        (
            [LOAD, {"type": "ResizeOCR", "height": 0}],
            "pipeline[1].height of the config: Expected `int` >= 1, got 0",
        ),
        (
            [LOAD, {"type": "ResizeOCR", "height": 32, "keep_aspect_ratio": False}],
            "pipeline[1] of the config: ResizeOCR needs max_width when keep_aspect_ratio is False",
        ),
        (
            [LOAD, {"type": "NormalizeOCR", "mean": [0], "std": [1]}],
            "NormalizeOCR comes after ToTensorOCR in a pipeline, and here it does not",
        ),
    ],
)
def test_what_cannot_be_honoured_is_named(steps: list[Config], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*steps)
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message
