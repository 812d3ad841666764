import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.verification.bisecting import bisect
from ocrdeploy.verification.report.gallery import MAX_CASES, Gallery
from ocrdeploy.verification.report.page import Section, record_of, render_report
from ocrdeploy.verification.tolerances import ToleranceRules, rule_of
from ocrdeploy.verification.verifying import verify
from tests.support.browser import render
from tests.support.faults import changed_attributes, changed_weight, plant

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
EVIL = "<script>alert(1)</script> & \"quoted\" 'name'"
VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """Checks that every element is closed in its order, and keeps what the page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.references: list[str] = []
        self.elements: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.references += [str(value) for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def make_section(
    model: Path, candidate: Path, images: list[Path], name: str = "candidate", reference: str = "PyTorch"
) -> Section:
    rules = ToleranceRules()
    with open_predictor(model, backend="torch") as right, open_predictor(candidate) as other:
        gallery = Gallery(right, other, (reference, name), rules)
        comparison = verify(right, other, images, rules, on_case=gallery.add)
        bisection = bisect(right, other, comparison.worst_input, rules.of("", rule_of("fp32")))
        records = record_of(right, reference, None), record_of(other, name, candidate)
    return Section(*records, comparison, bisection, gallery, 1.5)


@pytest.fixture(scope="module")
def detection_page(small_onnx: Path, sample_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a detector with a wrong resize, on images with and without a name that is made of HTML."""
    folder = tmp_path_factory.mktemp("report")
    edit = changed_attributes("/neck/Resize_4", mode="linear", coordinate_transformation_mode="half_pixel")
    faulty = plant(small_onnx, folder, edit)
    evil = folder / "<img src=x onerror=alert(1)>&amp;.jpg"
    evil.write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes())
    section = make_section(small_onnx, faulty, [evil, sample_dir / "imgs" / "syn_0024.jpg"], EVIL)
    page = folder / "report.html"
    page.write_text(render_report([section], WHEN), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def recognition_page(
    seeded_onnx: Callable[[str], Path], sample_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of a recogniser that agrees, and of one with a changed weight."""
    folder = tmp_path_factory.mktemp("report")
    model = seeded_onnx("crnn")
    faulty = plant(model, folder, changed_weight("/backbone/cnn/conv4/Conv"))
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:2]
    sections = [make_section(model, each, images, each.name) for each in (faulty, model)]
    page = folder / "report.html"
    page.write_text(render_report(sections, WHEN), encoding="utf-8")
    return page


def test_the_page_is_whole_and_escapes_what_comes_from_outside(detection_page: Path) -> None:
    text = detection_page.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.elements
    assert EVIL in page.text
    assert "onerror=alert(1)>&amp;.jpg" in page.text
    assert page.elements.count("img") == 2 * 5
    assert all(reference.startswith("data:") for reference in page.references)
    assert re.findall(r"url\(|@import|https?:", text) == []


def test_verdict_numbers_node_and_record_are_on_it(detection_page: Path, small_onnx: Path) -> None:
    text = Page(detection_page.read_text(encoding="utf-8")).text
    for words in (
        "✗ FAILED",
        "The models differ in the network.",
        "2026-01-02 03:04 UTC",
        "Pre-processing ✓ passed",
        "Network ✗ FAILED",
        "first difference: /neck/Resize_4 (Resize) of module neck",
        "SHA-256 of model",
        "SHA-256 of checkpoint",
        "onnxruntime",
        "small.py",
    ):
        assert words in text


def test_the_worst_image_comes_first_and_the_others_are_counted(
    small_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.verification.report.gallery.MAX_CASES", 2)
    assert MAX_CASES > 2
    faulty = plant(small_onnx, tmp_path, changed_weight("/bbox_head/binarize/binarize.6/ConvTranspose", 2, factor=1.5))
    section = make_section(small_onnx, faulty, sorted((sample_dir / "imgs").glob("*.jpg"))[:4])
    severities = [case.severity for case in section.gallery.cases]
    assert len(severities) == 2
    assert severities == sorted(severities, reverse=True)
    assert section.gallery.total == 4
    assert "Images: the worst 2 of 4, the worst first" in render_report([section], WHEN)


def test_pictures_are_pictures_of_a_bounded_size(detection_page: Path) -> None:
    page = Page(detection_page.read_text(encoding="utf-8"))
    pictures = [reference for reference in page.references if reference.startswith("data:image/")]
    for picture in pictures:
        data = base64.b64decode(picture.partition(",")[2], validate=True)
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert max(pixels.shape) <= 900
    assert detection_page.stat().st_size < 2_500_000


def test_texts_are_side_by_side_with_what_differs_marked(recognition_page: Path) -> None:
    text = recognition_page.read_text(encoding="utf-8")
    page = Page(text)
    assert "<mark>" in text
    assert "faulty.onnx: the models differ in the network." in page.text
    assert "crnn.onnx: the models agree on 2 images." in page.text
    assert "edit distance" in page.text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["detection_page", "recognition_page"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_errors_and_without_the_network(
    kind: str, scheme: str, request: pytest.FixtureRequest
) -> None:
    seen = render(request.getfixturevalue(kind), "dark" if scheme == "dark" else "light")
    assert seen.console == []
    assert seen.requests == []
    corner = seen.pixels[:20, :20].mean()
    assert corner > 240 if scheme == "light" else corner < 40
    assert seen.pixels.std() > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["detection_page", "recognition_page"])
def test_on_a_phone_nothing_is_wider_than_the_screen(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page: Path = request.getfixturevalue(kind)
    frame = tmp_path / "phone.html"
    # A browser's window cannot be as narrow as a phone, so the page is put into a frame that is.
    frame.write_text(
        f'<!doctype html><body><iframe id="f" src="{page.as_uri()}" style="width:360px;height:700px"></iframe><script>'
        "document.getElementById('f').onload = (event) => { const page = event.target.contentDocument.documentElement;"
        "document.title = `${page.scrollWidth} of ${page.clientWidth}`; }</script>",
        encoding="utf-8",
    )
    seen = render(frame, "light", 600, 800)
    widths = re.search(r"<title>(\d+) of (\d+)</title>", seen.dom)
    assert widths is not None
    assert int(widths[1]) <= int(widths[2]) <= 360


@pytest.mark.slow
def test_the_browser_test_sees_errors_and_requests(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><script>console.error('boom')</script><img src='http://example.invalid/x.png'>",
        encoding="utf-8",
    )
    seen = render(page, "light")
    assert any("boom" in line for line in seen.console)
    assert any("example.invalid" in address for address in seen.requests)
