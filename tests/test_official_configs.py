"""Every official config of MMOCR loads, or is refused with one line that names what is not there; the page says so."""

from pathlib import Path

import pytest
from tools.official_configs import PAGE, TITLES, OfficialConfig, official_configs, page_of

from ocrdeploy.families import known_names

N_OFFICIAL = {"mmocr0": 39, "mmocr1": 55}
MISSING_OPTIONS: tuple[str, ...] = ("dict_file",)
"""What is not there of the architectures that are: a dictionary that is published apart from its config."""
BROKEN = ("textdet/dbnet/dbnet_resnet50-dcnv2_fpnc_100k_synthtext.py",)
"""Configs of MMOCR 1.0.1 that cannot be read in MMOCR either: a base that they need does not exist."""


@pytest.fixture(scope="module")
def configs(extra_data_dir: Path) -> list[OfficialConfig]:
    return list(official_configs(extra_data_dir))


def test_all_are_found(configs: list[OfficialConfig]) -> None:
    counts = {dialect: sum(each.dialect == dialect for each in configs) for dialect in TITLES}
    assert counts == N_OFFICIAL


def test_each_architecture_that_is_there_loads_from_both_generations(configs: list[OfficialConfig]) -> None:
    for dialect in TITLES:
        loaded = {each.network for each in configs if each.dialect == dialect and each.config is not None}
        assert loaded == set(known_names(dialect))


def test_what_is_refused_names_in_one_line_what_is_not_there(configs: list[OfficialConfig]) -> None:
    named = set()
    for each in (each for each in configs if each.config is None):
        assert "\n" not in each.refusal
        if each.name in BROKEN:
            wanted = "cannot be read: it takes 'synthtext_textdet_test' from its bases, and none of them has it"
            assert each.refusal.startswith(wanted), each
        elif each.network in known_names(each.dialect):
            options = [option for option in MISSING_OPTIONS if option in each.refusal]
            assert options, each
            named.update(options)
        else:
            assert each.network
            assert f"model.type = '{each.network}'" in each.refusal
            assert "the architecture is not supported" in each.refusal
    # What is there by now stands no longer in the list above.
    assert named == set(MISSING_OPTIONS)


def test_the_page_says_what_reading_the_configs_gives(configs: list[OfficialConfig]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(configs), "write it anew: python -m tools.official_configs"
