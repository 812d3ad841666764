"""Opening the data sets that a config names."""

from ocrdeploy.model_spec import Dataset, IcdarDataset, JsonDataset, OCRDataset, TextDetDataset

from .icdar import read_icdar_dataset
from .json_dataset import read_json_dataset
from .ocr import read_ocr_dataset
from .samples import Samples
from .text_det import read_text_det_dataset


def read_dataset(dataset: Dataset) -> Samples:
    """Open a data set of a model spec.

    Raises:
        AnnotationError: Its annotation file is missing, empty or as a whole unusable. A single wrong annotation is a
            :class:`BrokenSample` when it is reached.
        ConfigError: It asks for what does not exist.
    """
    match dataset:
        case IcdarDataset():
            return read_icdar_dataset(dataset)
        case TextDetDataset():
            return read_text_det_dataset(dataset)
        case OCRDataset():
            return read_ocr_dataset(dataset)
        case JsonDataset():
            return read_json_dataset(dataset)
