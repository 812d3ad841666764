import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.verification.tolerances import (
    PRECISION_RULES,
    Tolerance,
    ToleranceRules,
    coarser,
    parse_tolerances,
    rule_of,
)


def test_lower_formats_are_allowed_more() -> None:
    assert [rule.word for rule in PRECISION_RULES] == ["fp32", "tf32", "fp16", "bf16", "int8"]
    bounds = [rule.tensors.allowed(1.0) for rule in PRECISION_RULES]
    assert bounds == sorted(bounds)
    assert rule_of("fp32").tensors == Tolerance(1e-4, 1e-4)
    assert [rule.judges_tensors for rule in PRECISION_RULES] == [True, True, True, False, False]
    assert [rule.results.differing for rule in PRECISION_RULES] == [0, 0, 0, 0.02, 0.02]
    assert [rule.results.score for rule in PRECISION_RULES] == [1e-3, 2e-2, 2e-2, None, None]


def test_tf32_is_a_precision_of_its_own_and_the_coarser_side_decides() -> None:
    assert rule_of("fp32", tf32=True).word == "tf32"
    assert rule_of("fp16", tf32=True).word == "fp16"
    for first, second in (("fp32", "fp16"), ("fp16", "fp32")):
        assert coarser(rule_of(first), rule_of(second)).word == "fp16"
    with pytest.raises(UsageError, match="a precision is one of fp32, tf32, fp16, bf16, int8, got 'half'"):
        rule_of("half")


def test_what_the_user_sets_goes_before_what_follows_from_the_format() -> None:
    rules = ToleranceRules(parse_tolerances(["1e-2", "prob_map=1e-3"], "--atol"), parse_tolerances(["x=0"], "--rtol"))
    assert rules.of("prob_map", rule_of("fp32")) == Tolerance(1e-3, 1e-4)
    assert rules.of("maps", rule_of("fp16")) == Tolerance(1e-2, 5e-3)
    assert rules.of("x", rule_of("fp16")) == Tolerance(1e-2, 0)
    assert ToleranceRules(max_differing=0.1).of_results(rule_of("int8")).differing == 0.1
    assert ToleranceRules().of_results(rule_of("int8")).differing == 0.02


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_part_of_the_results_is_one(value: float) -> None:
    with pytest.raises(UsageError, match="--max-differing takes a number from 0 to 1"):
        ToleranceRules(max_differing=value)


def test_the_last_value_of_an_output_counts_and_names_may_hold_the_sign() -> None:
    assert parse_tolerances(["1", "2", "a=b=3"], "--atol") == {"": 2, "a=b": 3}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "x", "prob_map=", "=", "", "=1", " = 1"])
def test_what_is_no_tolerance_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"--rtol takes a number of at least 0, or OUTPUT=NUMBER, got"):
        parse_tolerances([value], "--rtol")


def test_an_output_that_does_not_exist_is_named() -> None:
    rules = ToleranceRules({"": 1.0, "prob": 1.0}, {"prob_map": 1.0})
    with pytest.raises(UsageError) as caught:
        rules.check([(["prob_map"], rule_of("fp32"))])
    assert caught.value.message == "--atol prob=...: no output 'prob' is compared; compared are prob_map"
    ToleranceRules({"": 1.0}, {"prob_map": 1.0}).check([(["prob_map"], rule_of("fp32"))])


def test_a_tolerance_that_no_comparison_is_judged_by_is_refused() -> None:
    formats = {word: [(["prob_map"], rule_of(word))] for word in ("fp16", "int8")}
    with pytest.raises(UsageError, match="--max-differing is for bf16 and int8, and this is fp16"):
        ToleranceRules(max_differing=0.1).check(formats["fp16"])
    with pytest.raises(UsageError, match="--atol is for number formats that are judged by tensors, and int8 is judged"):
        ToleranceRules({"": 1.0}).check(formats["int8"])
    ToleranceRules({"": 1.0}, max_differing=0.1).check([*formats["fp16"], *formats["int8"]])
