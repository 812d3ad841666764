import msgspec
import numpy as np
import pytest

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor
from ocrdeploy.engines.shape_profiles import choose_profiles, derive_profiles
from ocrdeploy.engines.shape_requests import GivenProfile, ShapeRequest
from ocrdeploy.errors import ShapeError, UsageError
from ocrdeploy.model_spec import Dimension, ModelSpec, ShapeProfile, TensorSpec
from ocrdeploy.steps import (
    FitSides,
    FrameImage,
    LoadImageFromFile,
    Normalize,
    NormalizeImage,
    Pad,
    Resize,
    ResizeOCR,
    Step,
    output_size,
    typical_size,
)

DETECTION: tuple[Dimension, ...] = ("batch", 3, "height", "width")
RECOGNITION: tuple[Dimension, ...] = ("batch", 1, 32, "width")


def detector(scale: tuple[int, int], *, keep_ratio: bool = True, shape: tuple[Dimension, ...] = DETECTION) -> ModelSpec:
    steps = (Resize(scale, keep_ratio), Normalize((0, 0, 0), (1, 1, 1)), Pad(size_divisor=32))
    return make_spec("DBNet", steps, shape)


def recognizer(*, min_width: int | None = 32, max_width: int | None = None) -> ModelSpec:
    steps = (LoadImageFromFile("grayscale"), ResizeOCR(32, min_width, max_width), Normalize((127,), (127,)))
    return make_spec("CRNNNet", steps, RECOGNITION)


def make_spec(architecture: str, steps: tuple[Step, ...], shape: tuple[Dimension, ...]) -> ModelSpec:
    return ModelSpec(
        schema=1,
        task="det" if shape[1] == 3 else "recog",
        architecture=architecture,
        input=TensorSpec("input", shape, ""),
        outputs=(TensorSpec("output", shape, ""),),
        preprocessing=steps,
        postprocessing=DBPostprocessor() if shape[1] == 3 else CTCConvertor(("<BLK>", "a")),
    )


OFFICIAL_SCALES = [(1333, 736), (2240, 2240), (1280, 1280), (3000, 640)]


@pytest.mark.parametrize("scale", OFFICIAL_SCALES)
def test_every_image_of_any_shape_has_a_profile(scale: tuple[int, int]) -> None:
    spec = detector(scale)
    profiles = derive_profiles(spec, {}, 2)
    rng = np.random.RandomState(0)
    sizes = [(1, 9000), (9000, 1), (7, 7), (720, 1280), (1280, 720), (640, 641), (641, 640)]
    sizes += [(int(2 ** rng.uniform(0, 13)), int(2 ** rng.uniform(0, 13))) for _ in range(2000)]
    for size in sizes:
        channels, height, width = output_size(size, spec.preprocessing)
        assert any(each.holds((n, channels, height, width)) for each in profiles for n in (1, 2)), size


@pytest.mark.parametrize("max_width", [None, 160])
def test_every_word_up_to_the_widest_has_a_profile(max_width: int | None) -> None:
    spec = recognizer(max_width=max_width)
    (profile,) = derive_profiles(spec, {}, 8)
    for height in range(5, 200, 3):
        for ratio in (0.01, 0.3, 1, 2.7, 9, 31, 32):
            size = (height, max(1, int(height * ratio)))
            channels, *rest = output_size(size, spec.preprocessing)
            assert profile.holds((8, channels, *rest)), size


def test_the_ranges_of_mmocrs_pipelines() -> None:
    assert derive_profiles(detector((1333, 736)), {}, 1) == (
        ShapeProfile((1, 3, 32, 32), (1, 3, 736, 1344), (1, 3, 1344, 1344)),
    )
    assert derive_profiles(detector((2240, 2240)), {}, 4) == (
        ShapeProfile((1, 3, 32, 32), (4, 3, 2240, 2240), (4, 3, 2240, 2240)),
    )
    # One profile for both orientations would take the memory of an image of 3008×3008, five times the largest there is.
    assert derive_profiles(detector((3000, 640)), {}, 1) == (
        ShapeProfile((1, 3, 32, 640), (1, 3, 640, 3008), (1, 3, 640, 3008)),
        ShapeProfile((1, 3, 640, 32), (1, 3, 3008, 640), (1, 3, 3008, 640)),
    )
    assert derive_profiles(recognizer(), {}, 16) == (ShapeProfile((1, 1, 32, 32), (16, 1, 32, 96), (16, 1, 32, 1024)),)
    assert derive_profiles(recognizer(max_width=160), {}, 1) == (
        ShapeProfile((1, 1, 32, 160), (1, 1, 32, 160), (1, 1, 32, 160)),
    )
    assert derive_profiles(detector((640, 480), keep_ratio=False), {}, 1) == (
        ShapeProfile((1, 3, 480, 640), (1, 3, 480, 640), (1, 3, 480, 640)),
    )


