import pytest

from ocrdeploy.engines.shape_requests import GivenProfile, ShapeRequest, parse_profile, request_shapes
from ocrdeploy.errors import UsageError


def test_the_options_of_shapes() -> None:
    least, best, most = (1, 3, 32, 32), (1, 3, 64, 64), (1, 3, 96, 96)
    assert request_shapes(None, None, None, (), None) == ShapeRequest()
    assert request_shapes(least, None, most, ("1x3x32x32,2x3x64x64",), None) == ShapeRequest(
        (GivenProfile(least, most), GivenProfile(least, (2, 3, 64, 64)))
    )
    assert request_shapes(least, best, most, (), None).profiles == (GivenProfile(least, most, best),)
    for first, second, third in ((least, None, None), (None, best, None), (None, None, most), (least, best, None)):
        with pytest.raises(UsageError, match="--min-shape and --max-shape are given together"):
            request_shapes(first, second, third, (), None)
    with pytest.raises(UsageError, match="--max-batch is for shapes that are derived"):
        request_shapes(least, best, most, (), 2)


def test_profiles_in_words() -> None:
    expected = GivenProfile((1, 3, 32, 32), (4, 3, 96, 96), (1, 3, 64, 64))
    assert parse_profile("1x3x32x32,1x3x64x64,4x3x96x96") == expected
    assert parse_profile("1×3×32×32, 1×3×64×64, 4×3×96×96") == expected
    for text in ("", "1x3x32x32", "1x3x32,1x3x64", "axbxcxd,1x1x1x1", "1x3x32x32,1x3x64x64,", "-1x3x32x32,1x3x64x64"):
        with pytest.raises(UsageError, match="--profile is"):
            parse_profile(text)
    with pytest.raises(UsageError, match="--profile is two or three shapes"):
        parse_profile(",".join(["1x3x32x32"] * 4))
