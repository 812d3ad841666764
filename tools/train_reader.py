"""Train the small recogniser that the demo reads with, on words drawn here, and give it a spec.

    python tools/train_reader.py reader_sample.onnx --minutes 20

It needs PyTorch, Pillow and the fonts DejaVu and Liberation. Words are names of Python's standard library, signs, and
random letters and digits; they are drawn over smooth colours with noise, tilted and cut out with margins, as a detector
cuts words out. The network is a thin stack of convolutions with CTC; no word is used twice, so there is no test set.
"""

import argparse
import builtins
import json
import multiprocessing
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

CHARACTERS = string.digits + string.ascii_letters
FONT_FOLDERS = (Path("/usr/share/fonts/truetype/dejavu"), Path("/usr/share/fonts/truetype/liberation"))
HEIGHT = 32
WIDTHS = range(32, 321, 32)
"""Widths that words are padded to for training, so that a batch has one width."""
BATCH = 32
SIGNS = (
    "stop", "exit", "open", "closed", "parking", "market", "hotel", "city", "library", "service", "station", "store",
    "shop", "danger", "winter", "summer", "diesel", "gas", "center", "for", "pacific", "grand", "street", "road",
    "avenue", "north", "south", "east", "west", "bank", "school", "park", "museum", "bar", "cafe", "restaurant",
    "sale", "entrance", "push", "pull", "fire", "water", "police", "taxi", "bus", "train", "airport", "pharmacy",
    "hospital", "welcome", "thank", "you", "please",
)  # fmt: skip


class ThinReader(nn.Module):
    """Convolutions over the image, then over its columns; takes N×3×32×W, -1 to 1, gives N×(W/4)×classes logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(3, 24), nn.MaxPool2d(2),
            _block(24, 48), nn.MaxPool2d(2),
            _block(48, 80), _block(80, 80), nn.MaxPool2d((2, 1)),
            _block(80, 128), _block(128, 128), nn.MaxPool2d((2, 1)),
            nn.Conv2d(128, 192, (2, 3), padding=(0, 1), bias=False), nn.BatchNorm2d(192), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.context = nn.Sequential(
            nn.Conv1d(192, 192, 5, padding=2, bias=False), nn.BatchNorm1d(192), nn.ReLU(inplace=True),
            nn.Conv1d(192, 192, 5, padding=2, bias=False), nn.BatchNorm1d(192), nn.ReLU(inplace=True),
            nn.Conv1d(192, classes, 1),
        )  # fmt: skip

    def forward(self, words: Tensor) -> Tensor:
        """Return the logits of each step."""
        steps: Tensor = self.context(self.features(words).squeeze(2))
        return steps.transpose(1, 2)


def _block(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(True))


def vocabulary() -> list[str]:
    """Return words of letters and digits."""
    names = {*dir(builtins), *sys.stdlib_module_names, *SIGNS}
    parts = {part for name in names for part in name.split("_")}
    return sorted(part for part in parts if 1 < len(part) < 16 and all(letter in CHARACTERS for letter in part))


def draw_word(rng: np.random.Generator, words: list[str], fonts: list[str]) -> tuple[NDArray[np.uint8], str]:
    """Return a picture of a word, H×W×3 uint8, and what it says."""
    text = _some_text(rng, words)
    font = ImageFont.truetype(fonts[rng.integers(len(fonts))], int(rng.integers(14, 56)))
    left, top, right, bottom = font.getbbox(text)
    size = bottom - top
    margins = rng.uniform(0.02, 0.45, 4) * size + 1
    width, height = int(right - left + margins[0] + margins[2]), int(size + margins[1] + margins[3])
    image = _background(rng, height, width)
    colour = tuple(int(value) for value in _contrasting(rng, image))
    layer = Image.new("L", (width, height))
    ImageDraw.Draw(layer).text((margins[0] - left, margins[1] - top), text, fill=255, font=font)
    angle = float(rng.normal(0, 2.5))
    mask = np.asarray(layer.rotate(angle, Image.Resampling.BICUBIC), np.float32)[..., None] / 255
    mixed: NDArray[Any] = image * (1 - mask) + np.array(colour, np.float32) * mask
    mixed += rng.normal(0, rng.uniform(0, 12), mixed.shape)
    if rng.random() < 0.3:
        mixed = cv2.GaussianBlur(mixed, (3, 3), float(rng.uniform(0.3, 1.2)))
    return np.clip(mixed, 0, 255).astype(np.uint8), text


def _some_text(rng: np.random.Generator, words: list[str]) -> str:
    """Return a word, a number, or letters and digits, in some case."""
    kind = rng.random()
    if kind < 0.55:
        text = words[rng.integers(len(words))]
    elif kind < 0.75:
        text = "".join(rng.choice(list(string.digits), int(rng.integers(1, 8))))
    else:
        text = "".join(rng.choice(list(CHARACTERS), int(rng.integers(2, 10))))
    match int(rng.integers(4)):
        case 0:
            return text.upper()
        case 1:
            return text.capitalize()
        case 2:
            return text.lower()
    return text


def _background(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Return smooth colours, H×W×3."""
    few = rng.uniform(0, 255, (int(rng.integers(1, 3)), int(rng.integers(1, 4)), 3)).astype(np.float32)
    image: NDArray[Any] = cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    if rng.random() < 0.15:
        place = rng.integers(0, (width, height), (2, 2))
        colour = tuple(float(value) for value in rng.uniform(0, 255, 3))
        cv2.rectangle(image, place[0].tolist(), place[1].tolist(), colour, int(rng.choice([-1, 1, 2])))
    return np.asarray(np.clip(image, 0, 255), np.float32)


