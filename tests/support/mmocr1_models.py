"""The small trained models in MMOCR 1.x: configs, checkpoints, and the data that the configs name."""

import shutil
import subprocess
import sys
from pathlib import Path


def write_mmocr1_models(extra_data_dir: Path, folder: Path) -> None:
    """Lay `NAME.py`, `NAME.pth` and the data of DBNet, PANet, PSENet and CRNN into a folder.

    Args:
        extra_data_dir: The test data that is too large to ship.
        folder: Where to put them.
    """
    zoo = extra_data_dir / "golden_zoo"
    for file in (zoo / "v1" / "models").iterdir():
        shutil.copy(file, folder)
    script = [sys.executable, "-W", "ignore", str(zoo / "make_v1_models.py")]
    subprocess.run([*script, str(extra_data_dir / "models"), str(folder / "made")], check=True)
    for name in ("crnn", "psenet"):
        shutil.copy(folder / "made" / f"{name}.pth", folder)
    for data, labels in (("toy_dataset", "textdet_test.json"), ("ocr_toy_dataset", "textrecog_test.json")):
        (folder / data).mkdir()
        (folder / data / "imgs").symlink_to(extra_data_dir / "data" / data / "imgs")
        shutil.copy(zoo / "v1" / "models" / labels, folder / data)
