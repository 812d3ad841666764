import msgspec
import pytest

from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.results import Recognition
from ocrdeploy.verification.decoder_inputs import made_up_outputs
from tests.support.specs import RECOGNIZER


@pytest.mark.parametrize("blank", [0, 3])
def test_every_character_is_read_wherever_the_blank_is(blank: int) -> None:
    strings = ["a", "b", "c"]
    strings.insert(blank, "<BLK>")
    decoder = CTCConvertor(tuple(strings), blank_index=blank)
    spec = msgspec.structs.replace(
        RECOGNIZER, postprocessing=decoder, outputs=tuple(each for each in decoder.expects())
    )
    texts = []
    for outputs, image in made_up_outputs(spec, spec):
        (result,) = decoder.decode(outputs, [image])
        assert isinstance(result, Recognition)
        texts.append(result.text)
    assert texts == ["abc", "aac", "aa"]
