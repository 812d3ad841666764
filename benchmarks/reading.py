"""Photos to text: `read` beside RapidOCR, on the same files and weights, in CPU time of one thread each.

    python benchmarks/reading.py photos/ --models FOLDER --rapidocr-python /path/to/python

FOLDER holds `det.onnx` and `rec.onnx`, models of PP-OCR as RapidOCR takes them. RapidOCR runs in an interpreter of its
own, with its default settings and with `rec_batch_num=1`; denormals are flushed there only where it does so itself.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKER = """
import json, logging, os, sys, time
logging.disable(logging.CRITICAL)
from rapidocr import RapidOCR
detector, recogniser, batch, *images = sys.argv[1:]
engine = RapidOCR(params={
    "Det.model_path": detector, "Rec.model_path": recogniser, "Rec.rec_batch_num": int(batch),
    "Global.use_cls": False, "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
})
engine(images[0], use_det=True, use_cls=False, use_rec=True)
for line in sys.stdin:
    began = time.process_time()
    texts = []
    for image in images:
        result = engine(image, use_det=True, use_cls=False, use_rec=True)
        texts += list(getattr(result, "txts", None) or ())
    print(json.dumps([time.process_time() - began, sorted(texts)]), flush=True)
"""
ROUNDS = 5


class Peer:
    """RapidOCR in a process of its own.

    Args:
        python: Its interpreter.
        models: Detector and recogniser.
        images: The photos.
        batch: How many words it reads together.
    """

    def __init__(self, python: str, models: tuple[Path, Path], images: list[Path], batch: int) -> None:
        command = [python, "-c", WORKER, *map(str, models), str(batch), *map(str, images)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def round(self) -> tuple[float, list[str]]:
        """Return CPU seconds for all photos, and the texts."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the process has no pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds, texts = json.loads(self._process.stdout.readline())
        return float(seconds), list(texts)


def main() -> None:
    """Compare, and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder of photos")
    parser.add_argument("--models", type=Path, required=True, help="folder with det.onnx and rec.onnx")
    parser.add_argument("--rapidocr-python", required=True, help="interpreter that has rapidocr")
    parser.add_argument("--backend", default="onnxruntime", help="onnxruntime or openvino")
    arguments = parser.parse_args()
    images = sorted(path for path in arguments.images.iterdir() if path.suffix in (".jpg", ".png"))
    models = arguments.models / "det.onnx", arguments.models / "rec.onnx"
    import ocrdeploy
    from ocrdeploy.adopting import AdoptRequest, adopt_model

    with tempfile.TemporaryDirectory() as folder:
        adopted = Path(folder) / "det.onnx", Path(folder) / "rec.onnx"
        # In a process of its own: what opens the first session of a process decides for all.
        pid = os.fork()
        if not pid:
            adopt_model(AdoptRequest(models[0], adopted[0], "ppocr-det"))
            adopt_model(AdoptRequest(models[1], adopted[1]))
            os._exit(0)
        os.waitpid(pid, 0)
        peers = {name: Peer(arguments.rapidocr_python, models, images, batch) for name, batch in PEERS.items()}
        with ocrdeploy.open_reader(*adopted, threads=1, backend=arguments.backend) as reader:
            reader(images[0])
            times: dict[str, list[float]] = {"ours": [], **{name: [] for name in PEERS}}
            for _ in range(ROUNDS):
                began = time.process_time()
                ours = sorted(word.text for page in reader(images) for word in page)
                times["ours"].append(time.process_time() - began)
                for name, peer in peers.items():
                    seconds, texts = peer.round()
                    times[name].append(seconds)
                    if name == ALONE and texts != ours:
                        sys.exit("the texts differ")
    _print(times, len(images), len(ours), arguments.backend)


ALONE = "rapidocr, rec_batch_num=1"
PEERS = {ALONE: 1, "rapidocr": 6}


def _print(times: dict[str, list[float]], images: int, words: int, backend: str) -> None:
    """Print medians and ratios."""
    print(f"{images} images, {words} words, {ROUNDS} rounds, {backend}, CPU ms an image on one thread:")
    for name, each in times.items():
        ratios = [ours / other for ours, other in zip(times["ours"], each, strict=True)]
        print(
            f"  {name}: {1000 * statistics.median(each) / images:.0f}; ours takes {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f}-{max(ratios):.2f}) of it"
        )


if __name__ == "__main__":
    main()
