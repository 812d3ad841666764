"""Options that take one value are given once: of several the parser would take the last without a word."""

from typing import Any

import typer.core

from ocrdeploy.errors import UsageError


class OnceCommand(typer.core.TyperCommand):
    """A command that refuses an option which is given twice, but for flags and those that take several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            UsageError: Names the option.
        """
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for option in given:
            if given.count(option) > 1 and not (option.multiple or getattr(option, "is_flag", False)):
                raise UsageError(f"{option.opts[0]} is given {given.count(option)} times", "Give it once.")
        return super().parse_args(ctx, args)
