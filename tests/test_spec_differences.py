from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.decoders import DBPostprocessor, PSEPostprocessor
from ocrdeploy.model_spec import ModelSpec
from ocrdeploy.spec_differences import decoder_differences, pipeline_differences
from ocrdeploy.steps import Normalize, Pad
from tests.support.faults import changed_decoder, changed_step


@pytest.fixture(scope="module")
def spec(sample_onnx: Path) -> ModelSpec:
    return read_onnx_spec(sample_onnx)


def test_equal_specs_have_no_differences(spec: ModelSpec) -> None:
    assert pipeline_differences(spec, spec) == []
    assert decoder_differences(spec, spec) == []


def test_every_field_that_differs_is_named_with_both_values(spec: ModelSpec) -> None:
    other = changed_step(Normalize, to_rgb=False)(changed_step(Pad, size_divisor=64)(spec))
    assert pipeline_differences(spec, other) == [
        "Normalize.to_rgb is True in the reference, False in the candidate",
        "Pad.size_divisor is 32 in the reference, 64 in the candidate",
    ]
    assert decoder_differences(spec, changed_decoder(unclip_ratio=1.6)(spec)) == [
        "DBPostprocessor.unclip_ratio is 1.5 in the reference, 1.6 in the candidate"
    ]


def test_where_ctc_is_decoded_is_no_setting(seeded_recognizer: Callable[..., Path]) -> None:
    plain, decoded = (read_onnx_spec(seeded_recognizer(decode_in_graph=value)) for value in (False, True))
    assert plain.postprocessing != decoded.postprocessing
    assert decoder_differences(plain, decoded) == []


def test_other_steps_are_named_as_a_whole(spec: ModelSpec) -> None:
    shorter = msgspec.structs.replace(spec, preprocessing=spec.preprocessing[:-1])
    (text,) = pipeline_differences(spec, shorter)
    assert text == (
        "steps of pre-processing is LoadImageFromFile, Resize, Normalize, Pad in the reference, "
        "LoadImageFromFile, Resize, Normalize in the candidate"
    )


def test_another_decoder_is_named_as_a_whole(spec: ModelSpec) -> None:
    assert isinstance(spec.postprocessing, DBPostprocessor)
    other = msgspec.structs.replace(spec, postprocessing=PSEPostprocessor())
    assert decoder_differences(spec, other) == [
        "post-processing is DBPostprocessor in the reference, PSEPostprocessor in the candidate"
    ]
