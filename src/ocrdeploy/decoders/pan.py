"""PANet's raw maps to text instances: pixel aggregation.

W. Wang et al., "Efficient and Accurate Arbitrary-Shaped Text Detection with Pixel Aggregation Network", ICCV 2019;
behaviour of MMOCR 0.6.3's `PANPostprocessor` and of mmcv 1.7.2's compiled `pixel_group`.
"""

from collections.abc import Sequence
from typing import Annotated, Self

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ocrdeploy.results import Detection, Result
from ocrdeploy.spec_part import MAX_LENGTH, Area, Scaling, Share
from ocrdeploy.steps import Preprocessed
from ocrdeploy.steps.geometry import Size

from .decoder import DecoderPart, MadeUp, Map, Outputs, TextRepr, decode_each, made_up_maps, scaled_size
from .made_up import logit, repeated
from .regions import check_maps, detect_regions, grow, sigmoid


class PANPostprocessor(DecoderPart, frozen=True, tag=True):
    """Pixel Aggregation (Wang et al., 2019): text pixels join the kernel whose embedding is near.

    How near is `max_distance`, a number of MMOCR 1.x; None stands for `min_text_avg_confidence`, as in 0.x.
    """

    text_repr_type: TextRepr = "poly"
    min_text_confidence: Share = 0.5
    min_kernel_confidence: Share = 0.5
    min_text_avg_confidence: Share = 0.85
    min_text_area: Area = 16
    downsample_ratio: Scaling = 0.25
    max_distance: Annotated[float, Meta(gt=0, le=MAX_LENGTH)] | None = None

    def decode(self, outputs: Outputs, images: Sequence[Preprocessed]) -> list[Result]:
        """Find the text of each image in its maps."""
        return decode_each(outputs, images, self.downsample_ratio, lambda maps: decode_pan(maps, self))

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
        return self.min_text_confidence, self.min_kernel_confidence, self.min_text_avg_confidence


def decode_pan(logits: NDArray[np.float32], settings: PANPostprocessor) -> list[Detection]:
    """Find the text instances in PANet's maps of one image.

    The connected parts of the kernel are the instances; they grow over the text pixels whose embedding is nearer to
    the kernel's mean embedding than `min_text_avg_confidence`. That threshold serves two ends, as in MMOCR: an
    instance is kept when it has at least `min_text_area` pixels and the mean text probability of its pixels,
    its score, is above the same number. MMOCR applies the sigmoid to its input in place; here it stays as it is.

    Args:
        logits: Shape (C, H, W), C >= 3, float32: the text and the kernel before the sigmoid, then the embedding (four
            channels in the official models).
        settings: Thresholds.

    Returns:
        The instances in the order of their kernels; polygons in pixels of the map, pixel centres being integers. None
        without text.

    Raises:
        ShapeError: `logits` has another shape.
    """
    maps = check_maps(logits, 3, "text, kernel and embedding")
    text_score, kernel_score = sigmoid(maps[:2])
    text = text_score > np.float32(settings.min_text_confidence)
    kernel = text & (kernel_score > np.float32(settings.min_kernel_confidence))
    _, seeds = cv2.connectedComponents(kernel.astype(np.uint8), connectivity=4)
    distance = settings.min_text_avg_confidence if settings.max_distance is None else settings.max_distance
    labels = group_pixels(text, np.asarray(seeds, np.int32), maps[2:], distance)
    (scores,) = label_means(labels, text_score[np.newaxis])
    return detect_regions(
        labels,
        lambda label, _: float(scores[label]),
        settings.min_text_area,
        settings.min_text_avg_confidence,
        settings.text_repr_type,
    )


def group_pixels(
    text: NDArray[np.bool_], kernel_labels: NDArray[np.int32], embedding: NDArray[np.float32], max_distance: float
) -> NDArray[np.int32]:
    """Grow labelled kernels over the text that resembles them, as mmcv's `pixel_group`, pixel by pixel equal to it.

    A text pixel takes the label of the neighbour (one of four) that reaches it first and whose kernel has a mean
    embedding nearer than `max_distance`. The mean is that of the kernel alone and does not change while it grows. mmcv
    starts from the contours of the kernels; every kernel pixel with a neighbour outside is on one, so contours need
    not be traced. An embedding that is not a number is near to nothing, where mmcv takes it as near to everything.

    Args:
        text: Shape (H, W): the pixels that may be claimed.
        kernel_labels: Shape (H, W): the instances' kernels, from 1; 0 elsewhere.
        embedding: Shape (E, H, W).
        max_distance: Euclidean; at this distance a pixel is too far.

    Returns:
        Shape (H, W): the grown instances; 0 elsewhere.
    """
    limit = np.float32(max_distance) * np.float32(max_distance)
    # Beyond the range of float32 a distance is infinite: too far, and nothing to warn of.
    with np.errstate(over="ignore", invalid="ignore"):
        kernels = np.ascontiguousarray(label_means(kernel_labels, embedding).T)
        pixels = np.stack([channel.ravel() for channel in embedding], axis=1)

        def near(labels: NDArray[np.int32], indices: NDArray[np.intp]) -> NDArray[np.bool_]:
            return _squared_distance(kernels.take(labels, axis=0), pixels.take(indices, axis=0)) < limit

        return grow(kernel_labels, text, near)


def _squared_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared distance of each pair of rows, rounded where mmcv rounds it."""
    squares = np.square((first - second).astype(np.float64))
    total = squares[:, 0].astype(np.float32)
    for channel in squares.T[1:]:
        total = (total + channel).astype(np.float32)
    return total


def label_means(labels: NDArray[np.int32], maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of maps over each label, summed row by row, pixel after pixel in float32, as mmcv sums.

    Args:
        labels: Shape (H, W), from 0.
        maps: Shape (E, H, W).

    Returns:
        Shape (E, largest label + 1). Label 0, which is no instance, and labels that do not occur have the mean 0.
    """
    flat = labels.ravel()
    pixels = np.flatnonzero(flat)
    owners = flat.take(pixels)
    totals = np.zeros((len(maps), int(flat.max()) + 1), np.float32)
    for total, values in zip(totals, maps, strict=True):
        np.add.at(total, owners, values.ravel().take(pixels))
    counts = np.maximum(np.bincount(owners, minlength=totals.shape[1]), 1).astype(np.float32)
    return np.divide(totals, counts, dtype=np.float32)
