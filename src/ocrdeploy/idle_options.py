"""Options that were given and cannot matter: each is refused by its name, wherever it is looked at."""

from ocrdeploy.errors import UsageError

Rule = tuple[str, object, bool, str]
"""An option; what was given for it; whether it can matter; and what it cannot matter for."""


def refuse_idle(*rules: Rule) -> None:
    """Refuse the first option that was given and cannot matter.

    Args:
        rules: What was given is `None` or `False` where the option was left out.

    Raises:
        UsageError: Names the option.
    """
    for option, given, can_matter, reason in rules:
        if given is not None and given is not False and not can_matter:
            raise UsageError(f"{option} cannot matter {reason}", "Leave it out.")
