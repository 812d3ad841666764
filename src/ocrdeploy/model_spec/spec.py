"""The model spec: all that is needed to run a model and to judge it, in one JSON document inside the model file."""

from typing import Literal

import msgspec

from ocrdeploy.decoders import Decoder, Outputs
from ocrdeploy.spec_part import Share, SpecPart
from ocrdeploy.steps import Step
from ocrdeploy.tensors import ElementType, TensorSpec

from .datasets import Dataset, JsonDataset, OCRDataset

SCHEMA_VERSION = 1
"""Raised when a reader of the old version would misunderstand the new one."""

Task = Literal["det", "recog"]
Upsample = Literal["nearest", "bilinear"]
Precision = Literal["fp32", "fp16"]
"""Number format of a network's inner tensors; `fp16` is float16 with the sensitive operators in float32."""

DETECTOR_MULTIPLE = 32
"""What divides heights and widths that a detector takes, unless its spec says: the stride of its deepest map."""

MAX_THRESHOLDS = 1000
"""Most score thresholds that a sweep tries."""

DETECTION_METRICS = ("hmean-iou", "hmean-ic13")
WORD_METRICS = (
    "word_acc", "word_acc_ignore_case", "word_acc_ignore_case_symbol", "char_recall", "char_precision", "1-N.E.D",
)  # fmt: skip
RECOGNITION_METRICS = ("acc", *WORD_METRICS)
"""`acc` stands for all the others."""
METRICS_OF_CLASSES = {
    "HmeanIOUMetric": ("hmean-iou",),
    "WordMetric": WORD_METRICS[:3],
    "CharMetric": ("char_recall", "char_precision"),
    "OneMinusNEDMetric": ("1-N.E.D",),
}
"""What MMOCR 1.x's metrics, which configs name by their classes, are here."""
HMEAN_NUMBERS = {f"icdar/{number}": f"hmean-iou:{number}" for number in ("recall", "precision", "hmean")}
"""MMOCR 1.x's names of the numbers of text detection."""

MATCH_THR = 0.5
"""What share of their area two polygons of one instance have in common at least, by default."""


class FileRecord(SpecPart, frozen=True):
    """A file that the model was made from: where it was, and the SHA-256 of its bytes in hexadecimal."""

    path: str
    sha256: str


class Source(SpecPart, frozen=True):
    """Config and checkpoint of the model, and the files that the config names as its bases, and so on."""

    config: FileRecord
    checkpoint: FileRecord
    bases: tuple[FileRecord, ...] = ()


class ExportOptions(SpecPart, frozen=True):
    """How the graph was written.

    `upsample` is the interpolation of the feature pyramid, `all_outputs` whether DBNet's training aids are kept,
    `decode_in_graph` whether CTC's softmax and argmax are part of the graph.
    """

    opset: int
    dynamic: bool
    upsample: Upsample = "nearest"
    all_outputs: bool = False
    decode_in_graph: bool = False


class EvaluationSettings(SpecPart, frozen=True):
    """What the config says of the metric: its name, and the sweep over score thresholds.

    `strategy` is how MMOCR 1.x's `hmean-iou` pairs truths and predictions; None stands for the counting of 0.x. Its
    sweep ends below `max_score_thr`. A pair matches above `iou_thr`; a prediction of which a greater share than
    `precision_thr` lies in an ignored truth does not count.
    """

    metric: tuple[str, ...]
    min_score_thr: float = 0.3
    max_score_thr: float = 0.9
    step: float = 0.1
    strategy: Literal["vanilla", "max_matching"] | None = None
    iou_thr: Share = MATCH_THR
    precision_thr: Share = MATCH_THR

    def __post_init__(self) -> None:
        """Refuse unknown metrics and an impossible sweep."""
        known = DETECTION_METRICS + RECOGNITION_METRICS
        if not self.metric:
            raise ValueError("metric names no metric")
        for metric in self.metric:
            if metric not in known:
                raise ValueError(f"unknown metric {metric!r}; known are {', '.join(known)}")
        check_sweep(self.min_score_thr, self.max_score_thr, self.step)
        if self.strategy is None and (self.iou_thr, self.precision_thr) != (MATCH_THR, MATCH_THR):
            raise ValueError(f"iou_thr and precision_thr are {MATCH_THR} where pairs are counted as in MMOCR 0.x")
        if self.strategy is not None and self.min_score_thr == self.max_score_thr:
            raise ValueError(f"score thresholds from {self.min_score_thr} to below the same are none at all")


def metric_name(name: str) -> str:
    """Return the name of a metric as reports have it: MMOCR 0.x says `one_minus_ned`, MMOCR 1.x `recog/word_acc`."""
    bare = name.removeprefix("recog/")
    return "1-N.E.D" if bare == "one_minus_ned" else bare


