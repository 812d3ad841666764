"""Which images go together in a batch."""

from collections.abc import Iterator, Sequence

Shape = tuple[int, ...]


def batches_of_one_size(shapes: Sequence[Shape], batch_size: int) -> Iterator[list[int]]:
    """Yield the indices of at most `batch_size` equal shapes, in order of first appearance."""
    groups: dict[Shape, list[int]] = {}
    for index, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(index)
    for members in groups.values():
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


def batches_of_like_width(shapes: Sequence[Shape], batch_size: int) -> Iterator[list[int]]:
    """Yield the indices of at most `batch_size` shapes, narrowest first, so that little of a batch is padding."""
    order = sorted(range(len(shapes)), key=lambda index: shapes[index][-1])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
