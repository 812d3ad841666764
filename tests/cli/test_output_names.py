import os
from pathlib import Path

import pytest

from ocrdeploy.cli.output_names import OutputNames, crop_path, model_path, picture_path, warn_of_suffix
from ocrdeploy.errors import OcrDeployWarning, UsageError

OUT = Path("out")


def names(*images: str, folders: tuple[Path, ...] = (OUT,)) -> list[str]:
    paths = [Path(image) for image in images]
    given = OutputNames(paths, folders)
    return [given.next(path) for path in paths]


def test_an_image_has_its_own_name() -> None:
    assert names("x/a.jpg", "x/b.jpg") == ["a", "b"]
    assert picture_path(OUT, "a") == Path("out/a.pred.png")
    assert [crop_path(OUT, "a", index) for index in (0, 12, 1234)] == [
        OUT / "a_000.png", OUT / "a_012.png", OUT / "a_1234.png",
    ]  # fmt: skip


def test_images_of_the_same_name_are_numbered() -> None:
    assert names("x/a.jpg", "y/a.jpg", "x/a.png") == ["a", "a_2", "a_3"]
    assert names("x/a.jpg", "y/a.jpg", "x/a_2.png", "z/a.jpg") == ["a", "a_2", "a_2_2", "a_3"]


def test_capital_letters_make_no_other_file_on_some_systems() -> None:
    assert names("x/a.jpg", "y/A.JPG") == ["a", "A_2"]


def test_no_image_is_written_over() -> None:
    assert names("out/a.png", "out/a.pred.png") == ["a_2", "a.pred"]
    assert names("out/a.png", "out/a_001.png", "x/a_001.jpg") == ["a_2", "a_001", "a_001_2"]
    assert names("x/a.png", "x/a.pred.png", "x/a_001.png") == ["a", "a.pred", "a_001"]
    assert names("x/a.png", "x/a.pred.png", folders=(Path("y/../x"),)) == ["a_2", "a.pred"]


def test_a_model_has_a_suffix_that_commands_know(tmp_path: Path) -> None:
    suffixes = (".engine", ".plan")
    for name, expected in (("m", "m.engine"), ("m.engine", "m.engine"), ("m.PLAN", "m.PLAN")):
        assert model_path(tmp_path / name, suffixes) == tmp_path / expected
    with pytest.warns(OcrDeployWarning, match=r"m\.v2: commands know such models by the suffix \.engine or \.plan"):
        warn_of_suffix(model_path(tmp_path / "m.v2", suffixes), suffixes)
    warn_of_suffix(tmp_path / "m.Plan", suffixes)
    for place in (tmp_path, Path(os.devnull)):
        assert model_path(place, suffixes) == place
    with pytest.raises(UsageError, match="not written to standard output"):
        model_path(Path("-"), suffixes)