def test_the_most_frequent_size_is_the_best() -> None:
    sizes = {(736, 992): 3, (736, 1312): 7, (1344, 736): 2}
    (profile,) = derive_profiles(detector((1333, 736)), sizes, 1)
    assert profile.opt == (1, 3, 736, 1312)
    wide, tall = derive_profiles(detector((3000, 640)), {(640, 1152): 9, (1024, 640): 1, (1152, 640): 2}, 1)
    assert (wide.opt, tall.opt) == ((1, 3, 640, 1152), (1, 3, 1152, 640))


def test_words_of_the_data_set_that_are_wider_than_usual_widen_the_range() -> None:
    (profile,) = derive_profiles(recognizer(), {(32, 80): 5, (32, 1616): 1}, 4)
    assert (profile.opt, profile.max) == ((4, 1, 32, 80), (4, 1, 32, 1616))
    # Weight 0: an image that may lie on its side. It counts for the range and not for the best size.
    (profile,) = derive_profiles(recognizer(), {(32, 1616): 0}, 4)
    assert (profile.opt, profile.max) == ((4, 1, 32, 96), (4, 1, 32, 1616))


def test_a_model_with_a_fixed_batch_or_size_keeps_it() -> None:
    spec = detector((1333, 736), shape=(2, 3, "height", 1344))
    assert choose_profiles(spec.input.shape, spec, ShapeRequest(), {}) == (
        ShapeProfile((2, 3, 32, 1344), (2, 3, 736, 1344), (2, 3, 1344, 1344)),
    )
    with pytest.raises(UsageError, match="the model's batch is always 2, got --max-batch 4"):
        choose_profiles(spec.input.shape, spec, ShapeRequest(max_batch=4), {})


def test_the_default_batch_is_that_of_the_task() -> None:
    for spec, batch in ((detector((1333, 736)), 1), (recognizer(), 16)):
        (profile,) = choose_profiles(spec.input.shape, spec, ShapeRequest(), {})
        assert (profile.min[0], profile.opt[0], profile.max[0]) == (1, batch, batch)
        (profile,) = choose_profiles(spec.input.shape, spec, ShapeRequest(max_batch=5), {})
        assert (profile.min[0], profile.opt[0], profile.max[0]) == (1, 5, 5)


def test_a_static_model_takes_no_shapes() -> None:
    shape = (1, 3, 736, 1312)
    assert choose_profiles(shape, None, ShapeRequest(), {}) == (ShapeProfile(shape, shape, shape),)
    for request in (ShapeRequest(max_batch=2), ShapeRequest((GivenProfile(shape, shape),))):
        with pytest.raises(UsageError) as caught:
            choose_profiles(shape, None, request, {})
        assert str(caught.value) == "the model is static, 1×3×736×1312, and takes no other shapes. Leave them out."


def test_given_shapes_are_taken_as_they_are() -> None:
    given = (
        GivenProfile((1, 3, 320, 320), (4, 3, 640, 640), (2, 3, 320, 640)),
        GivenProfile((1, 3, 64, 64), (1, 3, 96, 96)),
    )
    assert choose_profiles(DETECTION, detector((1333, 736)), ShapeRequest(given), {}) == (
        ShapeProfile((1, 3, 320, 320), (2, 3, 320, 640), (4, 3, 640, 640)),
        ShapeProfile((1, 3, 64, 64), (1, 3, 96, 96), (1, 3, 96, 96)),
    )


