from pathlib import Path

import msgspec
import pytest

from ocrdeploy.artifacts import METADATA_KEY
from ocrdeploy.descriptions.loading import ModelConfig, load_config
from ocrdeploy.descriptions.model_files import check_config, spec_of_foreign_model, spec_of_onnx
from ocrdeploy.descriptions.specs import build_spec
from ocrdeploy.errors import ConfigError, ModelError, UsageError
from ocrdeploy.model_spec import ExportOptions, encode_spec
from ocrdeploy.onnx_file import GraphTensor, OnnxFacts

PATH = Path("m.onnx")
IMAGE = GraphTensor("x", ("n", 3, "h", "w"), "float32")
WORD = GraphTensor("x", ("n", 1, 32, "w"), "float32")


def config(data_dir: Path, name: str) -> ModelConfig:
    return load_config(data_dir / "configs" / f"{name}.py")


@pytest.mark.parametrize(
    ("name", "tensor", "outputs"),
    [
        ("dbnet", IMAGE, [("y", ("n", 1, "a", "b"))]),
        # MMOCR's own script keeps all three maps.
        ("dbnet", IMAGE, [("y", ("n", 3, "a", "b"))]),
        ("dbnet", IMAGE, [("y", ())]),
        ("dbnet", GraphTensor("x", (1, 3, 64, 96)), [("y", (1, 1, 64, 96))]),
        ("psenet", GraphTensor("x", (1, 3, 64, 96)), [("y", (1, 7, 16, 24))]),
        ("crnn", WORD, [("y", ("n", "t", 37))]),
        ("crnn", WORD, [("indices", ("n", "t"), "int32"), ("scores", ("n", "t"), "float32")]),
    ],
)
def test_somebody_elses_model_of_the_configs_network_is_taken(
    data_dir: Path, name: str, tensor: GraphTensor, outputs: list[tuple[str, tuple[str | int, ...]]]
) -> None:
    found = [GraphTensor(*output) for output in outputs]
    spec = spec_of_foreign_model(config(data_dir, name), PATH, [tensor], found)
    assert (spec.input.name, spec.input.shape) == ("x", tensor.shape)
    assert [output.name for output in spec.outputs] == [output.name for output in found]
    assert spec.export is None
    spec.postprocessing.expects()


@pytest.mark.parametrize(
    ("name", "tensor", "outputs", "message"),
    [
        # A neck's features, features beside the map, another family's graph, half the size, steps first.
        ("dbnet", IMAGE, [("y", ("n", 64, "a", "b"))], "gives y n×64×a×b, and the DBNet of .* gives prob_map n×1×h×w"),
        ("dbnet", IMAGE, [("f", ()), ("prob_map", ("n", 1, "h", "w"))], "gives f of any shape, prob_map n×1×h×w"),
        ("psenet", IMAGE, [("y", ("n", 1, "h", "w"))], "gives y n×1×h×w, and the PSENet of .* gives maps n×7×map_h"),
        ("dbnet", GraphTensor("x", (1, 3, 64, 96)), [("y", (1, 1, 32, 48))], "gives y 1×1×32×48, and the DBNet"),
        ("crnn", GraphTensor("x", (1, 1, 32, 160)), [("y", (41, 1, 37))], "gives y 41×1×37, and the CRNNNet of"),
        ("crnn", WORD, [("y", ("t", "n", 37))], "gives y t×n×37, and the CRNNNet of .* gives logits n×sequence×37"),
        ("crnn", WORD, [("y", ("n", "t", 38))], "gives y n×t×38, and the CRNNNet of .* gives logits n×sequence×37"),
        ("dbnet", IMAGE, [("y", ("n", 1, "h", "w"), "uint8")], "gives y n×1×h×w uint8, and"),
        ("dbnet", IMAGE, [("y", ("n", 1, "h"))], "gives y n×1×h, and"),
        ("dbnet", WORD, [("y", ("n", 1, "h", "w"))], "takes x n×1×32×w float32, and the DBNet of .* takes x batch×3×"),
    ],
)
def test_another_graph_than_the_configs_network_is_refused(
    data_dir: Path,
    name: str,
    tensor: GraphTensor,
    outputs: list[tuple[str, tuple[str | int, ...]]],
    message: str,
) -> None:
    with pytest.raises(ModelError, match=message):
        spec_of_foreign_model(config(data_dir, name), PATH, [tensor], [GraphTensor(*output) for output in outputs])


def test_a_config_that_says_otherwise_than_the_model_is_refused_with_both_values(data_dir: Path) -> None:
    dbnet = config(data_dir, "dbnet")
    spec = build_spec(dbnet)
    check_config(dbnet, spec, PATH)
    changed = msgspec.structs.replace(spec.postprocessing, mask_thr=0.45, unclip_ratio=2.5)
    steps = (spec.preprocessing[0], msgspec.structs.replace(spec.preprocessing[1], scale=(64, 32)))
    edited = msgspec.structs.replace(spec, postprocessing=changed, preprocessing=(*steps, *spec.preprocessing[2:]))
    with pytest.raises(UsageError) as caught:
        check_config(dbnet, edited, PATH)
    for text in (
        "mask_thr is 0.3 in",
        "0.45 in m.onnx",
        "unclip_ratio is 1.8 in",
        "2.5 in m.onnx",
        "(64, 32) in m.onnx",
    ):
        assert text in caught.value.message
    assert caught.value.fix == "Export the model again, or leave out --config."
    with pytest.raises(ConfigError, match="is a model for task 'recog', not 'det'"):
        check_config(config(data_dir, "crnn"), spec, PATH)


def test_what_options_of_the_export_changed_is_no_difference(data_dir: Path) -> None:
    crnn, dbnet = config(data_dir, "crnn"), config(data_dir, "dbnet")
    check_config(crnn, build_spec(crnn, export=ExportOptions(17, dynamic=True, decode_in_graph=True)), PATH)
    for options in (ExportOptions(17, True, all_outputs=True), ExportOptions(17, True, upsample="bilinear")):
        check_config(dbnet, build_spec(dbnet, export=options), PATH)


def test_the_spec_of_a_file_is_its_own_or_the_configs(data_dir: Path) -> None:
    dbnet = config(data_dir, "dbnet")
    spec = build_spec(dbnet)
    outputs = (GraphTensor("prob_map", ("batch", 1, "height", "width"), "float32"),)
    inputs = (IMAGE._replace(name="input"),)
    held = OnnxFacts({METADATA_KEY: encode_spec(spec)}, inputs, outputs, "fp32", ())
    assert spec_of_onnx(held, PATH, None) == spec_of_onnx(held, PATH, dbnet) == spec
    foreign = spec_of_onnx(OnnxFacts({}, inputs, outputs, "fp32", ()), PATH, dbnet)
    assert foreign is not None
    assert (foreign.input.shape, foreign.postprocessing) == (inputs[0].shape, spec.postprocessing)
    assert spec_of_onnx(OnnxFacts({}, inputs, outputs, "fp32", ()), PATH, None) is None
    other = config(data_dir, "psenet")
    assert spec_of_onnx(held, PATH, other, compare=False) == spec
    with pytest.raises(UsageError, match="post-processing is PSEPostprocessor"):
        spec_of_onnx(held, PATH, other)
