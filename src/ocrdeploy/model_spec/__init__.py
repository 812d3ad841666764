"""The model spec and its parts: what a model takes, gives and means. No tensor library is imported here."""

from ocrdeploy.tensors import Dimension, ElementType, TensorSpec, shape_text

from .codec import decode_spec, encode_spec
from .datasets import (
    AnnFileLoader,
    Dataset,
    IcdarDataset,
    LineJsonParser,
    LineStrParser,
    OCRDataset,
    TextDetDataset,
    dataset_name,
)
from .engines import ENGINE_SCHEMA_VERSION, EngineRecord, ShapeProfile, TensorRTFlavour
from .spec import (
    DETECTION_METRICS,
    OUTPUT_STRIDE,
    RECOGNITION_METRICS,
    SCHEMA_VERSION,
    WORD_METRICS,
    EvaluationSettings,
    ExportOptions,
    FileRecord,
    ModelSpec,
    Precision,
    Source,
    Task,
    Upsample,
    metric_name,
)

__all__ = [
    "DETECTION_METRICS",
    "ENGINE_SCHEMA_VERSION",
    "OUTPUT_STRIDE",
    "RECOGNITION_METRICS",
    "SCHEMA_VERSION",
    "WORD_METRICS",
    "AnnFileLoader",
    "Dataset",
    "Dimension",
    "ElementType",
    "EngineRecord",
    "EvaluationSettings",
    "ExportOptions",
    "FileRecord",
    "IcdarDataset",
    "LineJsonParser",
    "LineStrParser",
    "ModelSpec",
    "OCRDataset",
    "Precision",
    "ShapeProfile",
    "Source",
    "Task",
    "TensorRTFlavour",
    "TensorSpec",
    "TextDetDataset",
    "Upsample",
    "dataset_name",
    "decode_spec",
    "encode_spec",
    "metric_name",
    "shape_text",
]
