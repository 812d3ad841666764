"""Record what MMOCR's CTCConvertor makes of made-up logits, and which classes it gives its dictionaries.

Run it with an interpreter that holds MMOCR 0.6.3; the project need not be installed there::

    python tests/support/record_ctc.py CTC.npz tests/data/postprocess_ctc

`CTC.npz` holds `logits` N×T×37 of a CRNN with DICT36 and `valid_ratio`. It writes `logits.npz` (an array a case) and
`texts.json` (per case the convertor's options, its classes, the valid ratios, and MMOCR's texts and scores).
"""

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DICT_FILE = "a\n\nb\r\n \nß\n中\n#\n"
"""An empty line, a line with a space, another line ending, and characters outside of ASCII."""

OPTIONS: list[dict[str, Any]] = [
    {"dict_type": "DICT36", "with_unknown": False, "lower": True},
    {"dict_type": "DICT37"},
    {"dict_type": "DICT90", "with_unknown": False},
    {"dict_type": "DICT91", "with_unknown": True, "lower": True},
    {},
    {"dict_list": ["a", "b", "th", " ", "<UKN>", "ü"]},
    {"dict_list": ["x"], "dict_type": "DICT36", "with_unknown": False},
    {"dict_file": DICT_FILE, "dict_list": ["not", "read"]},
]
VALID_RATIOS = (1.0, 0.999, 0.5, 0.03, 0.0, 7 / 13, 1.5)


def make_logits(rng: np.random.RandomState, images: int, classes: int, steps: int) -> NDArray[np.float16]:
    """Return logits that prefer blanks, runs of equal characters and the last class, the more the later the image."""
    best = rng.randint(0, classes, (images, steps))
    best[rng.rand(images, steps) < 0.3] = 0
    best[rng.rand(images, steps) < 0.1] = classes - 1
    repeats = rng.rand(images, steps) < 0.35
    for step in range(1, steps):
        best[:, step] = np.where(repeats[:, step], best[:, step - 1], best[:, step])
    values = rng.normal(0, 1, (images, steps, classes))
    sharpness = np.linspace(0, 12, images)[:, None]
    np.put_along_axis(values, best[:, :, None], sharpness[:, :, None] + 1, axis=2)
    logits = values.astype(np.float16)
    # Of several best classes PyTorch takes any.
    first = logits.argmax(axis=2)[:, :, None]
    np.put_along_axis(logits, first, np.take_along_axis(logits, first, axis=2) + np.float16(0.25), axis=2)
    return logits


def record(options: dict[str, Any], logits: NDArray[Any] | None, ratios: list[float]) -> tuple[NDArray[Any], Any]:
    """Return the logits (made up where there are none) and what MMOCR makes of them."""
    torch = importlib.import_module("torch")
    mmocr = importlib.import_module("mmocr.models.textrecog.convertors")
    with tempfile.TemporaryDirectory() as folder:
        given = dict(options)
        if "dict_file" in given:
            path = Path(folder) / "dict.txt"
            path.write_bytes(given["dict_file"].encode())
            given["dict_file"] = str(path)
        convertor = mmocr.CTCConvertor(**given)
    classes = convertor.num_classes()
    if logits is None:
        logits = make_logits(np.random.RandomState(classes), len(ratios), classes, 26)
    tensor = torch.from_numpy(logits.astype(np.float32))
    indices, scores = convertor.tensor2idx(tensor, [{"valid_ratio": ratio} for ratio in ratios])
    case = {
        "options": options,
        "classes": convertor.idx2char,
        "unknown_index": convertor.unknown_idx,
        "lower": convertor.lower,
        "valid_ratios": ratios,
        "strings": [[convertor.idx2char[index] for index in row] for row in indices],
        "texts": convertor.idx2str(indices),
        "scores": scores,
    }
    return logits, case


def main(real: str, output: str) -> None:
    """Record everything."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    crnn = np.load(real)
    results = [record(OPTIONS[0], crnn["logits"][:4], crnn["valid_ratio"][:4].tolist())]
    results += [record(options, None, list(VALID_RATIOS)) for options in OPTIONS]
    arrays = {f"case{number}": logits for number, (logits, _) in enumerate(results)}
    np.savez_compressed(folder / "logits.npz", **arrays)  # type: ignore[arg-type,unused-ignore]
    text = json.dumps([case for _, case in results], ensure_ascii=False, indent=1)
    (folder / "texts.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
