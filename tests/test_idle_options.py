import pytest

from ocrdeploy.errors import UsageError
from ocrdeploy.idle_options import refuse_idle


def test_what_was_given_and_cannot_matter_is_named() -> None:
    rules = ("--a", None, False, "x"), ("--b", False, False, "x"), ("--d", 5, True, "x")
    refuse_idle(*rules)
    with pytest.raises(UsageError, match=r"^--e cannot matter for y\. Leave it out\.$"):
        refuse_idle(*rules, ("--e", 0, False, "for y"))
