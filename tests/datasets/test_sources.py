import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocrdeploy.datasets.samples import ImageFile
from ocrdeploy.datasets.sources import ImageRoot, image_root

PROGRAM = """
import sys
from pathlib import Path
from ocrdeploy.datasets.sources import ImageRoot
print(ImageRoot(Path(sys.argv[1])).find("\\u56fe.jpg").path.is_file())
"""


def test_an_image_lies_below_the_folder() -> None:
    assert ImageRoot(Path("a")).find("b/c.jpg") == ImageFile(Path("a/b/c.jpg"))
    assert image_root("") == ImageRoot(Path())


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes elsewhere only")
def test_a_name_out_of_labels_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    (tmp_path / "\u56fe.jpg").touch()
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, env=os.environ | plain, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
