"""Compare the peak of memory over many images with that over a few: a stream holds a few images, however many come.

python benchmarks/memory.py MODEL.onnx IMAGE_FOLDER
"""

import argparse
from itertools import cycle, islice
from pathlib import Path

from ocrdeploy import open_predictor
from ocrdeploy.images.arguments import find_images
from ocrdeploy.peak_memory import peak_rss_mib

FEW, MANY = 50, 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", nargs="+", help="image files, or folders of them; taken again and again")
    options = parser.parse_args()
    peaks = []
    with open_predictor(options.model, device="cpu") as predictor:
        for count in (FEW, MANY - FEW):
            for _ in predictor.stream(islice(cycle(find_images(options.images)), count)):
                pass
            peaks.append(peak_rss_mib())
    print(f"{FEW} images: {peaks[0]:.0f} MiB; {MANY} images: {peaks[1]:.0f} MiB; ratio {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
