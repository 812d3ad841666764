"""Records what the real MMOCR 0.6.3 finds in the bundled images with the bundled model.

Run by an interpreter that holds MMOCR, from the project's root; it writes `tests/data/end_to_end/dbnet_sample.json`::

    python tests/support/record_end_to_end.py
"""

import json
import os
from pathlib import Path

from mmocr.apis import init_detector, model_inference
from mmocr.datasets import build_dataset

SAMPLE = Path("src/ocrdeploy/demo_data")
TARGET = Path("tests/data/end_to_end/dbnet_sample.json")


def main() -> None:
    """Write final boundaries in original pixels, and the data set's metric."""
    model = init_detector(str(SAMPLE / "dbnet_sample.py"), str(SAMPLE / "dbnet_sample.pth"), device="cpu")
    test = model.cfg.data.test.copy()
    test.datasets[0].update(ann_file=str(SAMPLE / "instances_test.json"), img_prefix=str(SAMPLE / "imgs"))
    dataset = build_dataset(test, {"test_mode": True})
    names = [info["filename"] for info in dataset.datasets[0].data_infos]
    results = [model_inference(model, str(SAMPLE / "imgs" / name)) for name in names]
    found = {name: result["boundary_result"] for name, result in zip(names, results, strict=True)}
    metric = {key.split("_", 1)[-1]: value for key, value in dataset.evaluate(results, metric="hmean-iou").items()}
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps({"results": found, "metric": metric}) + "\n")


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    main()
