"""`ocrdeploy adopt` and `ocrdeploy inspect`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.decoders import CTCConvertor, OrientationPostprocessor, PPOCRPostprocessor
from ocrdeploy.steps import FitSides, FrameImage, NormalizeImage, ResizeWord
from tests.support.foreign_models import write_classifier, write_detector, write_recogniser

Command = Callable[..., Any]
DETECTOR_YML = """
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - DetResizeForTest: null
  - NormalizeImage: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], order: hwc, scale: 1./255.}
PostProcess: {name: DBPostProcess, thresh: 0.2, box_thresh: 0.45, max_candidates: 3000, unclip_ratio: 1.4}
"""
RECOGNISER_YML = """
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - RecResizeImg: {image_shape: [3, 48, 320]}
PostProcess: {name: CTCLabelDecode, character_dict: [x, y]}
"""


def test_a_preset_gives_rapidocrs_numbers(tmp_path: Path, command: Command) -> None:
    outcome = command("adopt", write_detector(tmp_path / "d.onnx"), "--preset", "ppocr-det", "-o", tmp_path / "o.onnx")
    assert outcome.code == 0, outcome.err
    assert "RapidOCR's numbers" in outcome.out
    spec = read_onnx_spec(tmp_path / "o.onnx")
    assert spec.preprocessing[1:] == (FrameImage(), FitSides(736, "min"), NormalizeImage())
    assert spec.postprocessing == PPOCRPostprocessor(0.3, 0.5, 1.6, 1000, dilation=True)
    assert (spec.input.name, spec.input.multiple_of, spec.outputs[0].name) == ("x", 32, "map")


def test_an_inference_yml_goes_before_the_preset(tmp_path: Path, command: Command) -> None:
    (tmp_path / "inference.yml").write_text(DETECTOR_YML)
    outcome = command("adopt", write_detector(tmp_path / "d.onnx"), "--preset", "ppocr-det", "--json", "-")
    assert outcome.document["origin"] == str(tmp_path / "inference.yml")
    spec = read_onnx_spec(tmp_path / "d.adopted.onnx")
    assert spec.preprocessing[1:] == (FitSides(), NormalizeImage((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert spec.postprocessing == PPOCRPostprocessor(0.2, 0.45, 1.4, 3000, corner_order="diagonals")


def test_a_recogniser_carries_its_dictionary(tmp_path: Path, command: Command) -> None:
    outcome = command("adopt", write_recogniser(tmp_path / "r.onnx"), "-o", tmp_path / "o.onnx")
    assert outcome.code == 0, outcome.err
    spec = read_onnx_spec(tmp_path / "o.onnx")
    assert spec.postprocessing == CTCConvertor(("blank", "a", "b", " "), reads="probabilities", reads_padding=True)
    assert spec.preprocessing[1:] == (ResizeWord(48, 320),)


def test_logits_are_told_from_probabilities(tmp_path: Path, command: Command) -> None:
    assert command("adopt", write_recogniser(tmp_path / "r.onnx", softmax=False)).code == 0
    decoder = read_onnx_spec(tmp_path / "r.adopted.onnx").postprocessing
    assert isinstance(decoder, CTCConvertor)
    assert decoder.reads == "logits"


@pytest.mark.parametrize("baked", ["blank\na\nb\n ", "blank\na\nb", "a\nb\n ", "a\r\nb\r\n"])
def test_blank_and_space_may_be_baked_into_a_dictionary(baked: str, tmp_path: Path, command: Command) -> None:
    (tmp_path / "keys.txt").write_text(baked, newline="")
    model = write_recogniser(tmp_path / "r.onnx", metadata=False)
    assert command("adopt", model, "--preset", "ppocr-rec", "--dictionary", tmp_path / "keys.txt").code == 0
    decoder = read_onnx_spec(tmp_path / "r.adopted.onnx").postprocessing
    assert isinstance(decoder, CTCConvertor)
    assert decoder.dictionary == ("blank", "a", "b", " ")


def test_the_dictionary_of_a_yml_goes_before_that_of_the_metadata(tmp_path: Path, command: Command) -> None:
    (tmp_path / "inference.yml").write_text(RECOGNISER_YML)
    assert command("adopt", write_recogniser(tmp_path / "r.onnx")).code == 0
    decoder = read_onnx_spec(tmp_path / "r.adopted.onnx").postprocessing
    assert isinstance(decoder, CTCConvertor)
    assert decoder.dictionary == ("blank", "x", "y", " ")


def test_a_classifier_has_its_own_size(tmp_path: Path, command: Command) -> None:
    assert command("adopt", write_classifier(tmp_path / "c.onnx"), "--preset", "ppocr-cls").code == 0
    spec = read_onnx_spec(tmp_path / "c.adopted.onnx")
    assert spec.preprocessing[1:] == (ResizeWord(48, 192, 192),)
    assert spec.postprocessing == OrientationPostprocessor()


def test_a_description_is_for_any_other_model(tmp_path: Path, command: Command) -> None:
    """The example of the documentation."""
    (tmp_path / "keys.txt").write_text("a\nb\nc\n")
    (tmp_path / "model.toml").write_text(
        'task = "recog"\narchitecture = "Stripes"\ndictionary = "keys.txt"\n'
        '[[preprocessing]]\ntype = "LoadImageFromFile"\n'
        '[[preprocessing]]\ntype = "ppocr.ResizeWord"\nheight = 48\n'
        '[postprocessing]\ntype = "CTCConvertor"\nreads = "probabilities"\nreads_padding = true\n'
    )
    model = write_recogniser(tmp_path / "r.onnx", metadata=False)
    outcome = command("adopt", model, "--spec", tmp_path / "model.toml", "-o", tmp_path / "o.onnx")
    assert outcome.code == 0, outcome.err
    spec = read_onnx_spec(tmp_path / "o.onnx")
    assert spec.architecture == "Stripes"
    assert isinstance(spec.postprocessing, CTCConvertor)
    assert spec.postprocessing.dictionary == ("blank", "a", "b", "c")


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (write_detector, [], "nothing says what"),
        (write_detector, ["--preset", "ppocr-rec"], "one output of 3 dimensions"),
        (lambda path: write_detector(path, sigmoid=False), ["--preset", "ppocr-det"], "probabilities from 0 to 1"),
        (lambda path: write_recogniser(path, metadata=False), ["--preset", "ppocr-rec"], "carries no dictionary"),
        (write_recogniser, ["--dictionary", "{folder}/none.txt"], "does not exist"),
        (write_recogniser, ["--dictionary", "{folder}/short.txt"], "has 1 characters, and the model has 4 classes"),
        (write_recogniser, ["--preset", "ppocr-rec", "--spec", "x.toml"], "give one of them"),
        (write_detector, ["--preset", "ppocr-det", "--dictionary", "x"], "is for a recogniser"),
        (write_recogniser, ["--spec", "{folder}/short.txt"], "is no TOML file"),
    ],
)
def test_what_does_not_fit_is_refused(
    make: Callable[[Path], Path], options: list[str], message: str, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "short.txt").write_text("a\n")
    model = make(tmp_path / "m.onnx")
    outcome = command("adopt", model, *(option.format(folder=tmp_path) for option in options))
    assert outcome.code == 2
    assert message in outcome.error
    assert not (tmp_path / "m.adopted.onnx").exists()


def test_weights_in_other_files_come_along(tmp_path: Path, command: Command) -> None:
    model = onnx.load_model(write_recogniser(tmp_path / "plain.onnx"))
    onnx.save_model(
        model, tmp_path / "r.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    assert command("adopt", tmp_path / "r.onnx", "-o", tmp_path / "elsewhere" / "o.onnx").code == 0
    assert command("inspect", tmp_path / "elsewhere" / "o.onnx", "--json", "-").document["external"] == []


def test_an_adopted_model_is_not_adopted_again_nor_written_over(tmp_path: Path, command: Command) -> None:
    model = write_recogniser(tmp_path / "r.onnx")
    assert "is not written over" in command("adopt", model, "-o", model).error
    assert command("adopt", model).code == 0
    assert "holds a spec already" in command("adopt", tmp_path / "r.adopted.onnx").error


def test_inspect_says_what_a_model_is(tmp_path: Path, command: Command) -> None:
    model = write_recogniser(tmp_path / "r.onnx")
    assert command("adopt", model, "-o", tmp_path / "o.onnx").code == 0
    outcome = command("inspect", tmp_path / "o.onnx", "--json", tmp_path / "facts.json")
    assert outcome.code == 0
    for words in ("reads a word", "x batch×3×48×width float32", "dictionary: 4 classes", "ppocr.ResizeWord"):
        assert words in outcome.out
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert (facts["command"], facts["kind"], facts["spec"]["task"]) == ("inspect", "onnx", "recog")
    assert facts["operators"]["Softmax"] == 1


def test_inspect_tells_which_line_adopts_a_strangers_model(tmp_path: Path, command: Command) -> None:
    for make, line in (
        (write_detector, "--preset ppocr-det"),
        (write_recogniser, f"ocrdeploy adopt {tmp_path}/m.onnx"),
        (write_classifier, "--preset ppocr-cls"),
    ):
        outcome = command("inspect", make(tmp_path / "m.onnx"))
        assert line in outcome.out
    assert "holds weights alone" in command("inspect", tmp_path / "weights.pth").error
