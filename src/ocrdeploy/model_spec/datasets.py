"""The data sets that a config names, as data; what they hold is read by `ocrdeploy.datasets`.

Class and field names are MMOCR's. Paths are kept as the config writes them: relative to the folder that the command
is run in, as MMOCR does. `name` is what the config calls a data set; most configs have none.
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
    name: str = ""


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
    name: str = ""


class OCRDataset(SpecPart, frozen=True, tag=True):
    """Text recognition: a line a word."""

    ann_file: str
    loader: AnnFileLoader
    img_prefix: str = ""
    name: str = ""


class FixInvalidPolygon(SpecPart, frozen=True, tag=True):
    """What MMOCR 1.x does, before it evaluates, with a polygon that crosses itself or has too few corners."""

    mode: Literal["fix", "ignore"] = "fix"
    min_poly_points: Annotated[int, Meta(ge=3)] = 4
    fix_from_bbox: bool = True


class JsonDataset(SpecPart, frozen=True, tag=True):
    """MMOCR 1.x's OCRDataset: one JSON file with `metainfo` and `data_list`, for both tasks.

    `ann_file` and `img_prefix` hold the config's `data_root` already.
    """

    ann_file: str
    img_prefix: str = ""
    fix_polygons: FixInvalidPolygon | None = None
    name: str = ""


Dataset = IcdarDataset | TextDetDataset | OCRDataset | JsonDataset


def dataset_name(dataset: Dataset) -> str:
    """Return a data set's name, or else its annotation file's folder, or the file's stem where there is none."""
    path = PurePath(dataset.ann_file)
    return dataset.name or path.parent.name or path.stem
