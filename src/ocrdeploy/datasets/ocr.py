"""MMOCR's OCRDataset: text recognition, a line a word."""

from collections.abc import Mapping
from functools import partial

from ocrdeploy.model_spec import OCRDataset

from .lmdb_records import LmdbRecords
from .parsing import require_key, require_text
from .records import RecordSamples, open_records
from .samples import Sample
from .sources import ImageRoot, image_root


def read_ocr_dataset(dataset: OCRDataset) -> RecordSamples:
    """Open an OCRDataset.

    Lines have a `filename` and, unless the parser's keys go without it, a `text`; without it a sample has no truth.
    The images are in the folder `img_prefix`, or in the LMDB where that is one. Where the annotations are an LMDB
    that holds the images too and `img_prefix` is none, they are read from there.

    Source: `OCRDataset` in `mmocr.datasets.ocr_dataset`, `LoadImageFromLMDB` in `mmocr.datasets.pipelines.loading`,
    MMOCR v0.6.3.

    Raises:
        AnnotationError: The file or LMDB is missing or empty.
        ConfigError: The loader asks for what does not exist.
    """
    require_key(dataset.loader.parser, "filename", "OCRDataset")
    records = open_records(dataset.ann_file, dataset.loader)
    root = image_root(dataset.img_prefix)
    if isinstance(records, LmdbRecords) and records.holds_images and not root.is_lmdb:
        root = ImageRoot(records.folder, is_lmdb=True)
    return RecordSamples(records, dataset.loader.repeat, partial(_to_sample, root))


def _to_sample(root: ImageRoot, fields: Mapping[str, object], origin: str) -> Sample:
    name = require_text(fields["filename"], "filename", origin)
    truth = require_text(fields["text"], "text", origin) if "text" in fields else None
    return Sample(name, root.find(name), truth, origin)
