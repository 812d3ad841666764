import os
from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.datasets import ImageFile, LmdbImage, read_bytes, read_ocr_dataset, require_whole
from ocrdeploy.errors import AnnotationError, ConfigError, OcrDeployWarning
from ocrdeploy.model_spec import AnnFileLoader, LineJsonParser, LineStrParser, OCRDataset
from tests.support.annotations import as_lists, error_lines
from tests.support.dataset_cases import LMDB_ENTRIES, make_lmdb

JSON = AnnFileLoader(LineJsonParser())
LMDB = AnnFileLoader(LineJsonParser(), "lmdb")
WORDS = AnnFileLoader(LineStrParser())


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.filterwarnings("ignore:.*the text is cut")
@pytest.mark.parametrize(
    ("loader", "line", "message"),
    [
        (WORDS, b"a.jpg", "expected filename, text separated by ' ' (2 fields), got 1 fields"),
        (AnnFileLoader(LineStrParser(separator="\t")), b"a.jpg Hello", "separated by '\\t' (2 fields), got 1"),
        (AnnFileLoader(LineStrParser(keys_idx=(0, -3))), b"a.jpg Hello", "got 2 fields"),
        (WORDS, b"caf\xe9.jpg Hello", "expected UTF-8, got another encoding"),
        (JSON, b"a.jpg Hello", "expected JSON"),
        (JSON, b'{"filename": "a.jpg"}', "there is no 'text'"),
        (JSON, b'{"filename": "a.jpg", "text": 5}', "expected 'text' to be a string, got int"),
        (JSON, b'{"filename": null, "text": "x"}', "expected 'filename' to be a string, got NoneType"),
        (
            JSON,
            b'{"filename": "\\ud800.jpg", "text": "x"}',
            "expected 'filename' to be Unicode text, got '\\ud800.jpg'",
        ),
        (JSON, b'"a.jpg"', "expected a JSON object, got str"),
    ],
)
def test_a_wrong_line_is_broken_and_its_number_told(
    loader: AnnFileLoader, line: bytes, message: str, tmp_path: Path
) -> None:
    good = b'{"filename": "x.jpg", "text": "x"}\n' if loader is JSON else b"x.jpg x\tx y\n"
    path = write(tmp_path / "label.txt", good + b"\r\n" + line + b"\r\n" + good)
    lines = error_lines(read_ocr_dataset(OCRDataset(path, loader)))
    assert lines[1].startswith(f"{path}, line 3: ")
    assert message in lines[1]
    assert len(lines) == 3