def _contrasting(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a colour that can be told from the background: of some the farthest."""
    choices = rng.uniform(0, 255, (3, 3))
    distances = np.abs(choices - image.mean(axis=(0, 1))).mean(axis=1)
    return np.asarray(choices[distances.argmax()], np.float64)


def to_tensor(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a word as the network takes it, 3×32×W, padded to one of the widths; see `ppocr.ResizeWord`."""
    width = min(max(WIDTHS[0], int(np.ceil(HEIGHT * image.shape[1] / image.shape[0]))), WIDTHS[-1])
    values = cv2.resize(image, (width, HEIGHT)).astype(np.float32).transpose(2, 0, 1) / 127.5 - 1
    return np.pad(values, ((0, 0), (0, 0), (0, -width % WIDTHS.step)))


def produce(queue: "multiprocessing.Queue[Any]", seed: int) -> None:
    """Draw words for ever, a batch of one width at a time."""
    rng = np.random.default_rng(seed)
    words = vocabulary()
    fonts = [str(path) for folder in FONT_FOLDERS for path in sorted(folder.glob("*.ttf")) if "TeX" not in path.name]
    waiting: dict[int, list[tuple[NDArray[np.float32], str]]] = {}
    while True:
        image, text = draw_word(rng, words, fonts)
        tensor = to_tensor(image)
        if len(text) * 2 > tensor.shape[2] // 4:
            continue
        group = waiting.setdefault(tensor.shape[2], [])
        group.append((tensor, text))
        if len(group) == BATCH:
            queue.put((np.stack([each for each, _ in group]), [each for _, each in group]))
            group.clear()


def batches(seconds: float) -> Iterator[tuple[Tensor, list[str], float]]:
    """Yield words and texts, and what part of the time is over, until it is."""
    queue: multiprocessing.Queue[Any] = multiprocessing.Queue(16)
    producer = multiprocessing.Process(target=produce, args=(queue, 1), daemon=True)
    producer.start()
    began = time.monotonic()
    while (share := (time.monotonic() - began) / seconds) < 1:
        try:
            words, texts = queue.get(timeout=60)
        except Empty:
            raise SystemExit("no words are drawn: are the fonts installed?") from None
        yield torch.from_numpy(words), texts, share
    producer.terminate()


def train(minutes: float) -> ThinReader:
    """Return the network after some minutes."""
    torch.manual_seed(0)
    network = ThinReader(len(CHARACTERS) + 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_of = nn.CTCLoss(zero_infinity=True)
    mean, steps = 5.0, 0
    for words, texts, share in batches(60 * minutes):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (steps + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * share)) + 1e-5
        logits = network(words)
        targets = torch.tensor([CHARACTERS.index(letter) + 1 for text in texts for letter in text])
        lengths = torch.tensor([len(text) for text in texts])
        times = torch.full((len(texts),), logits.shape[1])
        loss = loss_of(logits.log_softmax(2).transpose(0, 1), targets, times, lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()
        mean, steps = 0.99 * mean + 0.01 * loss.item(), steps + 1
        if steps % 200 == 0:
            print(f"{share:6.1%}: step {steps}, loss {mean:.3f}", flush=True)
    return network.eval()


def export(network: ThinReader, path: Path) -> None:
    """Write the network as ONNX, and give it its spec."""
    from ocrdeploy.adopting import AdoptRequest, adopt_model

    axes = {"words": {0: "batch", 3: "width"}, "logits": {0: "batch", 1: "steps"}}
    description = {
        "task": "recog",
        "architecture": "ThinReader",
        "preprocessing": [
            {"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"},
            {"type": "ppocr.ResizeWord", "height": HEIGHT, "min_width": WIDTHS[0]},
        ],
        "postprocessing": {"type": "CTCConvertor", "dictionary": ["blank", *CHARACTERS], "reads_padding": True},
    }
    with tempfile.TemporaryDirectory() as folder:
        plain, spec = Path(folder) / "plain.onnx", Path(folder) / "spec.json"
        torch.onnx.export(
            network, (torch.zeros(1, 3, HEIGHT, 128),), plain, dynamo=False, opset_version=17, input_names=["words"],
            output_names=["logits"], dynamic_axes=axes,
        )  # fmt: skip
        spec.write_text(json.dumps(description), encoding="utf-8")
        adopt_model(AdoptRequest(plain, path, spec=spec))


def main() -> None:
    """Train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="ONNX model to write")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long to train")
    arguments = parser.parse_args()
    export(train(arguments.minutes), arguments.output)


if __name__ == "__main__":
    main()
