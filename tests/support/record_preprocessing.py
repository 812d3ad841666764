"""Record what MMOCR's pipelines make of the cases of `tests.support.preprocessing_cases`.

Run it in the project's folder with an interpreter that holds mmocr 0.6.3, mmcv-full 1.7 and mmdet 2.28::

    PYTHONPATH=. python -m tests.support.record_preprocessing tests/data/preprocessing SCENE

SCENE is any picture; parts of it, scaled down, become the images, which are recorded too. The folder then holds those,
`tensors.npz` (case to C×H×W float32) and `cases.json` (case to scale_factor and so on).
"""

import copy
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.preprocessing_cases import CASES, SEED, Steps

EXIF_ORIENTATION_TAG = 0x0112
ROTATED_BY_90_DEGREES = 6


def main() -> None:
    """Write images, tensors and the rest to the folder that the command line names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_images(folder, sys.argv[2])
    tensors: dict[str, NDArray[np.float32]] = {}
    rest: dict[str, dict[str, Any]] = {}
    for name, (file, steps) in CASES.items():
        tensors[name], rest[name] = run_mmocr(folder / file, steps)
    # The stub of savez_compressed takes `allow_pickle` for one of the arrays.
    np.savez_compressed(folder / "tensors.npz", **tensors)  # type: ignore[arg-type]
    (folder / "cases.json").write_text(json.dumps(rest, indent=1) + "\n")


def write_images(folder: Path, scene_file: str) -> None:
    """Write the images of the cases."""
    picture = np.asarray(cv2.imread(scene_file), np.uint8)
    scene = cv2.resize(picture, (120, 68), interpolation=cv2.INTER_AREA)
    word = cv2.resize(picture[100:200, 100:380], (71, 25), interpolation=cv2.INTER_AREA)
    images = {
        "scene.png": scene,
        "word.png": word,
        "word_40.png": word[:20, :25],
        "word_24.png": word[:16, :12],
        "word_grey.png": word[..., 1],
        "tall.png": np.ascontiguousarray(word.transpose(1, 0, 2)[:60, :7]),
        "pixel.png": word[3:4, 5:6],
        "row.png": word[3:4, :40],
        "column.png": word[:, 5:6],
    }
    for name, image in images.items():
        cv2.imwrite(str(folder / name), image)
    pil = importlib.import_module("PIL.Image")
    rng = np.random.RandomState(SEED)
    cv2.imwrite(str(folder / "alpha16.png"), rng.randint(0, 65536, (9, 14, 4)).astype(np.uint16))
    small = pil.fromarray(cv2.cvtColor(cv2.resize(scene, (60, 34)), cv2.COLOR_BGR2RGB))
    small.quantize(16).save(folder / "palette.png")
    small.convert("CMYK").save(folder / "cmyk.jpg")
    exif = pil.Exif()
    exif[EXIF_ORIENTATION_TAG] = ROTATED_BY_90_DEGREES
    small.save(folder / "rotated.jpg", exif=exif)


def run_mmocr(file: Path, steps: Steps) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the tensor that MMOCR makes of an image file, and what it says besides."""
    importlib.import_module("mmocr.datasets.pipelines")  # registers its steps
    registry = importlib.import_module("mmdet.datasets.builder").PIPELINES
    results: dict[str, Any] = {"img_prefix": None, "img_info": {"filename": str(file)}}
    for step in steps:
        results = registry.build(mmocr_step(step))(results)
    image = results["img"]
    if isinstance(image, np.ndarray):
        image = registry.build({"type": "DefaultFormatBundle"})({"img": image})["img"].data
    scale_factor = results.get("scale_factor")
    return image.numpy(), {
        "scale_factor": None if scale_factor is None else scale_factor[:2].tolist(),
        "valid_ratio": results.get("valid_ratio"),
        "original_shape": results["ori_shape"][:2],
        "resized_shape": results.get("resize_shape", results["img_shape"])[:2],
    }


def mmocr_step(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step as MMOCR's configs write it."""
    step = copy.deepcopy(step)
    if step["type"] == "Resize":
        step["img_scale"] = tuple(step.pop("scale"))
    if step["type"] == "Pad":
        value = step.pop("pad_val", 0)
        step["pad_val"] = {"img": tuple(value) if isinstance(value, list) else value}
    if isinstance(step.get("img_pad_value"), list):
        step["img_pad_value"] = tuple(step["img_pad_value"])
    return step


if __name__ == "__main__":
    main()