def metric_names(name: str) -> tuple[str, ...]:
    """Return the names, as reports have them, of what a user calls by one: MMOCR 1.x has classes of several numbers."""
    if name.startswith("icdar/"):
        return ("hmean-iou",) if name in HMEAN_NUMBERS else (name,)
    return METRICS_OF_CLASSES.get(name, (metric_name(name),))


def check_sweep(lowest: float, highest: float, step: float) -> None:
    """Raise ValueError unless score thresholds from `lowest` to `highest` by `step` are within 0 to 1, and not many."""
    sweep = f"{lowest} to {highest} by {step}"
    if not 0 <= lowest <= highest <= 1 or not 0 < step <= 1:
        raise ValueError(f"score thresholds from {sweep} are no sweep in [0, 1]")
    if (highest - lowest) / step > MAX_THRESHOLDS:
        raise ValueError(f"score thresholds from {sweep} are more than {MAX_THRESHOLDS}: give a larger step")


class ModelSpec(SpecPart, frozen=True):
    """All that is needed to run a model and to judge it.

    Attributes:
        schema: Version of this document's layout.
        task: Text detection or text recognition.
        architecture: MMOCR's name of the network, such as `DBNet`.
        input: The images, N×C×H×W, already normalised.
        outputs: The output tensors, in the graph's order.
        preprocessing: From the image file to the input tensor.
        postprocessing: From the outputs to polygons or text.
        datasets: The data sets of the config's `data.test`.
        evaluation: The config's metric.
        source: Config and checkpoint; None where there were none.
        export: How the graph was written; None where no graph was.
        precision: Number format of the network inside; its input and outputs have the types that they name.
        custom_ops: Libraries with operators that the graph needs and ONNX Runtime does not have. They are never loaded
            because a model names them, only when the user does.
        tools: Versions of the packages that wrote the model.
        further_inputs: What the network takes beside the images, float32: N first, all other lengths fixed.
    """

    schema: int
    task: Task
    architecture: str
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    preprocessing: tuple[Step, ...]
    postprocessing: Decoder
    datasets: tuple[Dataset, ...] = ()
    evaluation: EvaluationSettings | None = None
    source: Source | None = None
    export: ExportOptions | None = None
    precision: Precision = "fp32"
    custom_ops: tuple[FileRecord, ...] = ()
    tools: dict[str, str] = msgspec.field(default_factory=dict)
    further_inputs: tuple[TensorSpec, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a spec that contradicts itself."""
        if self.schema < 1:
            raise ValueError(f"schema {self.schema} does not exist")
        if self.postprocessing.task != self.task:
            raise ValueError(f"{type(self.postprocessing).__name__} does not belong to task {self.task!r}")
        if not self.outputs:
            raise ValueError("a model has at least one output")
        names = [tensor.name for tensor in (*self.inputs, *self.outputs)]
        if len(set(names)) != len(names):
            raise ValueError(f"inputs and outputs have different names, not {names}")
        if len(self.input.shape) != 4:
            raise ValueError(f"the input has four dimensions, not {self.input.shape}")
        for tensor in self.further_inputs:
            if tensor.shape[:1] != self.input.shape[:1] or not all(isinstance(each, int) for each in tensor.shape[1:]):
                raise ValueError(f"the input {tensor.name!r} is an entry an image, of fixed size, not {tensor.shape}")
        self._check_types()
        metrics = DETECTION_METRICS if self.task == "det" else RECOGNITION_METRICS
        if self.evaluation is not None and not set(self.evaluation.metric) <= set(metrics):
            raise ValueError(f"the metric {self.evaluation.metric} does not belong to task {self.task!r}")
        for dataset in self.datasets:
            if not isinstance(dataset, JsonDataset) and (self.task == "recog") != isinstance(dataset, OCRDataset):
                raise ValueError(f"{type(dataset).__name__} does not belong to task {self.task!r}")

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """All inputs, the images first."""
        return (self.input, *self.further_inputs)

    @property
    def size_multiple(self) -> int:
        """What divides the heights and widths that the model takes."""
        return self.input.multiple_of or (DETECTOR_MULTIPLE if self.task == "det" else 1)

    def _check_types(self) -> None:
        """Refuse outputs of other types than decoding reads; those that it does not read are float32."""
        read = [tensor.dtype for tensor in self.postprocessing.expects()]
        others: list[ElementType] = ["float32"] * (len(self.outputs) - len(read))
        wanted = [*read, *others]
        found = [output.dtype for output in self.outputs]
        if any(tensor.dtype != "float32" for tensor in self.inputs) or found != wanted:
            raise ValueError(f"outputs of types {wanted} and float32 inputs were expected, not {found}")

    def read_outputs(self, outputs: Outputs, images: int | None = None) -> Outputs:
        """Return, of all that a network gives for a batch, what decoding takes: the spec's outputs in its order.

        Args:
            outputs: The outputs by name, N first.
            images: How many of the batch are images, by default all; what a batch was filled up with is dropped.
        """
        return {output.name: outputs[output.name][:images] for output in self.outputs}
