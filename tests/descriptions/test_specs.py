from pathlib import Path
from typing import Any

import pytest

from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.descriptions.loading import ModelConfig, load_config
from ocrdeploy.descriptions.specs import Shape, build_spec, check_static_shape
from ocrdeploy.errors import ConfigError, UsageError
from ocrdeploy.model_spec import ExportOptions, FileRecord, Source, decode_spec, encode_spec
from ocrdeploy.version import __version__

CHECKPOINT = FileRecord("/models/a.pth", "0" * 64)


def config(data_dir: Path, name: str) -> ModelConfig:
    return load_config(data_dir / "configs" / f"{name}.py")


def image_shape(model: ModelConfig) -> Shape:
    return model.tensors(None)[0][0].shape


def test_the_spec_holds_all_that_the_config_says(data_dir: Path) -> None:
    dbnet = config(data_dir, "dbnet")
    options = ExportOptions(17, dynamic=True)
    spec = build_spec(dbnet, checkpoint=CHECKPOINT, export=options)
    assert (spec.task, spec.architecture) == ("det", "DBNet")
    assert spec.preprocessing == dbnet.preprocessing
    assert spec.postprocessing == dbnet.postprocessing
    assert spec.datasets == dbnet.datasets
    assert spec.evaluation == dbnet.evaluation
    assert spec.source == Source(dbnet.record, CHECKPOINT, dbnet.bases)
    names = [Path(each.path).name for each in dbnet.bases]
    assert names == ["det_pipeline.py", "det_data.py", "dbnet.py", "runtime.py"]
    assert spec.export == options
    assert spec.tools == {"ocrdeploy": __version__}
    assert decode_spec(encode_spec(spec), "a.onnx") == spec


@pytest.mark.parametrize(
    ("name", "input_shape", "output"),
    [
        ("dbnet", ("batch", 3, "height", "width"), ("prob_map", ("batch", 1, "height", "width"))),
        ("psenet", ("batch", 3, "height", "width"), ("maps", ("batch", 7, "map_height", "map_width"))),
        ("panet", ("batch", 3, "height", "width"), ("maps", ("batch", 6, "map_height", "map_width"))),
        ("crnn", ("batch", 1, 32, "width"), ("logits", ("batch", "sequence", 37))),
    ],
)
def test_dynamic_shapes(data_dir: Path, name: str, input_shape: Any, output: Any) -> None:
    spec = build_spec(config(data_dir, name))
    assert (spec.input.name, spec.input.shape) == ("input", input_shape)
    assert [(tensor.name, tensor.shape) for tensor in spec.outputs] == [output]
    assert (spec.source, spec.export) == (None, None)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("dbnet", (2, 3, 64, 96), (2, 1, 64, 96)),
        ("psenet", (1, 3, 64, 96), (1, 7, 16, 24)),
        ("panet", (1, 3, 64, 96), (1, 6, 16, 24)),
        ("crnn", (4, 1, 32, 100), (4, 26, 37)),
    ],
)
def test_static_shapes(data_dir: Path, name: str, shape: Any, expected: Any) -> None:
    spec = build_spec(config(data_dir, name), static_shape=shape)
    assert (spec.input.shape, spec.outputs[0].shape) == (shape, expected)


def test_a_recogniser_with_softmax_and_argmax_gives_classes_and_scores(data_dir: Path) -> None:
    options = ExportOptions(17, dynamic=True, decode_in_graph=True)
    spec = build_spec(config(data_dir, "crnn"), export=options)
    assert [(tensor.name, tensor.shape, tensor.dtype) for tensor in spec.outputs] == [
        ("indices", ("batch", "sequence"), "int32"),
        ("scores", ("batch", "sequence"), "float32"),
    ]
    assert isinstance(spec.postprocessing, CTCConvertor)
    assert spec.postprocessing.reads == "best_classes"
    assert decode_spec(encode_spec(spec), "model.onnx") == spec
    static = build_spec(config(data_dir, "crnn"), export=options, static_shape=(4, 1, 32, 100))
    assert [tensor.shape for tensor in static.outputs] == [(4, 26), (4, 26)]


@pytest.mark.parametrize("name", ["dbnet", "panet", "psenet"])
def test_a_detector_has_no_softmax_and_argmax_to_take_in(data_dir: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"into a recogniser's graph, and (DBNet|PANet|PSENet) detects text"):
        build_spec(config(data_dir, name), export=ExportOptions(17, dynamic=True, decode_in_graph=True))


def test_all_outputs_of_dbnet(data_dir: Path) -> None:
    spec = build_spec(config(data_dir, "dbnet"), export=ExportOptions(17, dynamic=True, all_outputs=True))
    assert [(tensor.name, tensor.shape) for tensor in spec.outputs] == [("maps", ("batch", 3, "height", "width"))]
    spec = build_spec(config(data_dir, "panet"), export=ExportOptions(17, dynamic=True, all_outputs=True))
    assert spec.outputs[0].shape == ("batch", 6, "map_height", "map_width")


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("dbnet", (1, 1, 64, 64), "the network takes batch×3×height×width, got 1×1×64×64"),
        ("crnn", (1, 3, 32, 64), "the network takes batch×1×32×width, got 1×3×32×64"),
        ("crnn", (1, 1, 48, 64), "the network takes batch×1×32×width, got 1×1×48×64"),
    ],
)
def test_shapes_that_the_network_does_not_take_are_refused(
    data_dir: Path, name: str, shape: tuple[int, int, int, int], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_static_shape(shape, image_shape(config(data_dir, name)))
    assert caught.value.message == message


def test_shapes_that_the_network_takes_pass(data_dir: Path) -> None:
    check_static_shape((2, 3, 64, 96), image_shape(config(data_dir, "dbnet")))
    check_static_shape((2, 1, 32, 96), image_shape(config(data_dir, "crnn")))
