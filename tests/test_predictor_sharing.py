"""What a service does with a predictor: threads share it, processes fork, arrays come in RGB, weak results are left."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ocrdeploy import Detection, Recognition, UsageError, open_predictor
from ocrdeploy.images.reading import read_image

CALLS = 12
FORKED_SECONDS = 60
"""A child that hangs never ends; one that works takes a second."""


def scores(result: list[Detection] | Recognition) -> list[float]:
    assert isinstance(result, list)
    return [each.score for each in result]


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_threads_share_a_predictor(backend: str, sample_onnx: Path, sample_dir: Path) -> None:
    paths = sorted((sample_dir / "imgs").glob("*.jpg"))[:3]
    with open_predictor(sample_onnx, backend=backend, threads=1) as predictor:
        alone = [scores(predictor(path)) for path in paths]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda index: scores(predictor(paths[index % 3])), range(CALLS)))
    assert together == [alone[index % 3] for index in range(CALLS)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is Unix's")
def test_a_predictor_on_the_cpu_goes_on_after_a_fork(sample_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    program = (
        "import os, sys, warnings\nwarnings.simplefilter('ignore')\nimport ocrdeploy\n"
        f"predictor = ocrdeploy.open_predictor({str(sample_onnx)!r}, threads=2)\n"
        f"before = [each.score for each in predictor({str(image)!r})]\n"
        "child = os.fork()\n"
        f"after = [each.score for each in predictor({str(image)!r})]\n"
        "assert before == after\n"
        "if child:\n    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "predictor.close()\npredictor.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=FORKED_SECONDS, check=False)
    assert done.returncode == 0


def test_arrays_may_have_their_channels_in_rgb(sample_onnx: Path, sample_dir: Path) -> None:
    pixels = read_image(sample_dir / "imgs" / "syn_0022.jpg", "color")
    turned = np.ascontiguousarray(pixels[..., ::-1])
    with open_predictor(sample_onnx, threads=1) as predictor:
        expected = scores(predictor(pixels))
        assert scores(predictor(turned, color="rgb")) == expected
        assert [scores(each) for each in predictor([turned], color="rgb")] == [expected]
        assert [scores(each) for each in predictor.stream(iter([turned, turned]), color="rgb")] == [expected] * 2
        # Files and grey arrays have no such order.
        grey = pixels[..., 0]
        assert scores(predictor(grey, color="rgb")) == scores(predictor(grey))
        with pytest.raises(UsageError, match="is 'bgr' or 'rgb', got 'hsv'"):
            predictor(pixels, color="hsv")  # type: ignore[call-overload]


def test_weak_detections_are_left_out(sample_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    with open_predictor(sample_onnx, threads=1) as predictor:
        found = scores(predictor(image))
        bound = sorted(found)[1]
        kept = [score for score in found if score >= bound]
        assert len(kept) == len(found) - 1
        assert scores(predictor(image, score_threshold=bound)) == kept
        assert [scores(each) for each in predictor.stream([image], score_threshold=bound)] == [kept]
        with pytest.raises(UsageError, match="a number from 0 to 1, got 2"):
            predictor(image, score_threshold=2)


def test_a_word_is_a_result_whatever_its_score(seeded_onnx: Callable[..., Path]) -> None:
    with (
        open_predictor(seeded_onnx("crnn"), threads=1) as predictor,
        pytest.raises(UsageError, match=r"score_threshold leaves out detections, and .* reads words"),
    ):
        predictor.stream([], score_threshold=0.5)


def test_a_predictor_says_what_it_is(sample_onnx: Path) -> None:
    predictor = open_predictor(sample_onnx, threads=1)
    text = f"<Predictor of {sample_onnx}: DBNet on onnxruntime fp32, cpu, 1 thread"
    assert repr(predictor) == f"{text}>"
    predictor.close()
    assert repr(predictor) == f"{text}, closed>"