def test_a_best_shape_that_is_left_out_is_the_most_frequent_one_inside_and_never_the_smallest() -> None:
    request = ShapeRequest((GivenProfile((1, 3, 320, 320), (4, 3, 736, 1344)),))
    sizes = {(1344, 736): 9, (736, 1312): 4, (320, 320): 1}
    assert choose_profiles(DETECTION, None, request, sizes)[0].opt == (4, 3, 736, 1312)
    assert choose_profiles(DETECTION, None, request, {})[0].opt == (4, 3, 736, 1344)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            GivenProfile((1, 1, 320, 320), (1, 1, 640, 640)),
            "the model's input is batch×3×height×width, got 1×1×320×320 as the smallest shape",
        ),
        (
            GivenProfile((1, 3, 400, 600), (1, 3, 800, 1216)),
            (
                "the model takes heights and widths that are multiples of 32, got 1×3×400×600 as the smallest shape. "
                "Images are padded to such sizes: take 1 3 416 608."
            ),
        ),
        (
            GivenProfile((1, 3, 320, 320), (1, 3, 640, 640), (1, 3, 330, 640)),
            (
                "the model takes heights and widths that are multiples of 32, got 1×3×330×640 as the best shape. "
                "Images are padded to such sizes: take 1 3 352 640."
            ),
        ),
        (
            GivenProfile((1, 3, 640, 640), (1, 3, 320, 640)),
            (
                "a profile has 1 <= min <= opt <= max in every dimension, got 1×3×640×640 to 1×3×320×640, "
                "fastest at 1×3×320×640"
            ),
        ),
        (
            GivenProfile((0, 3, 320, 320), (1, 3, 640, 640)),
            (
                "a profile has 1 <= min <= opt <= max in every dimension, got 0×3×320×320 to 1×3×640×640, "
                "fastest at 1×3×640×640"
            ),
        ),
    ],
)
def test_shapes_that_contradict_the_model_are_refused(given: GivenProfile, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        choose_profiles(DETECTION, detector((1333, 736)), ShapeRequest((given,)), {})
    assert str(caught.value) == message


def test_somebody_elses_model_may_have_any_size() -> None:
    request = ShapeRequest((GivenProfile((1, 3, 100, 100), (1, 3, 300, 300)),))
    assert choose_profiles(DETECTION, None, request, {})[0].max == (1, 3, 300, 300)
    with pytest.raises(UsageError) as caught:
        choose_profiles(DETECTION, None, ShapeRequest(), {})
    assert str(caught.value) == (
        "the model does not say which sizes its images have. Give --min-shape, --opt-shape and --max-shape N C H W, "
        "or its MMOCR config with --config."
    )


def test_a_pipeline_that_takes_images_as_they_are_sets_no_size() -> None:
    spec = detector((1333, 736))
    spec = msgspec.structs.replace(spec, preprocessing=spec.preprocessing[1:])
    assert typical_size(spec.preprocessing) is None
    with pytest.raises(UsageError, match="the pipeline does not resize, so it sets no size"):
        derive_profiles(spec, {}, 1)


def test_a_model_whose_batch_alone_is_open_needs_no_shapes() -> None:
    shape: tuple[Dimension, ...] = ("n", 3, 64, 48)
    assert choose_profiles(shape, None, ShapeRequest(), {}) == (
        ShapeProfile((1, 3, 64, 48), (1, 3, 64, 48), (1, 3, 64, 48)),
    )
    assert choose_profiles(shape, None, ShapeRequest(max_batch=8), {}) == (
        ShapeProfile((1, 3, 64, 48), (8, 3, 64, 48), (8, 3, 64, 48)),
    )


def test_stripes_do_not_make_a_profile_endless() -> None:
    """PP-OCR's pipeline brings the shorter side to 736 pixels, so a stripe would be as long as anything."""
    steps = (FrameImage(), FitSides(), NormalizeImage())
    spec = make_spec("DB", steps, DETECTION)
    profiles = derive_profiles(spec, {}, 1)
    assert max(max(profile.max[2:]) for profile in profiles) <= 3008
    for size in ((720, 1280), (3000, 1100), (4000, 4000), (30, 90)):
        shape = (1, *output_size(size, steps))
        assert any(profile.holds(shape) for profile in profiles), size


def test_a_pipeline_without_a_largest_size_asks_for_one() -> None:
    spec = make_spec("DB", (FitSides(), NormalizeImage()), DETECTION)
    with pytest.raises(UsageError, match="sets no largest size"):
        derive_profiles(spec, {}, 1)
