import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.errors import OutputError, UsageError
from ocrdeploy.model_spec import IcdarDataset
from ocrdeploy.output_files import OutputFiles


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("in.txt", "other.txt"):
        Path(name).write_text(name)
    return tmp_path


def linked(link: Callable[[str, str], None], name: str = "link.txt") -> str:
    link("in.txt", name)
    return name


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda: "in.txt", r"in\.txt is read, so it is not written over"),
        (lambda: "./in.txt", r"in\.txt is read, so it is not written over"),
        (lambda: linked(os.symlink), r"link\.txt is the same file as in\.txt, which is read"),
        (lambda: linked(os.link), r"link\.txt is the same file as in\.txt, which is read"),
    ],
)
def test_an_output_that_is_an_input_is_refused_by_whatever_name(output: Callable[[], str], message: str) -> None:
    files = OutputFiles()
    files.add("--json", output())
    with pytest.raises(UsageError, match=message):
        files.protect(None, "gone.txt", Path("in.txt"))


@pytest.mark.parametrize("output", ["new.txt", "other.txt"])
def test_other_outputs_are_fine_whether_they_are_there_or_not(output: str) -> None:
    files = OutputFiles()
    files.add("--json", output)
    files.protect("in.txt", "gone.txt")


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [("new.txt", "./new.txt", "./new.txt"), ("-", "-", "standard output"), ("other.txt", "link.txt", "link.txt")],
)
def test_two_outputs_in_one_place_are_refused(first: str, second: str, place: str) -> None:
    Path("link.txt").symlink_to("other.txt")
    files = OutputFiles()
    files.add("--json", first)
    files.add("--csv", None)
    with pytest.raises(UsageError, match=r"--json would write .* twice, for models of one name"):
        files.add("--json", second)
    with pytest.raises(UsageError, match=f"--json and --csv both write to {place}: give one of them a file"):
        files.add("--csv", second)


def is_numbered(name: str) -> bool:
    return name.startswith("a_")


def test_files_of_which_the_number_is_not_known_yet_count_like_others(folder: Path) -> None:
    Path("a_1.png").symlink_to("in.txt")
    files = OutputFiles()
    files.add_series("--crop", folder, is_numbered)
    with pytest.raises(UsageError, match="--crop and --json both write to a_2"):
        files.add("--json", "a_2.png")
    with pytest.raises(UsageError, match=r"a_1\.png is the same file as in\.txt, which is read"):
        files.protect("in.txt")
    files.add("--json", "b_2.png")
    later = OutputFiles()
    later.add("--json", "a_3.png")
    with pytest.raises(UsageError, match=r"--json and --crop both write to a_3\.png"):
        later.add_series("--crop", folder, is_numbered)


@pytest.mark.parametrize("base", ["_base_ = 'base.py'", "_base_ = ['./base.py']"])
def test_the_bases_of_a_config_are_read_too(base: str) -> None:
    Path("top.py").write_text(base)
    Path("base.py").write_text("_base_ = '../deep.py'")
    Path("../deep.py").write_text("_base_ = 'top.py'")
    files = OutputFiles()
    files.add("--csv", "../deep.py")
    with pytest.raises(UsageError, match=r"deep\.py is "):
        files.protect_config(Path("top.py"))


@pytest.mark.parametrize("output", ["labels.json", "imgs/a.jpg", "imgs/b.jpg"])
def test_labels_and_images_of_a_data_set_are_kept(output: str) -> None:
    Path("imgs").mkdir()
    for name in ("imgs/a.jpg", "imgs/b.jpg"):
        Path(name).write_bytes(b"")
    images = ", ".join(f'{{"id": {i}, "file_name": "{name}.jpg"}}' for i, name in enumerate("abc"))
    Path("labels.json").write_text(f'{{"images": [{images}], "annotations": [], "categories": []}}')
    files = OutputFiles()
    files.add("--json", output)
    with pytest.raises(UsageError, match="is read"):
        files.protect_dataset(IcdarDataset("labels.json", "imgs"))


@pytest.mark.parametrize(
    ("labels", "output"),
    [
        (("gt_img_1.txt", "report.json"), "gt_img_1.txt"),
        (("deep/gt_img_1.txt",), "deep/gt_img_1.txt"),
        (("data.mdb", "lock.mdb"), "data.mdb"),
        (("one.json",), "one.json"),
    ],
)
def test_the_files_of_a_folder_of_labels_are_kept(labels: tuple[str, ...], output: str) -> None:
    for name in labels:
        path = Path("labels") / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("")
    files = OutputFiles()
    files.add("--json", Path("labels") / output)
    with pytest.raises(UsageError, match="is read"):
        files.protect_labels(Path("labels"))


def test_a_report_beside_labels_is_no_label() -> None:
    Path("labels").mkdir()
    for name in ("gt_img_1.txt", "report.json"):
        (Path("labels") / name).write_text("")
    files = OutputFiles()
    files.add("--json", "labels/report.json")
    files.protect_labels(Path("labels"))


@pytest.mark.parametrize("stream", ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_a_stream_is_no_file_to_write(stream: str) -> None:
    if stream == "link":
        Path("link").symlink_to("/dev/stdout")
    with pytest.raises(OutputError, match="is a stream of this program"):
        OutputFiles().add("--json", stream)


def test_a_log_that_messages_go_to_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("log.txt").open("w") as log:
        real = os.fstat
        monkeypatch.setattr(os, "fstat", lambda number: real(log.fileno() if number == 1 else number))
        with pytest.raises(UsageError, match=r"--csv writes to log\.txt, where the program's messages go"):
            OutputFiles().add("--csv", "log.txt")
