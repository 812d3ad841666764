from pathlib import Path

import pytest

from ocrdeploy.datasets import ImageFile, read_word_list, require_whole
from ocrdeploy.datasets.sources import ImageRoot
from ocrdeploy.errors import AnnotationError, OcrDeployWarning
from tests.support.annotations import as_lists, error_lines

ROOT = ImageRoot(Path("imgs"))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_splits_at_the_first_tab(tmp_path: Path) -> None:
    path = write(
        tmp_path / "list.txt", b"\xef\xbb\xbfa b.jpg\tHello there \r\n\nb.jpg\tx\ty\nc.jpg\t\nd.jpg \t caf\xc3\xa9"
    )
    samples = read_word_list(path, ROOT)
    assert as_lists(samples) == [["a b.jpg", "Hello there"], ["b.jpg", "x\ty"], ["c.jpg", ""], ["d.jpg", "café"]]
    first, *_, last = require_whole(samples)
    assert first.image == ImageFile(Path("imgs/a b.jpg"))
    assert last.origin == f"{path}, line 5"
    assert len(samples) == 4


def test_splits_at_the_first_blank_where_the_first_line_has_no_tab(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", b"\n a.jpg Hello there\nb.jpg x\ty\nc.jpg  z\n")
    assert as_lists(read_word_list(path, ROOT)) == [["a.jpg", "Hello there"], ["b.jpg", "x\ty"], ["c.jpg", "z"]]


@pytest.mark.parametrize(
    ("first", "line", "message"),
    [
        (b"a.jpg\tx", b"b.jpg y", "expected an image, a TAB and its text, got 'b.jpg y'"),
        (b"a.jpg\tx", b"  \t\tz", "expected an image, a TAB and its text"),
        (b"a.jpg x", b"b.jpg", "expected an image, a TAB (or a blank) and its text, got 'b.jpg'"),
        (b"a.jpg x", b"b.jpg \xe9", "expected UTF-8"),
    ],
)
def test_a_wrong_line_is_broken_and_its_number_told(first: bytes, line: bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", first + b"\n" + line + b"\n" + first + b"\n")
    lines = error_lines(read_word_list(path, ROOT))
    assert lines[1].startswith(f"{path}, line 2: {message}")
    assert lines[0] == lines[2] == ""


def test_refuses_an_empty_and_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="empty file"):
        read_word_list(write(tmp_path / "list.txt", b"\n"), ROOT)
    with pytest.raises(AnnotationError, match="no such annotation file"):
        read_word_list(tmp_path / "none.txt", ROOT)


@pytest.mark.parametrize("head", ["filename\ttext", "image_path\tlabel", "# made by hand", "#a\tb"])
def test_headers_and_comments_are_no_words(head: str, tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", f"{head}\na.jpg\tx\n#1.jpg\ty\n".encode())
    samples = read_word_list(path, ROOT)
    assert as_lists(samples) == [["a.jpg", "x"], ["#1.jpg", "y"]]
    assert len(samples) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('word_1.png, "TEXT"\nword_2.png, "a, b"\n', [["word_1.png", "TEXT"], ["word_2.png", "a, b"]]),
        ('\ufeffword_1.png, "say \\"hi\\""\n', [["word_1.png", 'say "hi"']]),
        ("filename,words\na.jpg,x\nb.jpg,a,b\n", [["a.jpg", "x"], ["b.jpg", "a,b"]]),
        ("a.jpg,Latin,###\nb.jpg,Arabic,x,y\n", [["a.jpg", "###"], ["b.jpg", "x,y"]]),
        ("a.jpg,only, one\n", [["a.jpg", "only, one"]]),
    ],
)
def test_a_comma_separates_behind_the_name_of_an_image(content: str, expected: list[list[str]], tmp_path: Path) -> None:
    assert as_lists(read_word_list(write(tmp_path / "gt.txt", content.encode()), ROOT)) == expected


@pytest.mark.parametrize("separator", ["\t", " "])
def test_quotation_marks_around_every_text_are_taken_off_and_told(separator: str, tmp_path: Path) -> None:
    content = f'a.jpg{separator}"grand"\nb.jpg{separator}"x ""y"""\n'
    with pytest.warns(OcrDeployWarning, match="every text is in quotation marks"):
        samples = read_word_list(write(tmp_path / "list.txt", content.encode()), ROOT)
    assert as_lists(samples) == [["a.jpg", "grand"], ["b.jpg", 'x "y"']]


def test_marks_of_some_texts_alone_are_theirs(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", b'a.jpg\t"grand"\nb.jpg\tx\n')
    assert as_lists(read_word_list(path, ROOT)) == [["a.jpg", '"grand"'], ["b.jpg", "x"]]


@pytest.mark.parametrize("content", ["a.jpg\tx\tLatin\nb.jpg\ty\tLatin\n", "a.jpg,x,Tall\nb.jpg,y,Tall\n"])
def test_more_columns_in_every_line_are_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"list\.txt, line 1: expected an image and its text, got 3 columns"):
        read_word_list(write(tmp_path / "list.txt", content.encode()), ROOT)
