"""Record what MMOCR's DBPostprocessor, and OpenCV's approxPolyDP under it, compute on made-up and real maps.

Run it with an interpreter that holds MMOCR 0.6.3 and OpenCV 4.11 or 4.12; the project need not be installed there::

    python tests/support/record_db.py MAPS.npz tests/data/postprocess_db

`MAPS.npz` holds DBNet's raw outputs 1×C×H×W of the images that `CROPS` names. It writes `maps.npz` (probability maps
as whole numbers of 1/255), `boundaries.json.gz` (MMOCR's boundaries `[x1, y1, ..., score]` for each map and each of
`SETTINGS`) and `approximations.npz` (polygons and contours, and the vertices that approxPolyDP leaves of each).
"""

import gzip
import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CROPS = {"img_1.jpg": (0, 150), "img_10.jpg": (30, 90), "img_2.jpg": (60, 180)}
"""The top left corner (y, x) of the part that is taken of each real map."""
CROP_SIZE = (144, 224)

SETTINGS: list[dict[str, Any]] = [
    {"text_repr_type": "quad"},
    {"text_repr_type": "poly"},
    {"text_repr_type": "quad", "mask_thr": 0.5, "min_text_score": 0.6, "min_text_width": 12},
    {"text_repr_type": "poly", "mask_thr": 0.2, "min_text_score": 0.0, "unclip_ratio": 2.2, "epsilon_ratio": 0.002},
    {"text_repr_type": "quad", "max_candidates": 4, "min_text_width": 1},
    {"text_repr_type": "quad", "unclip_ratio": 0.6, "epsilon_ratio": 0.05, "min_text_width": 2.5},
]
EPSILON_RATIOS = (0.0, 0.01, 0.05)

Map = NDArray[np.uint8]


def smooth_noise(rng: np.random.RandomState, shape: tuple[int, int], sigmas: tuple[float, float]) -> Map:
    """Return noise blurred along y and x, stretched to 0 to 255."""
    noise = rng.normal(0, 1, shape)
    for axis, sigma in enumerate(sigmas):
        kernel = np.exp(-0.5 * (np.arange(-4 * sigma, 4 * sigma + 1) / sigma) ** 2)
        noise = np.apply_along_axis(np.convolve, axis, noise, kernel, mode="same")
    return np.asarray(np.clip(noise / noise.std() * 70 + 60, 0, 255)).astype(np.uint8)


def make_shapes() -> Map:
    """Return shapes with holes, at borders, a pixel thin, touching at corners, nearly closed, and exactly at 0.2."""
    canvas = np.zeros((120, 200), np.uint8)
    cv2.rectangle(canvas, (-5, 10), (30, 25), 200, -1)
    cv2.rectangle(canvas, (170, 100), (210, 130), 180, -1)
    cv2.rectangle(canvas, (50, 10), (110, 60), 220, -1)
    cv2.rectangle(canvas, (60, 20), (100, 35), 60, -1)
    cv2.ellipse(canvas, (80, 48), (15, 5), 10, 0, 360, 0, -1)
    cv2.ellipse(canvas, (40, 90), (30, 12), 35, 0, 360, 255, -1)
    cv2.line(canvas, (120, 5), (190, 40), 240, 1)
    cv2.line(canvas, (120, 50), (180, 50), 240, 1)
    cv2.ellipse(canvas, (130, 85), (25, 18), 0, 10, 350, 230, 5)
    cv2.rectangle(canvas, (70, 75), (95, 82), 51, -1)
    cv2.rectangle(canvas, (85, 100), (100, 110), 77, -1)
    cv2.rectangle(canvas, (101, 111), (112, 118), 150, -1)
    canvas[115, 5] = canvas[0, 199] = canvas[119, 0] = 255
    return canvas


