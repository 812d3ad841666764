"""Model specs to be changed and written."""

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor
from ocrdeploy.model_spec import (
    SCHEMA_VERSION,
    AnnFileLoader,
    EvaluationSettings,
    ExportOptions,
    FileRecord,
    IcdarDataset,
    LineJsonParser,
    ModelSpec,
    OCRDataset,
    Source,
    TensorSpec,
)
from ocrdeploy.steps import LoadImageFromFile, Normalize, Pad, Resize, ResizeOCR

DETECTOR = ModelSpec(
    schema=SCHEMA_VERSION,
    task="det",
    architecture="DBNet",
    input=TensorSpec("input", ("batch", 3, "height", "width"), "image"),
    outputs=(TensorSpec("prob_map", ("batch", 1, "height", "width"), "probability of text"),),
    preprocessing=(
        LoadImageFromFile("color_ignore_orientation"),
        Resize((1333, 736)),
        Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        Pad(size_divisor=32),
    ),
    postprocessing=DBPostprocessor(text_repr_type="quad"),
    datasets=(IcdarDataset("a.json", "imgs"),),
    evaluation=EvaluationSettings(("hmean-iou",)),
    source=Source(FileRecord("/c.py", "0" * 64), FileRecord("/c.pth", "1" * 64)),
    export=ExportOptions(17, dynamic=True),
    tools={"ocrdeploy": "0.1"},
)

RECOGNIZER = ModelSpec(
    schema=SCHEMA_VERSION,
    task="recog",
    architecture="CRNNNet",
    input=TensorSpec("input", (1, 1, 32, 100), "image"),
    outputs=(TensorSpec("logits", (1, 26, 4), "logits"),),
    preprocessing=(LoadImageFromFile("grayscale"), ResizeOCR(32, 32), Normalize((127.0,), (127.0,))),
    postprocessing=CTCConvertor(("<BLK>", "é", "字", '"'), None, lower=True),
    datasets=(OCRDataset("l.jsonl", AnnFileLoader(LineJsonParser()), "imgs"),),
    evaluation=EvaluationSettings(("acc",)),
)
