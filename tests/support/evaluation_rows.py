"""Rows of an evaluation."""

from dataclasses import replace

from ocrdeploy.evaluation.rows import EvaluationRow

ROW = EvaluationRow(
    model="m.onnx",
    task="det",
    architecture="DBNet",
    config="dbnet.py",
    backend="onnxruntime",
    precision="fp32",
    dataset="toy",
    device="cpu",
    images=10,
    labels=20,
    metrics={"hmean-iou:recall": 0.5, "hmean-iou:precision": 0.25, "hmean-iou:hmean": 1 / 3},
    seconds=4.0,
    images_per_second=2.5,
    size_mib=3.0,
)
TORCH = replace(ROW, backend="torch")
ENGINE = replace(ROW, model="m.engine", backend="tensorrt")
