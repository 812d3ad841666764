import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrdeploy.decoders import CTCConvertor, DBPostprocessor, PANPostprocessor, PSEPostprocessor
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import (
    SCHEMA_VERSION,
    AnnFileLoader,
    EvaluationSettings,
    ExportOptions,
    FileRecord,
    IcdarDataset,
    LineJsonParser,
    LineStrParser,
    ModelSpec,
    OCRDataset,
    Source,
    TensorSpec,
    TextDetDataset,
    decode_spec,
    encode_spec,
)
from ocrdeploy.steps import LoadImageFromFile, Normalize, NormalizeOCR, Pad, Resize, ResizeOCR, ToTensorOCR
from tests.support.specs import DETECTOR, RECOGNIZER

numbers = st.floats(-1e6, 1e6)
shares = st.floats(0, 1)
scalings = st.floats(1e-6, 1)
positive = st.floats(1e-6, 1e6)
counts = st.integers(1, 10**6)
# A surrogate is no character, and UTF-8 has no bytes for it.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = words.filter(lambda word: word != "input")
channels = st.lists(numbers, min_size=3, max_size=3).map(tuple)
spreads = st.lists(positive, min_size=3, max_size=3).map(tuple)
pad_values = numbers | channels

steps = st.one_of(
    st.builds(
        LoadImageFromFile,
        st.sampled_from(["color", "color_ignore_orientation", "grayscale", "grayscale_ignore_orientation"]),
        st.sampled_from(["bgr", "rgb"]),
        st.booleans(),
    ),
    st.builds(Resize, st.tuples(counts, counts), st.booleans(), st.sampled_from(["nearest", "bilinear", "area"])),
    st.builds(Normalize, channels, spreads, st.booleans()),
    st.builds(Pad, counts, st.none(), pad_values),
    st.builds(Pad, st.none(), st.tuples(counts, counts), pad_values),
    st.builds(
        ResizeOCR,
        counts,
        st.none() | st.integers(1, 100),
        st.integers(100, 10**6),
        st.booleans(),
        pad_values,
        st.floats(0.01, 1),
        st.sampled_from(["cv2", None]),
        st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    ),
    st.just(ToTensorOCR()),
    st.builds(NormalizeOCR, channels, spreads),
)
boundaries = st.sampled_from(["quad", "poly"])
decoders = st.one_of(
    st.builds(
        DBPostprocessor, boundaries, shares, shares, st.floats(0, 1e6), st.floats(0, 100), shares, counts, scalings
    ),
    st.builds(PSEPostprocessor, boundaries, shares, shares, st.integers(0, 99), st.integers(0, 99), scalings),
    st.builds(PANPostprocessor, boundaries, shares, shares, shares, st.integers(0, 99), scalings),
)
loaders = st.builds(
    AnnFileLoader,
    st.builds(LineJsonParser, st.lists(words, min_size=1).map(tuple))
    | st.builds(LineStrParser, st.tuples(words, words), st.tuples(counts, counts), words),
    st.sampled_from(["txt", "lmdb"]),
    st.integers(1, 1000),
)
det_datasets = st.builds(IcdarDataset, words, words, st.integers(-1, 9)) | st.builds(
    TextDetDataset, words, loaders, words
)
recog_datasets = st.builds(OCRDataset, words, loaders, words)
tensors = st.builds(TensorSpec, names, st.lists(counts | words, max_size=5).map(tuple), words)
inputs = st.builds(TensorSpec, st.just("input"), st.tuples(*[counts | words] * 4), words)
records = st.builds(FileRecord, words, words)
thresholds = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
common = {
    "schema": st.just(SCHEMA_VERSION),
    "architecture": words,
    "input": inputs,
    "outputs": st.lists(tensors, min_size=1, max_size=3, unique_by=lambda tensor: tensor.name).map(tuple),
    "preprocessing": st.lists(steps, max_size=5).map(tuple),
    "source": st.none() | st.builds(Source, records, records),
    "export": st.none() | st.builds(ExportOptions, counts, st.booleans(), st.sampled_from(["nearest", "bilinear"])),
    "tools": st.dictionaries(words, words, max_size=3),
}
detectors = st.builds(
    ModelSpec,
    task=st.just("det"),
    postprocessing=decoders,
    datasets=st.lists(det_datasets, max_size=3).map(tuple),
    evaluation=st.none()
    | thresholds.map(lambda pair: EvaluationSettings(("hmean-iou", "hmean-ic13"), pair[0], pair[1], 0.25)),
    **common,
)
recognizers = st.builds(
    ModelSpec,
    task=st.just("recog"),
    postprocessing=st.lists(words, min_size=2, max_size=9).map(
        lambda characters: CTCConvertor(tuple(characters), len(characters) - 1, lower=True)
    ),
    datasets=st.lists(recog_datasets, max_size=3).map(tuple),
    evaluation=st.none() | st.just(EvaluationSettings(("acc",))),
    **common,
)


