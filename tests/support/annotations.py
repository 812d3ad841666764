"""Reading samples in tests."""

from collections.abc import Iterable
from typing import Any

from ocrdeploy.datasets import BrokenSample, DetectionTruth, Item, require_whole


def as_lists(samples: Iterable[Item]) -> list[list[Any]]:
    """Return name and truth of each sample, none of which may be broken, in the form of the recordings."""
    return [[sample.name, _as_lists(sample.truth)] for sample in require_whole(samples)]


def error_lines(samples: Iterable[Item]) -> list[str]:
    """Return what each broken sample tells the user, and an empty string for each whole one."""
    lines = [str(item.error) if isinstance(item, BrokenSample) else "" for item in samples]
    assert not any("\n" in line for line in lines)
    return lines


def _as_lists(truth: DetectionTruth | str | None) -> Any:
    if not isinstance(truth, DetectionTruth):
        return truth
    return {
        "gt": [polygon.ravel().tolist() for polygon in truth.polygons],
        "ignored": [polygon.ravel().tolist() for polygon in truth.ignored],
    }
