"""PSENet's raw maps to text instances.

W. Wang et al., "Shape Robust Text Detection with Progressive Scale Expansion Network", CVPR 2019; behaviour of MMOCR
0.6.3's `PSEPostprocessor` and of mmcv 1.7.2's compiled `contour_expand`.

The paper grows the smallest kernel into each larger one in turn. mmcv's operator has that loop, but every turn of it
reads the largest kernel, the text itself (the offsets of the kernels are computed and not stored), so that the first
turn grows all the way and the others find nothing left. That is how models were measured in MMOCR, and so it is here:
the kernels between the smallest and the text have no influence.
"""

from collections.abc import Sequence
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import Area, Scaling, Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size

from .decoder import DecoderPart, MadeUp, Map, Outputs, TextRepr, decode_each, made_up_maps, scaled_size
from .made_up import logit, repeated
from .regions import check_maps, detect_regions, grow, sigmoid


class PSEPostprocessor(DecoderPart, frozen=True, tag=True):
    """Progressive Scale Expansion (Wang et al., 2019): kernels grown from the smallest to the largest.

    MMOCR 1.x keeps an instance that has enough pixels or enough confidence (`large_or_certain`), 0.x wants both.
    """

    text_repr_type: TextRepr = "poly"
    min_kernel_confidence: Share = 0.5
    min_text_avg_confidence: Share = 0.85
    min_kernel_area: Area = 0
    min_text_area: Area = 16
    downsample_ratio: Scaling = 0.25
    large_or_certain: bool = False

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Find the text of each image in its kernels."""
        return decode_each(outputs, images, self.downsample_ratio, lambda maps: decode_pse(maps, self))

    def maps(self, outputs: Outputs, /) -> dict[str, Map]:
        """Return the probability of text."""
        return {"probability of text": sigmoid(next(iter(outputs.values()))[0, 0])}

    def map_sizes(self, size: Size, /) -> tuple[Size, ...]:
        """Return the size of the maps."""
        return (scaled_size(size, self.downsample_ratio),)

    def made_up(self, other: Self, channels: int | None, /) -> MadeUp:
        """Yield maps of logits."""
        if channels is not None:
            thresholds = (*self._thresholds, *other._thresholds)
            yield from made_up_maps(thresholds, self.downsample_ratio, lambda found: repeated(logit(found), channels))

    @property
    def _thresholds(self) -> tuple[float, ...]:
        return self.min_kernel_confidence, self.min_text_avg_confidence


def decode_pse(logits: NDArray[np.float32], settings: PSEPostprocessor) -> list[Detection]:
    """Find the text instances in PSENet's maps of one image.

    The connected parts of the smallest kernel are the instances, and they grow over the text. An instance is kept when
    it has at least `min_text_area` pixels and the mean text probability of its pixels is above
    `min_text_avg_confidence`; that mean is its score.

    Args:
        logits: Shape (C, H, W), C >= 1, float32: C kernels before the sigmoid, the whole text first and the smallest
            kernel last. It is not modified.
        settings: Thresholds.

    Returns:
        The instances in the order of their kernels; polygons in pixels of the map, pixel centres being integers. None
        without text.

    Raises:
        ShapeError: `logits` has another shape.
    """
    maps = check_maps(logits, 1, "the text and its kernels")
    probabilities = sigmoid(maps[[0, -1]])
    text, kernel = probabilities > np.float32(settings.min_kernel_confidence)
    _, seeds = cv2.connectedComponents((text & kernel).astype(np.uint8), connectivity=4)
    labels = expand_kernels(text, np.asarray(seeds, np.int32), settings.min_kernel_area)
    text_score = probabilities[0]
    return detect_regions(
        labels,
        lambda _, points: float(text_score[points[:, 1], points[:, 0]].mean()),
        settings.min_text_area,
        settings.min_text_avg_confidence,
        settings.text_repr_type,
        either=settings.large_or_certain,
    )


def expand_kernels(
    text: NDArray[np.bool_], kernel_labels: NDArray[np.int32], min_kernel_area: int
) -> NDArray[np.int32]:
    """Grow labelled kernels over the text, pixel by pixel as mmcv's `contour_expand` does.

    Args:
        text: Shape (H, W): the pixels that may be claimed.
        kernel_labels: Shape (H, W): the kernels, from 1; 0 elsewhere.
        min_kernel_area: Kernels with fewer pixels are left out, and others may grow over them.

    Returns:
        Shape (H, W): the grown kernels; 0 elsewhere.
    """
    large = np.bincount(kernel_labels.ravel()) >= min_kernel_area
    return grow(np.where(large[kernel_labels], kernel_labels, np.int32(0)), text)
