"""Raw outputs of a network to results: the one place that picks the decoder."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ocrdeploy.errors import ShapeError
from ocrdeploy.model_spec import (
    CTCConvertor,
    DBPostprocessor,
    Decoder,
    ModelSpec,
    PANPostprocessor,
    PSEPostprocessor,
)
from ocrdeploy.results import Detection, Recognition

from .ctc import BestClasses, decode_ctc
from .db import decode_db
from .pan import decode_pan
from .pse import decode_pse

DecoderInput = NDArray[np.float32] | BestClasses
"""What is decoded: the head's output, N×C×H×W or N×T×C, or N×T classes with their scores."""


def decoder_input(outputs: Mapping[str, NDArray[np.float32]], spec: ModelSpec) -> DecoderInput:
    """Return what is decoded of all that a network gives for a batch.

    Args:
        outputs: The outputs by name.
        spec: What they mean.
    """
    first, *others = (output.name for output in spec.outputs)
    if isinstance(spec.postprocessing, CTCConvertor) and spec.postprocessing.reads == "best_classes":
        return BestClasses(outputs[first].astype(np.int32, copy=False), outputs[others[0]])
    return outputs[first]


def decode_batch(
    output: DecoderInput, decoder: Decoder, valid_ratios: Sequence[float]
) -> list[list[Detection]] | list[Recognition]:
    """Decode a batch.

    Args:
        output: What the network's head returns, with finite values: N×C×H×W maps, or N×T×C logits or classes.
        decoder: Which algorithm, and its thresholds.
        valid_ratios: For recognition, the part of each image's width that is not padding.

    Returns:
        A result an image; polygons are in pixels of the map divided by `downsample_ratio`, which are those of the
        network's input.
    """
    if isinstance(decoder, CTCConvertor):
        return decode_ctc(output, decoder, valid_ratios)
    if isinstance(output, BestClasses):
        raise ShapeError(f"{type(decoder).__name__} decodes maps, and these are classes of CTC")
    return [decode_maps(maps, decoder) for maps in output]


def decode_maps(
    maps: NDArray[np.float32], decoder: DBPostprocessor | PSEPostprocessor | PANPostprocessor
) -> list[Detection]:
    """Decode the C×H×W maps of one image; see `decode_batch`."""
    match decoder:
        case DBPostprocessor():
            detections = decode_db(maps[0], decoder)
        case PSEPostprocessor():
            detections = decode_pse(maps, decoder)
        case PANPostprocessor():
            detections = decode_pan(maps, decoder)
    if decoder.downsample_ratio == 1:
        return detections
    return [Detection(item.polygon / decoder.downsample_ratio, item.score) for item in detections]