@given(spec=detectors | recognizers)
def test_a_spec_comes_back(spec: ModelSpec) -> None:
    text = encode_spec(spec)
    assert "\n" not in text
    assert decode_spec(text, "a.onnx") == spec
    assert decode_spec(text.encode(), "a.onnx") == spec


def test_the_document_speaks_mmocrs_language() -> None:
    document = json.loads(encode_spec(DETECTOR))
    assert document["schema"] == SCHEMA_VERSION
    assert [step["type"] for step in document["preprocessing"]] == ["LoadImageFromFile", "Resize", "Normalize", "Pad"]
    assert document["preprocessing"][2]["mean"] == [123.675, 116.28, 103.53]
    assert document["postprocessing"]["type"] == "DBPostprocessor"
    assert document["postprocessing"]["unclip_ratio"] == 1.5
    assert document["datasets"][0]["type"] == "IcdarDataset"
    assert json.loads(encode_spec(RECOGNIZER))["postprocessing"]["dictionary"] == ["<BLK>", "é", "字", '"']


def changed(path: str, value: Any, base: ModelSpec = DETECTOR) -> str:
    """Return a spec's document with another value; None takes the key out."""
    document = json.loads(encode_spec(base))
    *outer, last = path.split(".")
    inner = document
    for key in outer:
        inner = inner[int(key) if key.isdigit() else key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(document)


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        decode_spec(changed("schema", SCHEMA_VERSION + 1)[:-1] + ', "novelty": 1}', "a.onnx")
    assert caught.value.message == (
        f"the model spec of a.onnx has schema {SCHEMA_VERSION + 1}, and this version reads up to {SCHEMA_VERSION}"
    )
    assert caught.value.fix == "Update ocrdeploy."


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "Input data was truncated"),
        ("{}", "Object missing required field `schema`"),
        ("[1]", "Expected `object`, got `array`"),
        ("null", "Expected `object`, got `null`"),
        ('{"schema": 1', "Input data was truncated"),
        (b"\xff\xfe", "JSON is malformed"),
        (b'{"schema": 1, "task": "\xff"}', "'utf-8' codec can't decode byte"),
        ('"\ud800"', "'utf-8' codec can't encode character"),
        ('{"schema": 1, "a": ' + "[" * 100_000, "maximum recursion depth exceeded"),
        (changed("schema", 0), "schema 0 does not exist"),
        (changed("schema", "1"), "Expected `int`, got `str` - at `$.schema`"),
        (changed("schema", True), "Expected `int`, got `bool` - at `$.schema`"),
        (changed("task", None), "Object missing required field `task`"),
        (changed("task", "kie"), "Invalid enum value 'kie' - at `$.task`"),
        (changed("novelty", 1), "Object contains unknown field `novelty`"),
        (changed("preprocessing.1.novelty", 1), "Object contains unknown field `novelty` - at `$.preprocessing[1]`"),
        (
            changed("preprocessing.1.type", "ColorJitter"),
            "Invalid value 'ColorJitter' - at `$.preprocessing[1].type`",
        ),
        (
            changed("preprocessing.1.scale", [1]),
            "Expected `array` of length 2 - at `$.preprocessing[1].scale`",
        ),
        (changed("preprocessing.1.scale", [0, 1]), "Expected `int` >= 1 - at `$.preprocessing[1].scale[0]`"),
        (changed("preprocessing.2.std", [1, 0, 1]), "Expected `float` >= 1e-06 - at `$.preprocessing[2].std[1]`"),
        (changed("preprocessing.2.mean", ["a", 1, 1]), "Expected `float`, got `str`"),
        (changed("postprocessing.type", "SegPostprocessor"), "Invalid value 'SegPostprocessor'"),
        (changed("postprocessing.text_repr_type", "circle"), "Invalid enum value 'circle'"),
        (changed("postprocessing.max_candidates", 1.5), "Expected `int`, got `float`"),
        (changed("evaluation.metric", ["bbox"]), "unknown metric 'bbox'; known are hmean-iou, hmean-ic13, acc"),
        (changed("outputs", []), "a model has at least one output"),
        (changed("input.shape", [1, 3]), "the input has four dimensions, not (1, 3)"),
        (changed("datasets.0.ann_file", 3), "Expected `str`, got `int`"),
        (changed("postprocessing.dictionary", ["a"], RECOGNIZER), "a dictionary holds the blank and at least one"),
    ],
)
def test_broken_documents_are_refused(document: str | bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        decode_spec(document, "folder/a.onnx")
    assert caught.value.message.startswith("the model spec of folder/a.onnx is broken: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.fix == "Export the model again."


@given(data=st.binary(max_size=40))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        decode_spec(data, "a.onnx")


@pytest.mark.parametrize(
    ("decoder", "field", "values"),
    [
        ("DBPostprocessor", "mask_thr", (-1, 2, 1e9)),
        ("DBPostprocessor", "min_text_score", (-1, 2, 1e9)),
        ("DBPostprocessor", "min_text_width", (-1, 1e9)),
        ("DBPostprocessor", "unclip_ratio", (-1, 1e9)),
        ("DBPostprocessor", "epsilon_ratio", (-1, 2, 1e9)),
        ("DBPostprocessor", "max_candidates", (-1, 0, 10**9)),
        ("DBPostprocessor", "downsample_ratio", (-1, 0, 2, 1e9)),
        ("PSEPostprocessor", "min_kernel_confidence", (-1, 2)),
        ("PSEPostprocessor", "min_text_avg_confidence", (-1, 2)),
        ("PSEPostprocessor", "min_kernel_area", (-1, 10**9)),
        ("PSEPostprocessor", "min_text_area", (-1, 10**9)),
        ("PSEPostprocessor", "downsample_ratio", (-1, 0, 2)),
        ("PANPostprocessor", "min_text_confidence", (-1, 2)),
        ("PANPostprocessor", "min_text_area", (-1, 10**9)),
        ("PANPostprocessor", "downsample_ratio", (-1, 0, 2)),
    ],
)
def test_decoder_numbers_out_of_sense_are_refused_by_name(decoder: str, field: str, values: tuple[float, ...]) -> None:
    document = json.loads(encode_spec(DETECTOR))
    for value in values:
        document["postprocessing"] = {"type": decoder, field: value}
        with pytest.raises(ModelError, match=rf"Expected .* at `\$\.postprocessing\.{field}`"):
            decode_spec(json.dumps(document), "a.onnx")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"type": "Resize", "scale": [10**9, 32]}, "Expected `int` <= 1048576"),
        ({"type": "Resize", "scale": [-1, 32]}, "Expected `int` >= 1"),
        ({"type": "Pad", "size_divisor": 10**9}, "Expected `int` <= 1048576"),
        ({"type": "Pad", "size": [32, 0]}, "Expected `int` >= 1"),
        ({"type": "Pad", "size_divisor": 32, "pad_val": 1e30}, "Expected `float` <= 1000000.0"),
        ({"type": "ResizeOCR", "height": 10**9}, "Expected `int` <= 1048576"),
        ({"type": "ResizeOCR", "height": 32, "min_width": 0}, "Expected `int` >= 1"),
        ({"type": "ResizeOCR", "height": 32, "max_width": -1}, "Expected `int` >= 1"),
        ({"type": "ResizeOCR", "height": 32, "width_downsample_ratio": 1e-9}, "Expected `float` >= 0.0009765625"),
        ({"type": "Normalize", "mean": [1e9], "std": [1]}, "Expected `float` <= 1000000.0"),
        ({"type": "Normalize", "mean": [1], "std": [-1]}, "Expected `float` >= 1e-06"),
        ({"type": "NormalizeOCR", "mean": [1], "std": [1e-300]}, "Expected `float` >= 1e-06"),
    ],
)
def test_step_numbers_out_of_sense_are_refused(step: dict[str, Any], message: str) -> None:
    document = json.loads(encode_spec(DETECTOR))
    document["preprocessing"] = [step]
    with pytest.raises(ModelError, match=message):
        decode_spec(json.dumps(document), "a.onnx")


@pytest.mark.parametrize("step", [1e-9, 0.0001])
def test_a_sweep_over_too_many_thresholds_is_refused(step: float) -> None:
    with pytest.raises(ValueError, match="are more than 1000: give a larger step"):
        EvaluationSettings(("hmean-iou",), step=step)


@pytest.mark.parametrize("repeat", [-1, 0, 10**9])
def test_a_loader_repeats_a_sensible_number_of_times(repeat: int) -> None:
    document = json.loads(encode_spec(RECOGNIZER))
    document["datasets"][0]["loader"]["repeat"] = repeat
    with pytest.raises(ModelError, match=r"Expected `int` .* at `\$\.datasets\[0\]\.loader\.repeat`"):
        decode_spec(json.dumps(document), "a.onnx")
