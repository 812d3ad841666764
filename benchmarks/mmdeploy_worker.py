"""Runs MMDeploy's C++ SDK for `mmdeploy_loop.py`, in the interpreter that holds `mmdeploy-runtime` and OpenCV.

Argument: the SDK's model folder. A line of JSON with the key `images`, a list of files, is answered with the number of
boxes in each.
"""

import json
import os
import sys

import cv2


def main() -> None:
    """Answer until standard input ends; what the SDK prints goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        from mmdeploy_runtime import TextDetector  # type: ignore[import-not-found]

        detector = TextDetector(sys.argv[1], "cpu", 0)
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        for line in sys.stdin:
            found = [len(detector(cv2.imread(path, flags))) for path in json.loads(line)["images"]]
            answers.write(json.dumps(found) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