def test_accepts_a_byte_order_mark_and_any_line_end(tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", b"\xef\xbb\xbfa.jpg Hello\r\n\r\nb.jpg caf\xc3\xa9\rc.jpg x")
    samples = read_ocr_dataset(OCRDataset(path, WORDS, "imgs"))
    assert as_lists(samples) == [["a.jpg", "Hello"], ["b.jpg", "café"], ["c.jpg", "x"]]
    first, _, last = require_whole(samples)
    assert first.image == ImageFile(Path("imgs/a.jpg"))
    assert last.origin == f"{path}, line 4"


def test_text_may_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", b'{"filename": "a.jpg"}')
    loader = AnnFileLoader(LineJsonParser(("filename",)))
    assert as_lists(read_ocr_dataset(OCRDataset(path, loader))) == [["a.jpg", None]]


def test_refuses_what_does_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", b"a.jpg Hello")
    with pytest.raises(ConfigError, match="needs the key 'filename'"):
        read_ocr_dataset(OCRDataset(path, AnnFileLoader(LineJsonParser(("file_name", "text")))))
    with pytest.raises(ConfigError, match="LineJsonParser only"):
        read_ocr_dataset(OCRDataset(path, AnnFileLoader(LineStrParser(), "lmdb")))
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        read_ocr_dataset(OCRDataset(path, AnnFileLoader(LineStrParser(), repeat=0)))
    with pytest.raises(ConfigError, match="separator"):
        list(read_ocr_dataset(OCRDataset(path, AnnFileLoader(LineStrParser(separator="")))))


def test_reads_images_from_the_lmdb_of_the_labels(tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "imgs.lmdb", LMDB_ENTRIES["imgs.lmdb"])
    samples = read_ocr_dataset(OCRDataset(str(folder), LMDB, "no_such_folder"))
    assert [sample.image for sample in require_whole(samples)] == [
        LmdbImage(folder, "image-000000001"),
        LmdbImage(folder, "image-000000002"),
    ]
    # The labels are still open while the images are read.
    assert [read_bytes(sample.image) for sample in require_whole(samples)] == [b"first image", b"second image"]


def test_reads_images_from_an_lmdb_that_is_the_prefix(tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "imgs.lmdb", LMDB_ENTRIES["imgs.lmdb"])
    path = write(tmp_path / "label.txt", b"image-000000002 Hello")
    (sample,) = require_whole(read_ocr_dataset(OCRDataset(path, WORDS, str(folder))))
    assert read_bytes(sample.image) == b"second image"


def test_old_lmdb_keeps_what_mmocr_strips_by_mistake(tmp_path: Path) -> None:
    entries = {
        "total_number": b"4",
        "0": b"n.jpg green",
        "1": b"/a.jpg 1/\n",
        "2": b'{"filename": "b.jpg", "text": "x"}',
        "3": b"c.jpg two words",
    }
    samples = read_ocr_dataset(OCRDataset(str(make_lmdb(tmp_path / "old.lmdb", entries)), LMDB))
    *whole, broken = samples
    assert as_lists(whole) == [["n.jpg", "green"], ["/a.jpg", "1/"], ["b.jpg", "x"]]
    assert "key 3: expected JSON" in error_lines([broken])[0]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "the key num-samples or total_number"),
        ({"num-samples": b"many"}, "key num-samples: expected JSON"),
        ({"num-samples": b"1.5"}, "expected a whole number, got 1.5"),
        ({"num-samples": b"0"}, "an LMDB of 0 entries"),
    ],
)
def test_refuses_an_lmdb_of_something_else(entries: dict[str, bytes], message: str, tmp_path: Path) -> None:
    folder = make_lmdb(tmp_path / "label.lmdb", entries)
    with pytest.raises(AnnotationError) as caught:
        read_ocr_dataset(OCRDataset(str(folder), LMDB))
    assert str(caught.value).startswith(str(folder))
    assert message in str(caught.value)


