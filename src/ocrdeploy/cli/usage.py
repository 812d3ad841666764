"""Command lines that cannot be understood: what the parser found, in our words, with what was probably meant.

The parser's errors are click's, of which Typer carries a private copy since 0.26: they are known by their names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .intents import command_for, option_hint

NUMBERS = {2: "two", 3: "three", 4: "four"}
WORDINGS = (
    (r"valid integer|not a valid int", "a whole number"),
    (r"valid number|not a valid float", "a number"),
    (r"greater than or equal to (-?\d+)|range x>=(-?\d+)", "at least {}"),
    (r"less than or equal to (-?\d+)|range x<=(-?\d+)", "at most {}"),
)
"""How the parser words that a value is wrong, and what was expected."""


@dataclass(frozen=True)
class Misuse:
    """A command line that cannot be understood.

    Attributes:
        message: What is wrong with it.
        hint: What was probably meant; may be empty.
        usage: The usage line of the command; may be empty.
    """

    message: str
    hint: str
    usage: str


def explain_misuse(error: Any, arguments: Sequence[str]) -> Misuse:
    """Return what the parser's error means.

    Args:
        error: The error.
        arguments: The command line.
    """
    context = getattr(error, "ctx", None) or _context(arguments)
    command = "" if context is None or context.parent is None else str(context.info_name)
    usage = "" if context is None else str(context.get_usage())
    usage = " ".join(usage.split())
    message, hint = _words(error, context, command, arguments)
    if not hint and context is not None:
        hint = f"{context.command_path} --help tells what there is."
    return Misuse(message, hint, usage)


def _words(error: Any, context: Any, command: str, arguments: Sequence[str]) -> tuple[str, str]:
    """Return the message and the hint, which may be empty."""
    text = str(error.format_message())
    match type(error).__name__:
        case "NoSuchOption":
            return _no_such_option(error, context, command, arguments)
        case "MissingParameter" if error.param is not None:
            name = error.param.metavar or error.param.name.upper()
            return f"{command} needs {name}: {_first_sentence(error.param.help)}", ""
        case "BadParameter" if error.param is not None:
            return _bad_value(error, arguments), ""
    if (found := re.match(r"No such command '(.*?)'", text)) and context is not None:
        return _no_such_command(found[1], list(context.command.commands), arguments)
    return _number_of_values(text, command, context), ""


def _number_of_values(text: str, command: str, context: Any) -> str:
    """Return what to say of values that are missing or too many; else what the parser says."""
    if found := re.match(r"Got unexpected extra arguments? ?\(?s?\)? ?\((.*)\)", text):
        return f"{command} takes no further argument, got {found[1]}"
    if found := re.match(r"Option '(.*?)' requires (\d+) arguments", text):
        return f"{found[1]} takes {NUMBERS.get(int(found[2]), found[2])} numbers, N C H W, such as 1 3 640 640"
    if found := re.match(r"Option '(.*?)' requires an argument", text):
        return f"{found[1]} needs a value{_value_of(found[1], context)}"
    return text


def _context(arguments: Sequence[str]) -> Any:
    """Return the parser's context of the command that a command line names; None where there is none."""
    import typer
    import typer.main

    from .app import app

    group: Any = typer.main.get_command(app)
    command = group.commands.get(arguments[0]) if arguments else None
    parent = typer.Context(group, info_name="ocrdeploy")
    return None if command is None else typer.Context(command, info_name=arguments[0], parent=parent)


def _value_of(name: str, context: Any) -> str:
    """Return what an option takes, as the rest of a sentence; empty where it is not known."""
    from .help_page import value_name

    options = () if context is None else context.command.params
    return next((f": {name} {value_name(each)}" for each in options if name in each.opts), "")


def _no_such_option(error: Any, context: Any, command: str, arguments: Sequence[str]) -> tuple[str, str]:
    """Return what to say of an option that does not exist."""
    from difflib import get_close_matches

    option = str(error.option_name).partition("=")[0]
    hint = option_hint(command, option, arguments)
    if not hint and not command:
        hint = "Options stand behind the command: ocrdeploy COMMAND [OPTIONS]."
    if not hint and (similar := get_close_matches(option, error.possibilities or (), n=2, cutoff=0.7)):
        hint = f"Did you mean {' or '.join(similar)}?"
    if not hint and context is not None and context.parent is not None:
        others = context.parent.command.commands.items()
        having = [name for name, other in others if any(option in each.opts for each in other.params)]
        hint = f"{option} is an option of {', '.join(having)}." if having else ""
    return f"{command or 'ocrdeploy'} has no option {option}", hint


def _no_such_command(word: str, commands: Sequence[str], arguments: Sequence[str]) -> tuple[str, str]:
    """Return what to say of a command that does not exist."""
    meant = command_for(word, commands)
    suffixes = (".onnx", ".engine", ".pth", ".py")
    if meant is None and word.lower().endswith(suffixes):
        return f"a command was expected before {word}", f"For example: ocrdeploy predict {word} photo.jpg"
    rest = " ".join(arguments[arguments.index(word) + 1 :]) if word in arguments else ""
    hint = "" if meant is None else f"Did you mean: {' '.join(['ocrdeploy', meant, *([rest] if rest else [])])}"
    return f"there is no command {word!r}", hint


def _bad_value(error: Any, arguments: Sequence[str]) -> str:
    """Return what to say of a value that an option does not take."""
    option = error.param
    name = option.metavar if option.param_type_name == "argument" else option.opts[0]
    given = _given(option, arguments)
    got = f", got {given}" if given else ""
    text = str(error.message).removeprefix("Value error, ")
    if found := re.search(r"not one of (.*?)\.?$", text):
        return f"{name} is one of {found[1]}{got}".replace("'", "")
    for pattern, wording in WORDINGS:
        if found := re.search(pattern, text):
            numbers = [each for each in found.groups() if each is not None]
            return f"{name} is {wording.format(*numbers)}{got}"
    return f"{name}: {text.rstrip('.')}{got}"


def _given(option: Any, arguments: Sequence[str]) -> str:
    """Return what was given for an option, as it was typed; empty where that cannot be told."""
    found = ""
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in option.opts:
            found = value if equals else " ".join(arguments[place + 1 : place + 1 + max(1, option.nargs)])
    return found


def _first_sentence(text: object) -> str:
    """Return the first sentence of a description, as the rest of another one."""
    sentence = re.split(r"\. |\.$| \[default", str(text or ""))[0]
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence
