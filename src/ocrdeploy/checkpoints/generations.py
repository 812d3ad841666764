"""Which generation of MMOCR wrote a checkpoint: 0.x and 1.x share architectures, and not what their numbers mean."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from ocrdeploy.errors import CheckpointError, warn
from ocrdeploy.model_spec import Task

Generation = Literal["0.x", "1.x"]


def generation_of(meta: Mapping[str, object], keys: Iterable[str]) -> Generation | None:
    """Return which generation of MMOCR wrote a checkpoint; None where it does not say.

    Args:
        meta: What the checkpoint's `meta` holds; may be empty.
        keys: The keys of its state dict.
    """
    prefixes = {key.partition(".")[0] for key in keys}
    version = str(meta.get("mmocr_version", ""))
    if "mmengine_version" in meta or "det_head" in prefixes or version.startswith("1."):
        return "1.x"
    if "mmcv_version" in meta or "bbox_head" in prefixes or version.startswith("0."):
        return "0.x"
    return None


def check_generation(found: Generation | None, wanted: Generation, checkpoint: Path, task: Task) -> None:
    """Refuse a checkpoint of another generation than its config, also where keys and shapes are the same.

    Recognisers' are: MMOCR 1.x puts CTC's blank last and 0.x first, so every letter would be read as its neighbour. Of
    one that does not say its generation there is a warning.

    Args:
        found: What wrote the checkpoint.
        wanted: What the config is of.
        checkpoint: The checkpoint, for the message.
        task: What the model does.

    Raises:
        CheckpointError: The generations differ.
    """
    if found is None and task == "recog":
        warn(
            f"checkpoint {checkpoint} does not say which generation of MMOCR wrote it: {wanted} is assumed, as of the "
            "config. Check some texts: with the other generation's every letter is read as its neighbour"
        )
    if found not in (None, wanted):
        raise CheckpointError(
            f"checkpoint {checkpoint} was written by MMOCR {found}, and the config is one of MMOCR {wanted}",
            f"Give a checkpoint of MMOCR {wanted}, or the config that this one was trained with.",
        )
