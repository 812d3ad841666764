"""The data sets that a config names, as data; what they hold is read by `ocrdeploy.datasets`.

Class and field names are MMOCR's. Paths are kept as the config writes them: relative to the folder that the command
is run in, as MMOCR does.
"""

from pathlib import PurePath
from typing import Annotated, Literal

from msgspec import Meta

from ocrdeploy.spec_part import SpecPart

MAX_REPEAT = 1000
"""How often, at most, annotations are gone through."""


class IcdarDataset(SpecPart, frozen=True, tag=True):
    """Text detection: one COCO-like JSON file, `segmentation` polygons, `iscrowd` marks what is ignored."""

    ann_file: str
    img_prefix: str = ""
    select_first_k: int = -1


class LineJsonParser(SpecPart, frozen=True, tag=True):
    """Each line is a JSON object; `keys` are taken from it."""

    keys: tuple[str, ...] = ("filename", "text")


class LineStrParser(SpecPart, frozen=True, tag=True):
    """Each line is stripped, then split at `separator`; field `keys_idx[i]` is `keys[i]`.

    `strip` takes the characters `strip_str` (None: white space) off the ends that `strip_pos` names.
    """

    keys: tuple[str, ...] = ("filename", "text")
    keys_idx: tuple[int, ...] = (0, 1)
    separator: str = " "
    strip: bool = True
    strip_pos: Literal["both", "left", "right"] = "both"
    strip_str: str | None = None

    def __post_init__(self) -> None:
        """Refuse keys without a place."""
        if len(self.keys) != len(self.keys_idx):
            raise ValueError(f"LineStrParser has {len(self.keys)} keys but {len(self.keys_idx)} keys_idx")


class AnnFileLoader(SpecPart, frozen=True, tag=True):
    """Annotations as lines of text or an LMDB of such lines; MMOCR's HardDiskLoader and LmdbLoader are its kinds."""

    parser: LineJsonParser | LineStrParser
    file_format: Literal["txt", "lmdb"] = "txt"
    repeat: Annotated[int, Meta(ge=1, le=MAX_REPEAT)] = 1


class TextDetDataset(SpecPart, frozen=True, tag=True):
    """Text detection: a line an image."""

    ann_file: str
    loader: AnnFileLoader
    img_prefix: str = ""


class OCRDataset(SpecPart, frozen=True, tag=True):
    """Text recognition: a line a word."""

    ann_file: str
    loader: AnnFileLoader
    img_prefix: str = ""


Dataset = IcdarDataset | TextDetDataset | OCRDataset


def dataset_name(dataset: Dataset) -> str:
    """Return a short name for a data set: its annotation file's folder, or the file's stem where there is none."""
    path = PurePath(dataset.ann_file)
    return path.parent.name or path.stem
