"""Where the images of a data set are."""

import os
from dataclasses import dataclass
from pathlib import Path

from .lmdb_store import is_lmdb
from .samples import ImageFile, ImageSource, LmdbImage


@dataclass(frozen=True, slots=True)
class ImageRoot:
    """The folder that the images' names start from, or the LMDB folder whose keys they are."""

    path: Path
    is_lmdb: bool = False

    def find(self, name: str) -> ImageSource:
        """Return where an image is; whether it is there is not checked."""
        return LmdbImage(self.path, name) if self.is_lmdb else ImageFile(self.path / _file_name(name))


def _file_name(name: str) -> str:
    """Return a name out of labels, which are UTF-8, as Python hands it to the system, whatever the locale is."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    return name


def image_root(img_prefix: str) -> ImageRoot:
    """Return where the images are that a config's `img_prefix` names: a folder, or an LMDB where there is one."""
    path = Path(img_prefix)
    return ImageRoot(path, bool(img_prefix) and is_lmdb(path))
