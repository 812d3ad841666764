from dataclasses import dataclass
from typing import Any

import pytest

from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError


@dataclass(frozen=True)
class Part:
    width: int
    ratios: tuple[float, ...] = (1.0,)
    name: str | None = None

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be positive, got {self.width}")


def test_every_key_is_taken_or_skipped() -> None:
    section = Section({"type": "mmdet.Thing", "a": 1, "b": [1, 2], "c": {"d": 2}, "e": 3}, "model.x")
    assert section.type_name() == "Thing"
    assert "a" in section
    assert section.take("a", int) == 1
    assert "a" not in section
    assert section.take("b", tuple[int, ...]) == (1, 2)
    inner = section.section("c")
    assert (inner.place, inner.take("d", int)) == ("model.x.c", 2)
    section.skip("e", "not there")
    section.finish()
    inner.finish()


def test_what_is_left_is_named() -> None:
    section = Section({"a": 1, "b": 2, "c": 3}, "model.neck")
    section.take("b", int)
    with pytest.raises(ConfigError) as caught:
        section.finish()
    assert caught.value.message == "model.neck.a, model.neck.c of the config: not known, so it cannot be honoured"
    assert caught.value.fix == "Remove it if the model does not depend on it."


def test_the_config_is_not_changed() -> None:
    values = {"a": 1}
    Section(values, "x").take("a", int)
    assert values == {"a": 1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"width": 3}, Part(3)),
        ({"width": 3, "ratios": [1, 2.5], "name": "x", "other": 1}, Part(3, (1.0, 2.5), "x")),
    ],
)
def test_a_dataclass_is_built(values: dict[str, Any], expected: Part) -> None:
    assert Section(values, "x").build(Part, ("width", "ratios", "name")) == expected


def test_what_is_given_goes_before_the_config() -> None:
    section = Section({"width": 3}, "x")
    assert section.build(Part, ("width",), {"width": 4}) == Part(4)
    section.finish()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "model.x of the config: Object missing required field `width`"),
        ({"width": "3"}, "model.x.width of the config: Expected `int`, got `str`"),
        ({"width": True}, "model.x.width of the config: Expected `int`, got `bool`"),
        ({"width": 1.5}, "model.x.width of the config: Expected `int`, got `float`"),
        ({"width": 1, "ratios": [1, "a"]}, "model.x.ratios[1] of the config: Expected `float`, got `str`"),
        ({"width": 0}, "model.x of the config: width must be positive, got 0"),
        ({"width": 1, "ratios": [float("nan")]}, "model.x.ratios[0] of the config: expected a finite number, got nan"),
        ({"width": 1, "ratios": (2, float("-inf"))}, "model.x.ratios[1] of the config: expected a finite number, got"),
        ({"width": 1, "name": "a\ud800"}, "model.x.name of the config: expected Unicode text, got 'a\\ud800'"),
    ],
)
def test_values_that_do_not_fit_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Section(values, "model.x").build(Part, ("width", "ratios", "name"))
    assert caught.value.message.startswith(message)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^data\.test of the config lacks the key 'ann_file'$"):
        Section({}, "data.test").take("ann_file", str)
    assert Section({}, "data.test").take("ann_file", str, "x") == "x"


def test_a_value_of_another_type_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^data\.test\.ann_file of the config: Expected `str`, got `array`$"):
        Section({"ann_file": ["a", "b"]}, "data.test").take("ann_file", str)
    with pytest.raises(ConfigError, match=r"^a\.step of the config: expected a finite number, got inf$"):
        Section({"step": float("inf")}, "a").take("step", float)


@pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), ([], "list"), ("a", "str")])
def test_what_is_no_dictionary_is_named(value: object, kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"^model\.neck of the config must be a dict, got {kind}$"):
        Section({"neck": value}, "model").section("neck")


def test_lists_of_dictionaries_have_numbered_places() -> None:
    sections = Section({"transforms": [{"a": 1}, {"b": 2}]}, "p").sections("transforms")
    assert [section.place for section in sections] == ["p.transforms[0]", "p.transforms[1]"]
    with pytest.raises(ConfigError, match=r"^p\.transforms\[1\] of the config must be a dict, got int$"):
        Section({"transforms": [{}, 3]}, "p").sections("transforms")
    with pytest.raises(ConfigError, match=r"^p\.transforms of the config: Expected `array`, got `int`$"):
        Section({"transforms": 3}, "p").sections("transforms")


@pytest.mark.parametrize("values", [{}, {"strides": (1, 2)}, {"strides": [1, 2]}])
def test_an_expected_value_passes(values: dict[str, Any]) -> None:
    section = Section(values, "x")
    section.expect("strides", (1, 2))
    section.finish()


def test_another_value_than_the_expected_one_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^x\.strides = \[1, 1\] cannot be honoured: only \(1, 2\) is supported$"):
        Section({"strides": [1, 1]}, "x").expect("strides", (1, 2))


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("ResNet", "ResNet"),
        ("mmdet.ResNet", "ResNet"),
        ("mmocr.DBNet", "DBNet"),
        # mmcv's own network of that name is another one.
        ("mmcv.ResNet", "mmcv.ResNet"),
        ("torchvision.ResNet", "torchvision.ResNet"),
    ],
)
def test_scopes_of_mmocr_are_left_out_of_names(name: str, bare: str) -> None:
    assert Section({"type": name}, "x").type_name() == bare