def make_maps(real: Path) -> dict[str, Map]:
    """Return every map that is recorded, by name."""
    rng = np.random.RandomState(20)
    outputs = np.load(real)
    height, width = CROP_SIZE
    maps = {
        name: np.rint(outputs[name][0, 0, y : y + height, x : x + width] * 255).astype(np.uint8)
        for name, (y, x) in CROPS.items()
    }
    maps["blobs"] = smooth_noise(rng, (120, 200), (4.0, 4.0))
    maps["lines"] = smooth_noise(rng, (120, 200), (3.0, 9.0))
    maps["jagged"] = smooth_noise(rng, (120, 200), (1.5, 1.5))
    maps["noise"] = rng.randint(0, 256, (40, 40)).astype(np.uint8)
    maps["shapes"] = make_shapes()
    maps["text_everywhere"] = np.full((48, 80), 230, np.uint8)
    maps["nothing"] = np.full((48, 80), 40, np.uint8)
    return maps


def record_boundaries(maps: dict[str, Map]) -> list[dict[str, Any]]:
    """Return MMOCR's boundaries of each map with each of the settings."""
    torch = importlib.import_module("torch")
    mmocr = importlib.import_module("mmocr.models.textdet.postprocess")
    cases = []
    for name, values in maps.items():
        tensor = torch.from_numpy((values / np.float32(255))[None])
        for settings in SETTINGS:
            boundaries = mmocr.DBPostprocessor(**settings)(tensor)
            cases.append({"map": name, "settings": settings, "boundaries": boundaries})
    return cases


def make_polygons() -> list[NDArray[np.int32]]:
    """Return polygons of few vertices: some cross themselves, some are flat ellipses with almost straight parts."""
    rng = np.random.RandomState(5)
    polygons = []
    for size in range(3, 63):
        polygons.append(rng.randint(0, size, (rng.randint(4, 14), 2)))
        for height in (4, 8):
            angles = np.sort(rng.rand(rng.randint(5, 16))) * 2 * np.pi
            ellipse = np.stack([size + size * np.cos(angles), height + height * np.sin(angles)], axis=1)
            polygons.append(np.rint(ellipse).astype(int))
    return [polygon.astype(np.int32) for polygon in polygons]


def record_approximations(maps: dict[str, Map]) -> dict[str, NDArray[Any]]:
    """Return contours, and the vertices that are left of each: all points, and how many each of them has."""
    groups = {"polygons": make_polygons()}
    for name in ("jagged", "blobs", "noise", "shapes"):
        mask = (maps[name] > 76).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        groups[name] = [np.asarray(contour, np.int32).reshape(-1, 2) for contour in contours]
    arrays: dict[str, NDArray[Any]] = {}
    for name, contours in groups.items():
        recorded = {"contours": contours}
        for ratio in EPSILON_RATIOS:
            recorded[str(ratio)] = [
                np.asarray(cv2.approxPolyDP(item, ratio * cv2.arcLength(item, True), True), np.int32).reshape(-1, 2)
                for item in contours
            ]
        for kind, polygons in recorded.items():
            arrays[f"{name}:{kind}:points"] = np.concatenate(polygons).astype(np.uint8)
            arrays[f"{name}:{kind}:counts"] = np.array([len(item) for item in polygons], np.uint16)
    return arrays


def main(real: str, output: str) -> None:
    """Record everything."""
    version = tuple(map(int, cv2.__version__.split(".")[:2]))
    if not (4, 11) <= version < (4, 13):
        raise SystemExit(f"needs OpenCV 4.11 or 4.12, not {cv2.__version__}")
    warnings.simplefilter("ignore")
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    maps = make_maps(Path(real))
    np.savez_compressed(folder / "maps.npz", **maps)  # type: ignore[arg-type,unused-ignore]
    np.savez_compressed(folder / "approximations.npz", **record_approximations(maps))  # type: ignore[arg-type,unused-ignore]
    text = json.dumps(record_boundaries(maps)).encode()
    (folder / "boundaries.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
