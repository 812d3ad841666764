"""The config's `label_convertor` to the dictionary of a recogniser."""

from pathlib import Path

from ocrdeploy.decoders import CTCConvertor
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError

from .dictionaries import ctc_convertor


def read_label_convertor(section: Section) -> CTCConvertor:
    """Return the settings of MMOCR's CTCConvertor, with the dictionary written out.

    Raises:
        ConfigError: Another convertor, or a dictionary that cannot be read.
    """
    name = section.type_name()
    if name != "CTCConvertor":
        raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: only CTCConvertor is supported")
    section.skip("max_seq_len")
    dict_file: str | None = section.take("dict_file", str | None, None)
    convertor = ctc_convertor(
        dict_type=section.take("dict_type", str, "DICT90"),
        dict_file=None if dict_file is None else Path(dict_file),
        dict_list=section.take("dict_list", list[str] | None, None),
        with_unknown=section.take("with_unknown", bool, True),
        lower=section.take("lower", bool, False),
    )
    section.finish()
    return convertor
