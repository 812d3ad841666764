"""Words for a terminal, whatever the file that they were found in has put among them."""

MAX_LENGTH = 2000
"""Characters of a message: enough for paths and lists of names, and not a whole broken file."""


def one_line(text: str) -> str:
    """Return a message on one line, at most `MAX_LENGTH` characters long, cut in its middle where it was longer.

    White space becomes single blanks. What is not printable is escaped, so that a file's contents, quoted in a message,
    cannot control the terminal.
    """
    if len(text) > MAX_LENGTH:
        half = MAX_LENGTH // 2 - 3
        text = f"{text[:half]} ... {text[-half:]}"
    return "".join(
        character if character.isprintable() else _escaped(character) for character in " ".join(text.split())
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
