"""The dictionary of a recogniser and how its outputs are read, from the options of MMOCR 1.0.1."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrdeploy.decoders import AttentionPostprocessor, CTCConvertor, TextDecoder
from ocrdeploy.dialects.mmocr0.dictionaries import PADDING, START_END, UNKNOWN, check_characters, read_dict_file
from ocrdeploy.dialects.outline import WordClasses
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError

START, END = "<BOS>", "<EOS>"
IGNORED = ("padding",)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The string of every class in the order of the network's outputs, and the classes that are no characters.

    Attributes:
        strings: The characters, then those of the other four that there are, in the order of the next attributes.
        start: The class that a word begins with; None where there is none.
        end: The class that ends it, which may be the same.
        padding: The class behind the end, which for CTC is the blank.
        unknown: The class of characters that are not in the dictionary.
    """

    strings: tuple[str, ...]
    start: int | None
    end: int | None
    padding: int | None
    unknown: int | None


def read_dictionary(section: Section) -> Dictionary:
    """Read a `Dictionary`.

    Raises:
        ConfigError: An option is not known, or the file cannot be read, or holds a character twice.
    """
    section.expect_type("Dictionary")
    path = Path(section.take("dict_file", str))
    names = ("with_start", "with_end", "same_start_end", "with_padding", "with_unknown")
    with_start, with_end, same, with_padding, with_unknown = (section.take(name, bool, False) for name in names)
    strings = [*read_dict_file(path)]
    check_characters(strings, f"dict_file {path}")
    defaults = {"start": START, "end": END, "start_end": START_END, "padding": PADDING}
    tokens = {name: section.take(f"{name}_token", str, token) for name, token in defaults.items()}
    unknown_token = section.take("unknown_token", str | None, UNKNOWN)
    section.finish()
    found: dict[str, int] = {}

    def add(name: str, token: str) -> None:
        found[name] = len(strings)
        strings.append(token)

    if with_start and with_end and same:
        add("start", tokens["start_end"])
        found["end"] = found["start"]
    else:
        for name in [name for name, is_there in (("start", with_start), ("end", with_end)) if is_there]:
            add(name, tokens[name])
    if with_padding:
        add("padding", tokens["padding"])
    # Without a token there is no class either.
    if with_unknown and unknown_token is not None:
        add("unknown", unknown_token)
    check_characters(strings, f"dict_file {path}, with the tokens that the config adds,")
    return Dictionary(tuple(strings), *(found.get(name) for name in ("start", "end", "padding", "unknown")))


def read_text_decoder(decoder: Section) -> tuple[TextDecoder, dict[str, Any]]:
    """Return how the outputs of a recogniser are read, and what its network knows of the dictionary.

    Args:
        decoder: The config's decoder, of which dictionary and post-processor are taken.

    Raises:
        ConfigError: The post-processor is not known, or an option of it or of the dictionary.
    """
    section, dictionary = decoder.section("postprocessor"), decoder.section("dictionary")
    name = section.type_name()
    section.skip("max_seq_len")
    match name:
        case "CTCPostProcessor":
            section.expect("ignore_chars", IGNORED)
            section.finish()
            decoder.skip("max_seq_len")
            ctc = _ctc(dictionary)
            return ctc, {"num_classes": len(ctc.dictionary)}
        case "AttentionPostprocessor":
            names = section.take("ignore_chars", tuple[str, ...], IGNORED)
            section.finish()
            words = read_dictionary(dictionary)
            ignored = _ignored(names, words)
            # An end that is ignored ends no word.
            end = None if words.end in ignored else words.end
            classes = WordClasses(len(words.strings), words.start, end, words.padding, scores_padding=True)
            return AttentionPostprocessor(words.strings, words.end, ignored), classes.values
    raise ConfigError(
        f"{section.place}.type = {name!r} cannot be honoured: supported are CTCPostProcessor, AttentionPostprocessor"
    )


def _ctc(section: Section) -> CTCConvertor:
    """Read the dictionary of a recogniser with CTC: the padding is the blank, and no word has a start or an end."""
    for key in ("with_start", "with_end", "same_start_end"):
        section.expect(key, False)
    section.expect("with_padding", True, False)
    words = read_dictionary(section.with_values({"with_padding": True}))
    return CTCConvertor(words.strings, words.unknown, blank_index=words.padding or 0)


def _ignored(names: Sequence[str], words: Dictionary) -> tuple[int, ...]:
    """Return the classes that are left out of texts; what the dictionary does not have is passed over, as in MMOCR."""
    tokens = {"padding": words.padding, "end": words.end, "unknown": words.unknown}
    classes = {string: index for index, string in enumerate(words.strings)}
    found = []
    for name in names:
        index = tokens[name] if name in tokens else classes.get(name)
        if index is not None and (index != words.unknown or name == "unknown"):
            found.append(index)
    return tuple(dict.fromkeys(found))
