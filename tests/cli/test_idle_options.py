"""Options that cannot matter are refused by name, before anything is done."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrdeploy.exporting import ExportRequest, export_model
from tests.cli.conftest import Outcome
from tests.support.models import ModelFiles, write_model

Command = Callable[..., Outcome]


@pytest.fixture(scope="session")
def static_onnx(sample_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's DBNet as a static model of one small image."""
    path = tmp_path_factory.mktemp("static") / "static.onnx"
    shape = (1, 3, 32, 32)
    export_model(ExportRequest(sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth", path, shape=shape))
    return path


@pytest.fixture(scope="session")
def other_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    """Configs and checkpoints of a recogniser and of a detector without a threshold map."""
    return {
        "rec": write_model(tmp_path_factory.mktemp("rec"), "crnn"),
        "pse": write_model(tmp_path_factory.mktemp("pse"), "psenet"),
    }


@pytest.fixture
def folder(
    small_onnx: Path, static_onnx: Path, seeded_onnx: Callable[[str], Path], other_models: dict[str, ModelFiles],
    sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """The current folder, with what the command lines below name."""
    monkeypatch.chdir(tmp_path)
    images = sorted((sample_dir / "imgs").glob("*.jpg"))[:2]
    links = {"det.onnx": small_onnx, "static.onnx": static_onnx, "rec.onnx": seeded_onnx("crnn")}
    links |= {"det.py": sample_dir / "dbnet_sample.py", "det.pth": sample_dir / "dbnet_sample.pth"}
    links |= {"a.jpg": images[0], "b.jpg": images[1], "imgs": sample_dir / "imgs"}
    links |= {"labels.json": sample_dir / "instances_test.json"}
    for name, model in other_models.items():
        links |= {f"{name}.py": model.config, f"{name}.pth": model.checkpoint}
    for name, path in links.items():
        (tmp_path / name).symlink_to(path)
    labelled = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))["images"]
    result = {"model": "det.onnx", "backend": "onnxruntime", "polygons": [], "scores": []}
    lines = [json.dumps({"image": image["file_name"], **result}) for image in labelled]
    (tmp_path / "det.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


DATA = "--ann-file labels.json --img-prefix imgs"
AHEAD = "--runtime tensorrt-rtx --compute-capability sm86"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("predict det.onnx a.jpg --quiet --verbose", "--quiet and --verbose contradict each other"),
        ("evaluate det.onnx --backend torch --backend onnx", "--backend is given 2 times. Give it once"),
        ("predict rec.onnx a.jpg b.jpg --draw x --draw y", "--draw is given 2 times"),
        ("export det.py det.pth --shape 1 3 64 64 --shape 1x3x32x32", "--shape is given 2 times"),
        ("export det.py det.pth -o x.onnx --output y.onnx", "--output-file is given 2 times"),
        ("doctor -q -v", "--quiet and --verbose contradict each other"),
        ("predict det.onnx a.jpg -r", "--recursive cannot matter where no folder is named"),
        ("predict det.onnx *.jpg -r", "--recursive cannot matter where no folder is named"),
        ("predict det.onnx a.jpg --batch-size 64", "--batch-size cannot matter for one image"),
        ("predict static.onnx a.jpg b.jpg --batch-size 64", "static.onnx is static and runs 1 at a time, and --batch"),
        ("benchmark static.onnx --batch-size 4", "static.onnx is static and runs 1 at a time, and --batch-size asks"),
        (f"evaluate static.onnx {DATA} --batch-size 4", "static.onnx is static and runs 1 at a time, and --batch-size"),
        (f"evaluate rec.onnx {DATA} --pad-batches --batch-size 1", "--pad-batches cannot matter where images run one"),
        ("evaluate rec.onnx --data x --pad-batches --predictions p", "--pad-batches cannot matter where images run"),
        (f"evaluate det.onnx no.onnx --from-predictions det.jsonl {DATA}", "model no.onnx does not exist"),
        (f"evaluate det.onnx rec.onnx --from-predictions det.jsonl {DATA}", "det.jsonl holds no predictions of rec.o"),
        (
            f"evaluate rec.onnx --from-predictions det.jsonl {DATA}",
            "det.jsonl, line 1 is of det.onnx, which is none of the",
        ),
        ("verify det.onnx static.onnx --images a.jpg --max-images 7", "--max-images cannot matter where 1 image is"),
        (
            "verify det.onnx det.onnx --images a.jpg --images b.jpg --max-images 2",
            "--max-images cannot matter where 2 images are",
        ),
        ("verify det.onnx static.onnx --mmocr-python no", "--mmocr-python cannot matter for"),
        ("verify det.onnx static.onnx --plugin no.so", "--plugin cannot matter for"),
        ("verify det.onnx static.onnx --checkpoint no.pth", "--checkpoint cannot matter for"),
        ("verify det.onnx static.onnx --trust-checkpoint", "--trust-checkpoint cannot matter for"),
        ("verify det.onnx static.onnx --config rec.py", "--config cannot matter where all models hold specs"),
        ("verify det.onnx --reference torch --reference det.onnx", "--reference names torch and det.onnx, and models"),
        ("verify det.onnx --reference ./det.onnx", "det.onnx is named as its own reference"),
        ("export rec.py rec.pth --all-outputs", "--all-outputs changes nothing of CRNN"),
        ("export rec.py rec.pth --upsample bilinear", "--upsample changes nothing of CRNN"),
        ("export pse.py pse.pth --all-outputs", "--all-outputs changes nothing of PSENet"),
        ("export det.py det.pth a.jpg --shape 1 3 64 64 --show", "--shape 1×3×64×64 takes no image such as a.jpg"),
        ("export det.py det.pth no.jpg --shape 1 3 64 64 --show", "the image no.jpg does not exist"),
        ("export det.py det.pth a.jpg --shape 1 3 64 64", "IMAGE cannot matter beside --shape without --verify or --s"),
        ("export det.py det.pth --mmocr-python no", "--mmocr-python cannot matter for this export"),
        (f"build-engine det.onnx {AHEAD} --device cuda:0", "--device cannot matter for a build ahead of time"),
        (f"build-engine det.onnx {AHEAD} --device cpu", "--device cannot matter for a build ahead of time"),
        (f"build-engine det.onnx {AHEAD} a.jpg", "IMAGE cannot matter without --verify or --show"),
        (f"build-engine det.onnx {AHEAD} --threads 2", "--threads cannot matter for a build without --verify and --s"),
    ],
)
def test_an_option_that_cannot_matter_is_refused(line: str, message: str, folder: Path, command: Command) -> None:
    before = sorted(folder.iterdir())
    outcome = command(*line.split())
    assert (outcome.code, message in outcome.error) == (2, True), outcome.err
    assert sorted(folder.iterdir()) == before


def test_an_option_that_can_matter_is_taken(folder: Path, command: Command) -> None:
    (folder / "few").mkdir()
    (folder / "few" / "a.jpg").symlink_to(folder / "a.jpg")
    assert command("predict", "det.onnx", "few", "--recursive", "--batch-size", 4).code == 0
    assert command("predict", "det.onnx", "a.jpg", "--batch-size", 1).code == 0
    assert command("verify", "det.onnx", "det.onnx", "--images", "few", "--max-images", 7).code == 0
