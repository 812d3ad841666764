"""The dictionary of a recogniser, from the options of MMOCR 0.6.3's `CTCConvertor`, `AttnConvertor`, `ABIConvertor`."""

import string
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.decoders import AttentionPostprocessor, CTCConvertor
from ocrdeploy.dialects.outline import WordClasses
from ocrdeploy.errors import ConfigError

BLANK = "<BLK>"
START_END = "<BOS/EOS>"
PADDING = "<PAD>"
UNKNOWN = "<UKN>"

_LOWER_CASE = string.digits + string.ascii_lowercase
_PUNCTUATION = "".join(character for character in string.punctuation if character not in "^{|}")
_BOTH_CASES = _LOWER_CASE + string.ascii_uppercase + _PUNCTUATION


def ctc_convertor(
    *,
    dict_type: str = "DICT90",
    dict_file: Path | None = None,
    dict_list: Sequence[str] | None = None,
    with_unknown: bool = True,
    lower: bool = False,
) -> CTCConvertor:
    """Return the settings of a convertor, with the string of every class in the order of the network's outputs.

    Class 0 is the blank, then come the characters, and last, if `with_unknown`, the unknown character.

    Args:
        dict_type: `DICT36` (digits and lower case), `DICT90` (both cases and 28 marks), or `DICT37` and `DICT91`,
            which add the space at the end. Ignored where one of the next two is given.
        dict_file: Text file in UTF-8, one character a line; empty lines do not count, a line with one space is a
            space. Goes before `dict_list`.
        dict_list: The characters; an entry may be a longer string.
        with_unknown: Whether the model has a class for unknown characters.
        lower: Whether labels are made lower case before training and evaluation.

    Raises:
        ConfigError: The file cannot be read or has a line with several characters, the type is unknown, there is no
            character, or one occurs twice.
    """
    characters = _characters(dict_type, dict_file, dict_list)
    dictionary = (BLANK, *characters, UNKNOWN) if with_unknown else (BLANK, *characters)
    return CTCConvertor(dictionary, len(dictionary) - 1 if with_unknown else None, lower)


def attention_convertor(
    *,
    dict_type: str = "DICT90",
    dict_file: Path | None = None,
    dict_list: Sequence[str] | None = None,
    with_unknown: bool = True,
    start_end_same: bool = True,
) -> tuple[AttentionPostprocessor, WordClasses]:
    """Return the decoder of a recogniser with attention, and the classes by which it begins and ends a word.

    Behind the characters come, if `with_unknown`, the unknown character, then start and end, which are one class unless
    `start_end_same` is false, and the padding.

    Args:
        dict_type: As for `ctc_convertor`.
        dict_file: Likewise.
        dict_list: Likewise.
        with_unknown: Whether the model has a class for unknown characters.
        start_end_same: Whether start and end are one class.

    Raises:
        ConfigError: As `ctc_convertor`.
    """
    characters = _characters(dict_type, dict_file, dict_list)
    unknown = [UNKNOWN] if with_unknown else []
    limits = [START_END] if start_end_same else [START_END, START_END]
    dictionary = (*characters, *unknown, *limits, PADDING)
    start, padding = len(characters) + len(unknown), len(dictionary) - 1
    end = padding - 1
    classes = WordClasses(len(dictionary), start, end, padding, scores_padding=False)
    return AttentionPostprocessor(dictionary, end, (padding,)), classes


def _characters(dict_type: str, dict_file: Path | None, dict_list: Sequence[str] | None) -> list[str]:
    """Return the characters that a convertor's options name."""
    if dict_file is not None:
        characters, origin = read_dict_file(dict_file), f"dict_file {dict_file}"
    elif dict_list is not None:
        characters, origin = _check_dict_list(dict_list), "dict_list"
    else:
        characters, origin = _known_dictionary(dict_type), f"dict_type {dict_type}"
    check_characters(characters, origin)
    return characters


def check_characters(characters: Sequence[str], origin: str) -> None:
    """Refuse a dictionary without characters, or one that repeats one.

    Raises:
        ConfigError: Names `origin`, where they come from.
    """
    if not characters:
        raise ConfigError(f"{origin} must hold at least one character, it holds none", "Add the characters to it.")
    duplicates = [character for character, count in Counter(characters).items() if count > 1]
    if duplicates:
        raise ConfigError(
            f"{origin} must hold each character once, it repeats {', '.join(map(repr, duplicates))}",
            "Take the dictionary that the model was trained with.",
        )


def _known_dictionary(dict_type: str) -> list[str]:
    """Return the characters of one of MMOCR's dictionaries."""
    match dict_type:
        case "DICT36":
            return list(_LOWER_CASE)
        case "DICT37":
            return list(_LOWER_CASE + " ")
        case "DICT90":
            return list(_BOTH_CASES)
        case "DICT91":
            return list(_BOTH_CASES + " ")
        case _:
            raise ConfigError(
                f"dict_type must be DICT36, DICT37, DICT90 or DICT91, not {dict_type!r}",
                "Give other dictionaries as dict_file or dict_list.",
            )


def _check_dict_list(dict_list: Sequence[str]) -> list[str]:
    """Return the entries of a list, which a string is not."""
    if isinstance(dict_list, str) or not all(isinstance(entry, str) for entry in dict_list):
        raise ConfigError(f"dict_list must be a list of strings, not {dict_list!r}", "Write one string a character.")
    return list(dict_list)


def read_dict_file(path: Path) -> list[str]:
    """Return the characters of a file, in its order."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"dict_file {path} is a device or a pipe", "Give a file.")
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in file]
    except OSError as error:
        raise ConfigError(
            f"dict_file {path} cannot be read: {error.strerror}",
            "A relative path counts from the folder that the command is run in.",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"dict_file {path} must be a text file in UTF-8: {error}", "Convert it to UTF-8.") from error
    for number, line in enumerate(lines, 1):
        if len(line) > 1:
            raise ConfigError(
                f"line {number} of dict_file {path} must hold one character, it holds {len(line)}: {line!r}",
                "Write one character a line, without spaces around it and without a byte order mark.",
            )
    return [line for line in lines if line]
