"""MMOCR's TextDetDataset: text detection, a line of JSON an image."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from ocrdeploy.errors import AnnotationError
from ocrdeploy.model_spec import TextDetDataset

from .parsing import require_key, require_text
from .records import RecordSamples, open_records
from .samples import DetectionTruth, Sample
from .segmentation import first_polygon, make_truth
from .sources import ImageRoot, image_root


class _Annotation(msgspec.Struct):
    iscrowd: bool | int | float | None = None
    segmentation: Any = None


def read_text_det_dataset(dataset: TextDetDataset) -> RecordSamples:
    """Open a TextDetDataset.

    Every entry of a line's `annotations` counts, whatever its category, area or `ignore`: MMOCR looks at `iscrowd`
    alone, which marks ignored text. Lines have a `file_name` and, unless the parser's keys go without them,
    `annotations`; without these a sample has no truth.

    Source: `TextDetDataset` in `mmocr.datasets.text_det_dataset`, MMOCR v0.6.3.

    Raises:
        AnnotationError: The file or LMDB is missing or empty.
        ConfigError: The loader asks for what does not exist.
    """
    require_key(dataset.loader.parser, "file_name", "TextDetDataset")
    records = open_records(dataset.ann_file, dataset.loader)
    return RecordSamples(records, dataset.loader.repeat, partial(_to_sample, image_root(dataset.img_prefix)))


def _to_sample(root: ImageRoot, fields: Mapping[str, object], origin: str) -> Sample:
    name = require_text(fields["file_name"], "file_name", origin)
    truth = _truth(fields["annotations"], origin) if "annotations" in fields else None
    return Sample(name, root.find(name), truth, origin)


def _truth(value: object, origin: str) -> DetectionTruth:
    try:
        annotations = msgspec.convert(value, list[_Annotation])
    except (msgspec.ValidationError, UnicodeError) as error:  # a key may be half of a surrogate pair
        raise AnnotationError(f"{origin}: in 'annotations': {error}") from error
    return make_truth(
        (first_polygon(annotation.segmentation, f"{origin}, annotations[{index}]"), bool(annotation.iscrowd))
        for index, annotation in enumerate(annotations)
    )
