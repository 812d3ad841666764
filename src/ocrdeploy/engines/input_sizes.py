"""The sizes to which a pipeline brings the images of data sets, told without decoding them."""

from collections.abc import Iterable, Iterator, Sequence

from ocrdeploy.datasets import ImageFile, ImageSource, Sample, Samples, read_bytes
from ocrdeploy.errors import ImageError
from ocrdeploy.images.headers import read_size
from ocrdeploy.steps import Step, output_size, turns_upright

Size = tuple[int, int]
"""Height and width in pixels."""

HEADER_BYTES = 2**16
"""How much of a file is read first; most headers say the size in it."""


def count_input_sizes(steps: Sequence[Step], data: Iterable[Samples]) -> dict[Size, int]:
    """Return how many images of data sets a pipeline brings to each size.

    Args:
        steps: The pipeline.
        data: The data sets. Images that are not here, or whose header says nothing, are passed over.

    Returns:
        The number of images by height and width. A size with the number 0 is that of an image which may lie on its
        side: its header has a tag that can turn it.
    """
    may_turn = turns_upright(steps)
    counts: dict[Size, int] = {}
    for samples in data:
        for sample in samples:
            if isinstance(sample, Sample):
                for size, weight in _read_sizes(sample.image, may_turn=may_turn):
                    try:
                        output = output_size(size, steps)[1:]
                    except ImageError:
                        continue
                    counts[output] = counts.get(output, 0) + weight
    return counts


def _read_sizes(source: ImageSource, *, may_turn: bool) -> Iterator[tuple[Size, int]]:
    """Yield an image's size with weight 1, and with weight 0 the size that it may have once it is turned upright."""
    try:
        if isinstance(source, ImageFile):
            with source.path.open("rb") as file:
                data = file.read(HEADER_BYTES)
        else:
            data = read_bytes(source)
        size = read_size(data) or (read_size(read_bytes(source)) if len(data) == HEADER_BYTES else None)
    except (ImageError, OSError, ValueError):
        return
    if size is None or min(size) < 1:
        return
    yield size, 1
    if may_turn and b"Exif" in data:
        yield (size[1], size[0]), 0