def test_refuses_what_is_no_lmdb(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no\.lmdb: there is no such LMDB folder"):
        read_ocr_dataset(OCRDataset(str(tmp_path / "no.lmdb"), LMDB))
    with pytest.raises(AnnotationError, match=r"holds no data\.mdb"):
        read_ocr_dataset(OCRDataset(str(tmp_path), LMDB))
    (tmp_path / "data.mdb").write_bytes(b"junk" * 1000)
    with pytest.raises(AnnotationError, match="expected an LMDB folder, but it cannot be read"):
        read_ocr_dataset(OCRDataset(str(tmp_path), LMDB))


def test_an_lmdb_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    entries = {"num-samples": b"1", "label-000000001": b"GRAND", "image-000000001": b"x" * 20_000}
    folder = make_lmdb(tmp_path / "imgs.lmdb", entries)
    data = (folder / "data.mdb").read_bytes()
    for length in range(0, len(data), 1021):
        (folder / "data.mdb").write_bytes(data[:length])
        with pytest.raises(AnnotationError, match="expected an LMDB folder, but it cannot be read"):
            read_ocr_dataset(OCRDataset(str(folder), LMDB))
    (folder / "data.mdb").write_bytes(data)
    assert len(read_ocr_dataset(OCRDataset(str(folder), LMDB))) == 1


def test_wrong_lmdb_entries_are_broken(tmp_path: Path) -> None:
    entries = {"num-samples": b"3", "label-000000001": b"\xff", "label-000000003": b"{}"}
    folder = make_lmdb(tmp_path / "label.lmdb", entries)
    lines = error_lines(read_ocr_dataset(OCRDataset(str(folder), LMDB)))
    assert lines == [
        f"{folder}, key label-000000001: expected UTF-8, got another encoding",
        f"{folder}, key label-000000002: there is no such key in the LMDB",
        f"{folder}, key label-000000003: expected the keys filename, text, but there is no 'filename'",
    ]


@pytest.mark.parametrize(
    ("content", "parser", "message"),
    [
        (
            b"a.jpg x\nb.jpg GRAND HOTEL\nc.jpg a b c\n",
            LineStrParser(),
            r"line 2: the text is cut at ' '.* 2 of 3 lines",
        ),
        (b"a.jpg GRAND ROAD\n", LineStrParser(), r"line 1: .* 1 of 1 lines"),
        (b"a.jpg\tx\nb.jpg\tx\ty\n", LineStrParser(separator="\t"), r"line 2: the text is cut at '\\t'"),
    ],
)
def test_texts_that_are_cut_are_told(content: bytes, parser: LineStrParser, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", content)
    with pytest.warns(OcrDeployWarning, match=message):
        read_ocr_dataset(OCRDataset(path, AnnFileLoader(parser)))


def test_columns_that_all_lines_have_are_no_part_of_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", b"a.jpg\tx\tLatin\nb.jpg\ty\tLatin\n")
    samples = read_ocr_dataset(OCRDataset(path, AnnFileLoader(LineStrParser(separator="\t"))))
    assert as_lists(samples) == [["a.jpg", "x"], ["b.jpg", "y"]]


@pytest.mark.parametrize(
    ("parser", "expected"),
    [
        (LineStrParser(), [" a.jpg# x#", ["a.jpg#", "x#"]]),
        (LineStrParser(strip_str="#"), ["#a.jpg x##", ["a.jpg", "x"]]),
        (LineStrParser(strip_str="#", strip_pos="right"), ["#a.jpg x##", ["#a.jpg", "x"]]),
        (LineStrParser(strip_str="#", strip_pos="left"), ["#a.jpg x##", ["a.jpg", "x##"]]),
        (LineStrParser(strip=False, separator=","), [" a.jpg,x ", [" a.jpg", "x "]]),
    ],
)
def test_lines_are_stripped_as_the_parser_says(parser: LineStrParser, expected: list[Any], tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", expected[0].encode())
    assert as_lists(read_ocr_dataset(OCRDataset(path, AnnFileLoader(parser)))) == [expected[1]]


@pytest.mark.parametrize("content", [b'{"images": [], "annotations": []}', b'{"filename": "a.jpg"}\n', b"[\n", b"{\n"])
def test_json_is_no_file_of_columns(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "label.json", content)
    with pytest.raises(AnnotationError, match="expected lines of filename, text separated by ' ', got JSON"):
        read_ocr_dataset(OCRDataset(path, WORDS))


@pytest.mark.parametrize("loader", [JSON, WORDS])
def test_a_pipe_is_refused_at_once(loader: AnnFileLoader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AnnotationError, match=r"this is a device or a pipe\. Give a file"):
        read_ocr_dataset(OCRDataset(str(tmp_path / "pipe"), loader))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer: run git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "an HTML page: download the file again"),
        (b"PK\x03\x04\x14\0\0\0", "a zip archive: unpack it"),
        (b"\x1f\x8b\x08\0", "a gzip archive: unpack it"),
        (b"a" * 257 + b"ustar\0", "a tar archive: unpack it"),
    ],
)
def test_what_stands_in_the_place_of_labels_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "label.txt", content)
    with pytest.raises(AnnotationError, match=message):
        read_ocr_dataset(OCRDataset(path, WORDS))
