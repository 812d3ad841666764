"""Libraries of operators and plugins: whether they are those that a model was made with."""

from collections.abc import Sequence
from pathlib import Path

from ocrdeploy.artifacts import sha256_of
from ocrdeploy.errors import ModelError
from ocrdeploy.model_spec import FileRecord

from .opening import Opening


def check_libraries(
    option: str, given: Sequence[Path], recorded: Sequence[FileRecord], model: Path, opening: Opening
) -> None:
    """Refuse other libraries than those that a model records: what they compute decides what the model gives.

    Raises:
        ModelError: One that is recorded is not among those that were given.
    """
    if not recorded or opening.other_libraries:
        return
    if not given:
        names = ", ".join(Path(record.path).name for record in recorded)
        what = "plugins" if option == "--plugin" else "operators"
        raise ModelError(f"{model} needs the {what} of {names}", f"Give the library with {option} LIB.so.")
    hashes = {sha256_of(path): path for path in given}
    for record in recorded:
        if record.sha256 not in hashes:
            found = ", ".join(f"{path} {sha256}" for sha256, path in hashes.items())
            raise ModelError(
                f"{model} was made with {record.path}, SHA-256 {record.sha256}, and {option} names {found}",
                "To take it all the same, add --other-libraries.",
            )
