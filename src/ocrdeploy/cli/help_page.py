"""How the help is laid out: whole summaries, two examples, options under headings, no names of Python types.

Plain text of at most 100 columns, so that printing it loads nothing that Typer has not loaded. The classes here take
the place of Typer's own; what they are handed is Typer's and private to it, hence `Any`.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import typer.core

from .given_once import OnceCommand
from .option_groups import GROUPS, OTHERS, group_of, place_of

MOST_COLUMNS = 100
LEAST_COLUMNS = 40
NAME_WIDTH = 26
"""Columns of the names of options; a longer one has its description below it."""
INDENT = "  "
BOLD = "\033[1m{}\033[0m"


class HelpCommand(OnceCommand):
    """A command whose epilog holds its examples, a line each."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write("\n".join(_page(self, ctx, _command_sections(self, ctx))) + "\n")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  (Typer hands it over)
        """Return what stands behind the command's name in the usage line."""
        return ["[OPTIONS]", *(_argument_name(each) for each in _arguments(self))]


class HelpGroup(typer.core.TyperGroup):
    """`ocrdeploy` itself, whose help lists the commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        commands = [
            (name, str(command.get_short_help_str(limit=1000)).rstrip(".")) for name, command in self.commands.items()
        ]
        width = max(len(name) for name, _ in commands) + 2
        lines = [*_page(self, ctx, []), "", _bold("Commands:")]
        lines += [line for row in commands for line in _row(*row, name_width=width)]
        lines += [*_sections(_command_sections(self, ctx)), "", *_wrapped(str(self.epilog or ""))]
        formatter.write("\n".join(lines) + "\n")


Section = tuple[str, list[tuple[str, str]]]
"""A heading, and names with their descriptions."""


def _page(command: Any, ctx: Any, sections: Sequence[Section]) -> Iterator[str]:
    """Yield the lines of a help page."""
    yield from textwrap.wrap(
        f"{_bold('Usage:')} {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}",
        columns(),
        subsequent_indent=INDENT * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for paragraph in str(command.help or "").split("\n\n"):
        yield ""
        yield from _wrapped(paragraph)
    if isinstance(command, HelpCommand) and command.epilog:
        yield from ("", _bold("Examples:"), *(INDENT + line for line in command.epilog.splitlines()))
    yield from _sections(sections)


def _sections(sections: Sequence[Section]) -> Iterator[str]:
    """Yield the lines of sections, but for those that are empty."""
    for heading, rows in sections:
        if rows:
            yield from ("", _bold(f"{heading}:"))
            for name, text in rows:
                yield from _row(name, text)


def _command_sections(command: Any, ctx: Any) -> list[Section]:
    """Return the arguments, and the options under their headings."""
    options: dict[str, list[Any]] = {heading: [] for heading, _ in GROUPS} | {OTHERS: []}
    for each in command.get_params(ctx):
        if each.param_type_name == "option" and not each.hidden:
            options[group_of(first_long_name(each))].append(each)
    arguments = [(_argument_name(each), each.help or "") for each in _arguments(command)]
    return [
        ("Arguments", arguments),
        *(
            (heading, [(_option_name(each), _description(each)) for each in sorted(found, key=_place)])
            for heading, found in options.items()
        ),
    ]


def first_long_name(option: Any) -> str:
    """Return the first name of an option that has two hyphens."""
    return next((str(name) for name in option.opts if name.startswith("--")), str(option.opts[0]))


def _place(option: Any) -> int:
    """Return where an option stands within its group."""
    return place_of(first_long_name(option))


def _arguments(command: Any) -> list[Any]:
    """Return the arguments of a command."""
    return [each for each in command.params if each.param_type_name == "argument"]


def _argument_name(argument: Any) -> str:
    """Return an argument as the usage line has it: `MODEL`, `MODEL...`, or in brackets where it may be left out."""
    name = str(argument.metavar or argument.name.upper()) + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _option_name(option: Any) -> str:
    """Return an option's names, short ones first, with what they take."""
    names = sorted((*option.opts, *option.secondary_opts), key=lambda name: name.startswith("--"))
    return " ".join([", ".join(names), *([] if option.is_flag else [value_name(option)])])


def value_name(option: Any) -> str:
    """Return what an option takes: the words to choose from, or the name of its value."""
    choices = option.type_descriptor.choices if hasattr(option, "type_descriptor") else None
    choices = choices or getattr(getattr(option, "type", None), "choices", None)
    return str(option.metavar or "|".join(map(str, choices or ())) or option.name.upper())


def _description(option: Any) -> str:
    """Return an option's description, with its default where the text does not tell it."""
    text = str(option.help or "")
    default = option.default
    tells = default is None or isinstance(default, bool) or callable(default) or "[default:" in text
    return text if tells or option.show_default is False else f"{text} [default: {default}]"


def _row(name: str, text: str, name_width: int = NAME_WIDTH) -> Iterator[str]:
    """Yield a name and its description beside it, or below it where the name is long or the screen narrow."""
    width = columns()
    indent = INDENT * 3 if width < MOST_COLUMNS // 2 else " " * (len(INDENT) + name_width)
    lines = textwrap.wrap(text, width - len(indent), break_long_words=False, break_on_hyphens=False)
    if len(INDENT + name) + 2 > len(indent) or not lines:
        yield INDENT + name
    else:
        yield (INDENT + name).ljust(len(indent)) + lines.pop(0)
    yield from (indent + line for line in lines)


def _wrapped(text: str) -> list[str]:
    """Return a paragraph in lines."""
    return textwrap.wrap(" ".join(text.split()), columns(), break_long_words=False, break_on_hyphens=False)


def columns() -> int:
    """Return how wide the page is: as the terminal, up to 100 columns, or 80 where there is none."""
    return max(LEAST_COLUMNS, min(shutil.get_terminal_size((80, 24)).columns, MOST_COLUMNS))


def _bold(text: str) -> str:
    """Return a heading in bold, on a terminal that takes it."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if is_plain or sys.stdout is None or not sys.stdout.isatty() else BOLD.format(text)
