"""Loading a checkpoint's weights into a network."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ocrdeploy.errors import CheckpointError

LISTED_KEYS = 5
BATCH_COUNTER = "num_batches_tracked"
"""Batch normalisation's count of training batches. Inference does not read it, and old checkpoints lack it."""


def load_weights(network: nn.Module, state_dict: Mapping[str, Tensor], origin: str) -> None:
    """Copy a checkpoint's weights into a network, which must have exactly its keys and shapes.

    As in mmcv, batch counters of batch normalisation may be missing.

    Args:
        network: Gets the weights; left as it was when they do not fit.
        state_dict: The weights by key.
        origin: Where the weights come from, for error messages: a path or URL.

    Raises:
        CheckpointError: A key is missing, unexpected, or its tensor has another shape or another kind of numbers; or a
            weight is NaN or infinite, which the error's details list tensor by tensor.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in state_dict and not key.endswith(f".{BATCH_COUNTER}")]
    unexpected = [key for key in state_dict if key not in own]
    misshapen = [
        f"{key} is {_shape(value)} instead of {_shape(own[key])}"
        for key, value in state_dict.items()
        if key in own and _shape(value) != _shape(own[key])
    ]
    mistyped = [
        f"{key} is {_type(value)} instead of {_type(own[key])}"
        for key, value in state_dict.items()
        if key in own and own[key].is_floating_point() and isinstance(value, Tensor) and not value.is_floating_point()
    ]
    if missing or unexpected or misshapen or mistyped:
        problems = [
            f"{len(keys)} {what} ({_listed(keys)})"
            for what, keys in (
                ("missing", missing),
                ("unexpected", unexpected),
                ("of another shape", misshapen),
                ("of another type", mistyped),
            )
            if keys
        ]
        raise CheckpointError(
            f"the weights in {origin} do not have the keys and shapes of the network that the config describes: "
            + "; ".join(problems),
            "Give the config that the checkpoint was trained with, of the same generation of MMOCR.",
        )
    _check_finite({key: value.to(own[key].dtype) for key, value in state_dict.items()}, own, origin)
    network.load_state_dict({**own, **state_dict})


def _check_finite(weights: Mapping[str, Tensor], own: Mapping[str, Tensor], origin: str) -> None:
    """Refuse weights that mean nothing, which is told of the first tensor and in detail of all.

    Infinite values that a new network has too are those of a mask.
    """
    broken = {}
    for key, value in weights.items():
        count = value.numel() - int(value.isfinite().sum())
        if count:
            count -= int((own[key].isinf() & (value == own[key])).sum())
        if count:
            broken[key] = f"{key}: {count} of {value.numel()} values are NaN or infinite"
    if broken:
        first, more = next(iter(broken)), len(broken) - 1
        others = f", and {more} more tensor{'s' if more > 1 else ''}" if more else ""
        raise CheckpointError(
            f"the weights in {origin} hold NaN or infinity, so they mean nothing: {broken[first]}{others}",
            "Give a checkpoint from before the training went wrong.",
            tuple(broken.values()),
        )


def _type(value: Tensor) -> str:
    """Return the type of a tensor's numbers in words."""
    return str(value.dtype).removeprefix("torch.")


def _shape(value: object) -> str:
    """Return a tensor's shape in words."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return " x ".join(map(str, value.shape)) or "a number"


def _listed(keys: Sequence[str]) -> str:
    """Return the first keys, and how many more there are."""
    rest = len(keys) - LISTED_KEYS
    return ", ".join(keys[:LISTED_KEYS]) + (f" and {rest} more" if rest > 0 else "")
