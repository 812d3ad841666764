import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.verification.tolerances import (
    Tolerance,
    ToleranceRules,
    parse_tolerances,
    score_tolerance_of_precision,
    tolerance_of_precision,
)


def test_lower_formats_are_allowed_more() -> None:
    formats = ("fp32", "fp16", "bf16")
    bounds = [tolerance_of_precision(name).allowed(1.0) for name in formats]
    assert bounds == sorted(set(bounds))
    assert tolerance_of_precision("fp32") == Tolerance(1e-4, 1e-4)
    assert tolerance_of_precision("FP16") == tolerance_of_precision("mixed") == tolerance_of_precision("tf32")
    scores = [score_tolerance_of_precision(name) for name in formats]
    assert scores == sorted(set(scores))


def test_what_the_user_sets_goes_before_what_follows_from_the_format() -> None:
    rules = ToleranceRules(parse_tolerances(["1e-2", "prob_map=1e-3"], "--atol"), parse_tolerances(["x=0"], "--rtol"))
    assert rules.of("prob_map", "fp32") == Tolerance(1e-3, 1e-4)
    assert rules.of("maps", "fp16") == Tolerance(1e-2, 5e-3)
    assert rules.of("x", "fp16") == Tolerance(1e-2, 0)


def test_the_last_value_of_an_output_counts_and_names_may_hold_the_sign() -> None:
    assert parse_tolerances(["1", "2", "a=b=3"], "--atol") == {"": 2, "a=b": 3}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "x", "prob_map=", "=", ""])
def test_what_is_no_tolerance_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"--rtol takes a number of at least 0, or OUTPUT=NUMBER, got"):
        parse_tolerances([value], "--rtol")


def test_an_output_that_does_not_exist_is_named() -> None:
    rules = ToleranceRules({"": 1.0, "prob": 1.0}, {"prob_map": 1.0})
    with pytest.raises(UsageError) as caught:
        rules.check_names(["prob_map"])
    assert caught.value.message == "--atol prob=...: no output 'prob' is compared; compared are prob_map"
    ToleranceRules({"": 1.0}, {"prob_map": 1.0}).check_names(["prob_map"])
