"""Annotations: of every form, broken in every way, and odd ones that count."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.robustness.case import Case, Check, Make, Outcome, Place, fine

DET = "evaluate {det} --ann-file {input} --img-prefix {imgs} --json r.json --quiet"
OWN = "evaluate {det} --data {input} --img-prefix {imgs} --json r.json --quiet"
WORDS = "evaluate {recog} --data {input} --img-prefix {imgs} --json r.json --quiet"
STORED = "evaluate {det} --from-predictions {input} --ann-file {ann} --img-prefix {imgs} --json r.json --quiet"
REPORT = "out/r.json"
SQUARE = [10.0, 10.0, 60.0, 10.0, 60.0, 40.0, 10.0, 40.0]

Document = dict[str, Any]


def text(content: bytes | str, name: str = "a.json") -> Make:
    """Write a file."""
    return lambda place: place.new(name, content)


def coco(change: Callable[[Document], object], encode: Callable[[str], bytes] = str.encode) -> Make:
    """Write the annotations of two images, changed."""

    def make(place: Place) -> Path:
        document = json.loads(place.ann.read_text())
        change(document)
        return place.new("a.json", encode(json.dumps(document, indent=1)))

    return make


def polygon(*numbers: Any) -> Make:
    """Write annotations whose first one has another polygon."""
    return coco(lambda document: document["annotations"][0].update(segmentation=[list(numbers)]))


def first(**fields: Any) -> Make:
    """Write annotations whose first one has other fields."""
    return coco(lambda document: document["annotations"][0].update(fields))


def same_ids(key: str) -> Make:
    """Write two entries with one id."""
    return coco(lambda document: [entry.update(id=1) for entry in document[key]])


def without(key: str) -> Make:
    """Write annotations that lack one of the lists."""
    return coco(lambda document: document.pop(key))


def image(**fields: Any) -> Make:
    """Write annotations whose second image has other fields."""
    return coco(lambda document: document["images"][1].update(fields))


def unchanged(_document: Document) -> None:
    """Leave it as it is."""


def jsonl(*segmentation: Any) -> Make:
    """Write one line of a TextDetDataset."""
    line = {"file_name": "syn_0022.jpg", "annotations": [{"iscrowd": 0, "segmentation": [list(segmentation)]}]}
    return text(json.dumps(line) + "\n", "a.jsonl")


def ground_truth(content: bytes | str) -> Make:
    """Write a folder of one ground truth file."""

    def make(place: Place) -> Path:
        folder = place.folder / "gt"
        folder.mkdir()
        (folder / "gt_syn_0022.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return make


def words(content: bytes | str) -> Make:
    """Write a list of words."""
    return text(content, "words.txt")


def predictions(change: Callable[[list[str]], object]) -> Make:
    """Write predictions of two images, changed."""

    def make(place: Place) -> Path:
        names = [entry["file_name"] for entry in json.loads(place.ann.read_text())["images"]]
        lines = [
            json.dumps(
                {"image": name, "model": str(place.det), "backend": "onnxruntime", "polygons": [SQUARE], "scores": [1]}
            )
            for name in names
        ]
        change(lines)
        return place.new("p.jsonl", "".join(line + "\n" for line in lines))

    return make


def counted(images: int, broken: int = 0) -> Check:
    """Ask for how many images count."""

    def check(place: Place, _outcome: Outcome) -> None:
        (row,) = json.loads((place.out / "r.json").read_text())["rows"]
        assert (row["images"], row["broken"]) == (images, broken)
        assert all(0 <= value <= 1 for value in row["metrics"].values())

    return check


def as_before(place: Place, outcome: Outcome) -> None:
    """Ask for the score that the model has on the two images as they are."""
    counted(2)(place, outcome)
    (row,) = json.loads((place.out / "r.json").read_text())["rows"]
    assert row["metrics"]["hmean-iou:hmean"] > 0.5


def bad(name: str, make: Make, says: str, command: str = DET) -> Case:
    return Case(name, make, command, says)


def good(name: str, make: Make, check: Check = as_before, command: str = DET, says: str = "") -> Case:
    return fine(name, make, command, check, REPORT, says=says)


UNUSED = "^warning: .* images in .* have no ground truth"
OTHERS = UNUSED + r"(.|\n)*"
"""What is said of the images that a folder of one ground truth file leaves out."""


ANNOTATIONS = [
    bad("missing", lambda place: place.folder / "none.json", r"none\.json: there is no such annotation file$"),
    bad("a folder", lambda place: place.folder, r"the annotation file cannot be read: Is a directory$"),
    bad("empty", text(""), r"a\.json: expected JSON, got an empty file$"),
    bad("blank", text(" \n\n"), r"a\.json: expected JSON, got an empty file$"),
    bad("no JSON", text("hello"), r"a\.json: expected JSON; at column 1: .*An IcdarDataset file is a JSON object with"),
    bad("cut off", text('{"images": ['), r"a\.json: expected JSON; at column 13: "),
    bad("a list", text("[]"), r"a\.json: expected a JSON object, got list\."),
    bad("brackets within brackets", text("[" * 100_000), r"a\.json.*: (the JSON cannot be read|expected JSON)"),
    bad("a number of many digits", text('{"images": ' + "9" * 9999 + "}"), r"a\.json: the JSON cannot be read: "),
    bad("an image", lambda place: place.image, r"\.jpg, line 1: expected UTF-8, got another encoding\. Save the file as"),
    bad("Latin-1", text('{"images": ["ä"]}'.encode("latin-1")), r"a\.json, line 1: expected UTF-8, got another encoding"),
    bad("UTF-16", coco(unchanged, lambda each: each.encode("utf-16")), r"a\.json, line 1: expected UTF-8, got another"),
    bad("no images", coco(lambda document: document.update(images=[])), r"expected images, got an empty list of them$"),
    bad("no list of images", without("images"), r"a\.json: expected a list 'images', got none\."),
    bad("no list of annotations", without("annotations"), r"a\.json: expected a list 'annotations', got none\."),
    bad("no categories", without("categories"), r"a\.json: expected a list 'categories', got none\."),
    bad("another category", coco(lambda d: d.update(categories=[{"id": 1, "name": "cat"}])), r"named 'text', got 'cat'"),
    bad("two images of one id", same_ids("images"), r"a\.json: expected every image to have an id of its own, got 1 twice$"),
    bad("two annotations of one id", same_ids("annotations"), r"expected every annotation to have an id of its own, got 1"),
    bad("an image without an id", coco(lambda d: d["images"][0].pop("id")), r"a\.json, images: .*`id`"),
    bad("an image without a name", coco(lambda d: d["images"][0].pop("file_name")), r"a\.json, image .*`file_name`"),
    bad("an image whose name is a number", image(file_name=3), r"a\.json, image .*str"),
    bad("an image that is not there", image(file_name="none.jpg"), r"the image .*none\.jpg does not exist\. Check the path"),
    bad("an image outside the folder", image(file_name="../../none.jpg"), r"the image .*\.\./none\.jpg does not exist"),
    bad("a name with a zero byte", image(file_name="a\0b.jpg"), r"a\\x00b\.jpg.* cannot be read: "),
    bad("a name that is half a character", image(file_name="\ud800.jpg"), r"a\.json, image "),
    bad("a polygon of three points", polygon(1, 1, 9, 1, 9, 9), r"annotation .*: expected a polygon of at least 4 points, got 3"),
    bad("a polygon of an odd number", polygon(*SQUARE, 3), r"annotation .*: expected a polygon of x and y in turn, got 9"),
    bad("a polygon of nothing", polygon(), r"annotation .*: expected a polygon of at least 4 points, got 0"),
    bad("a polygon with NaN", polygon(*SQUARE[:7], float("nan")), r"annotation .*: expected a polygon of finite numbers, got nan"),
    bad("a polygon with infinity", polygon(*SQUARE[:7], float("inf")), r"expected a polygon of finite numbers, got inf"),
    bad("a polygon with a huge number", polygon(*SQUARE[:7], 10**400), r"expected a polygon of finite numbers, got 1000"),
    bad("a polygon of texts", polygon(*SQUARE[:7], "9"), r"annotation .*: expected a polygon of numbers, got '9' among them"),
    bad("a mask for a polygon", first(segmentation={"counts": [1], "size": [2, 2]}), r"got an object \(a run-length encoded"),
    bad("no polygon", first(segmentation=None), r"annotation .*: expected a 'segmentation' with a polygon, got none"),
    bad("a box of three numbers", first(bbox=[1, 2, 3]), r"a\.json, annotation .*bbox"),
    bad("an area that is a text", first(area="large"), r"a\.json, annotation .*area"),
    good("a byte-order mark", coco(unchanged, lambda each: b"\xef\xbb\xbf" + each.encode())),
    good("line ends of Windows", coco(unchanged, lambda each: each.replace("\n", "\r\n").encode())),
    good("a polygon that crosses itself", polygon(10, 10, 60, 40, 60, 10, 10, 40)),
    good("a polygon outside the image", polygon(*(number + 10**6 for number in SQUARE))),
    good("a polygon at negative places", polygon(*(number - 10**6 for number in SQUARE))),
    good("a polygon without area", polygon(5, 5, 5, 5, 5, 5, 5, 5)),
    good("a polygon on a line", polygon(0, 0, 10, 10, 20, 20, 30, 30)),
    bad("a polygon of huge numbers", polygon(*(number * 1e30 for number in SQUARE)), r"finite numbers, got 1e\+31"),
    good("a negative area, which is left out", first(area=-5.0)),
    good(
        "an annotation of an image that is not listed", first(image_id=10**6),
        says="^warning: .*1 annotations belong to no image .* with the image_id 1000000",
    ),
    good("images without text", coco(lambda d: d.update(annotations=[])), counted(2), says="^warning: nothing is labelled"),
    good("a missing image that is skipped", image(file_name="none.jpg"), counted(1, 1), DET + " --skip-broken"),
    good("a broken polygon that is skipped", polygon(1, 1), counted(1, 1), DET + " --skip-broken"),
    bad("lines: no JSON", text('{"file_name": "syn_0022.jpg"\n', "a.jsonl"), r"a\.jsonl.*expected JSON", OWN),
    bad("lines: NaN", jsonl(*SQUARE[:7], float("nan")), r"a\.jsonl, line 1.*finite numbers, got nan", OWN),
    bad("lines: three points", jsonl(*SQUARE[:6]), r"a\.jsonl, line 1.*at least 4 points, got 3", OWN),
    good("lines: crosses itself", jsonl(10, 10, 60, 40, 60, 10, 10, 40), counted(1), OWN),
    bad("folder: no numbers", ground_truth("a,b,c\n"), OTHERS + r"gt_syn_0022\.txt, line 1: expected x1,y1,.*, got 'a,b,c'", OWN),
    bad("folder: too few", ground_truth("1,2,3,4,5,6,7,8\n"), OTHERS + r"line 1: expected x1,y1,.*, got 8 fields", OWN),
    bad("folder: NaN", ground_truth("nan,2,3,4,5,6,7,8,a\n"), OTHERS + r"line 1: expected a polygon of finite numbers, got nan", OWN),
    bad("folder: Latin-1", ground_truth("1,1,9,1,9,9,1,9,ä\n".encode("latin-1")), OTHERS + r"line 1: expected UTF-8", OWN),
    good("folder: mark and line ends", ground_truth(b"\xef\xbb\xbf1,1,9,1,9,9,1,9,a,b\r\n"), counted(1), OWN, says=UNUSED),
    good("folder: a file without lines", ground_truth(""), counted(1), OWN, says=OTHERS + "nothing is labelled"),
    bad("words: empty", words(""), r"words\.txt: expected an annotation a line, got an empty file", WORDS),
    bad("words: no text", words("syn_0022.jpg\n"), r"words\.txt, line 1: expected an image, a TAB .* and its text", WORDS),
    bad("words: Latin-1", words("syn_0022.jpg\tö\n".encode("latin-1")), r"words\.txt, line 1: expected UTF-8", WORDS),
    bad("words: a missing image", words("syn_0022.jpg\ta\nnone.jpg\tb\n"), r"the image .*none\.jpg does not exist", WORDS),
    bad("words: a later line without text", words("syn_0022.jpg\ta\nx\n"), r"words\.txt, line 2: expected an image", WORDS),
    good("words: mark and line ends", words(b"\xef\xbb\xbfsyn_0022.jpg\ta b\r\nsyn_0024.jpg\t\r\n"), counted(2), WORDS),
    good("words: skipped lines", words("syn_0022.jpg\ta\nnone.jpg\tb\nx\n"), counted(1, 2), WORDS + " --skip-broken"),
    bad("predictions: empty", text("", "p.jsonl"), r"p\.jsonl: expected predictions, got an empty file\. Give a file", STORED),
    bad("predictions: no JSON", text("hello\n", "p.jsonl"), r"p\.jsonl, line 1: expected a prediction as JSON: ", STORED),
    bad("predictions: half a line", predictions(lambda lines: lines.__setitem__(1, lines[1][:50])), r"p\.jsonl, line 2: ", STORED),
    bad("predictions: one too few", predictions(list.pop), r"p\.jsonl, line 2: a prediction for .*and the file ends", STORED),
    bad("predictions: other order", predictions(list.reverse), r"p\.jsonl, line 1: a prediction for .* was expected", STORED),
    bad("predictions: other images", predictions(lambda lines: lines.append(lines[0])), r"line 3: a prediction for", STORED),
    good("predictions: as they are", predictions(list), counted(2), STORED),
]  # fmt: skip
