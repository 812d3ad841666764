"""A run that is killed, at any moment, leaves what was there before, and goes on from what it wrote."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("all_cores")

N_IMAGES = 150
N_KILLS = 5
PATIENCE_SECONDS = 120


@pytest.fixture
def scenes(sample_dir: Path, tmp_path: Path) -> Path:
    """A data set of many images, which are a few under many names."""
    images = tmp_path / "imgs"
    images.mkdir()
    document = json.loads((sample_dir / "instances_test.json").read_text())
    entries = document["images"]
    repeated, annotations = [], []
    for number in range(N_IMAGES):
        entry = entries[number % len(entries)]
        name = f"{number:03d}.jpg"
        (images / name).symlink_to(sample_dir / "imgs" / entry["file_name"])
        repeated.append(entry | {"id": number, "file_name": name})
        own = [each for each in document["annotations"] if each["image_id"] == entry["id"]]
        annotations += [each | {"image_id": number, "id": number * 1000 + index} for index, each in enumerate(own)]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(document | {"images": repeated, "annotations": annotations}))
    # One that cannot be read, so that what is skipped is gone on from as well.
    (images / "033.jpg").unlink()
    return path


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_is_not(
    seeded_onnx: Callable[[str], Path], scenes: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311
    path, part = tmp_path / "p.jsonl", tmp_path / "p.jsonl.part"
    arguments = [
        sys.executable, "-m", "ocrdeploy", "evaluate", str(seeded_onnx("dbnet")), "--ann-file", str(scenes),
        "--img-prefix", str(tmp_path / "imgs"), "--batch-size", "4", "--skip-broken", "--quiet",
    ]  # fmt: skip
    whole, report = tmp_path / "whole.jsonl", tmp_path / "whole.json"
    subprocess.run([*arguments, "--predictions", whole, "--json", report], check=True)
    assert len(whole.read_bytes().splitlines()) == N_IMAGES
    path.write_text("old\n")
    written = [0]
    for _ in range(N_KILLS):
        target = written[-1] + chance.randrange(8) + 1
        process = subprocess.Popen([*arguments, "--predictions", path, "--resume"])
        written.append(_kill_at(process, part, target, chance.random() / 50))
        assert path.read_text() == "old\n"
    assert written[-1] >= N_KILLS - 1
    resumed = tmp_path / "resumed.json"
    subprocess.run([*arguments, "--predictions", path, "--resume", "--json", resumed], check=True)
    assert path.read_bytes() == whole.read_bytes()
    assert not part.exists()
    row, expected = (json.loads(each.read_text())["rows"][0] for each in (resumed, report))
    assert (row["metrics"], row["images"], row["broken"]) == (expected["metrics"], N_IMAGES - 1, 1)
    assert 0 < row["resumed"] < N_IMAGES


def _kill_at(process: "subprocess.Popen[bytes]", part: Path, target: int, delay: float) -> int:
    """Kill a process a moment after its file has so many lines, and return how many it then has."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None and _count(part) < target:
        time.sleep(0.002)
    time.sleep(delay)
    assert process.poll() is None, "the run was over before it could be killed"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return _count(part)


def _count(part: Path) -> int:
    """Return the number of images in a part, whole lines only."""
    return part.read_bytes().count(b"\n") - 1 if part.exists() else 0


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as a terminal does")
def test_ctrl_c_leaves_what_was_written(seeded_onnx: Callable[[str], Path], scenes: Path, tmp_path: Path) -> None:
    path, part = tmp_path / "p.jsonl", tmp_path / "p.jsonl.part"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "ocrdeploy", "evaluate", str(seeded_onnx("dbnet")), "--ann-file", str(scenes),
            "--img-prefix", str(tmp_path / "imgs"), "--predictions", path,
        ],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    while process.poll() is None and _count(part) < 5:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (130, b"ocrdeploy: error: interrupted\n")
    assert not path.exists()
    assert _count(part) >= 5
