"""The decoders and their thresholds, as data; what they do is in `ocrdeploy.postprocessing`.

Class and field names, and the defaults, are those of MMOCR's post-processors.
"""

from typing import Annotated, Literal

from msgspec import Meta

from ocrdeploy.spec_part import MAX_LENGTH, Area, Scaling, Share, SpecPart

MAX_CANDIDATES = 10**6
"""Most text instances that a decoder may be asked to look at in one image."""
MAX_UNCLIP_RATIO = 100.0

TextRepr = Literal["quad", "poly"]
CTCInput = Literal["logits", "best_classes"]
"""What a CTC decoder is given: a score of every class at each step, or the best class alone and its probability."""


class DBPostprocessor(SpecPart, frozen=True, tag=True):
    """Differentiable Binarization (Liao et al., 2020): contours of the probability map, grown by `unclip_ratio`."""

    text_repr_type: TextRepr = "poly"
    mask_thr: Share = 0.3
    min_text_score: Share = 0.3
    min_text_width: Annotated[float, Meta(ge=0, le=MAX_LENGTH)] = 5
    unclip_ratio: Annotated[float, Meta(ge=0, le=MAX_UNCLIP_RATIO)] = 1.5
    epsilon_ratio: Share = 0.01
    max_candidates: Annotated[int, Meta(ge=1, le=MAX_CANDIDATES)] = 3000
    downsample_ratio: Scaling = 1.0


class PSEPostprocessor(SpecPart, frozen=True, tag=True):
    """Progressive Scale Expansion (Wang et al., 2019): kernels grown from the smallest to the largest."""

    text_repr_type: TextRepr = "poly"
    min_kernel_confidence: Share = 0.5
    min_text_avg_confidence: Share = 0.85
    min_kernel_area: Area = 0
    min_text_area: Area = 16
    downsample_ratio: Scaling = 0.25


class PANPostprocessor(SpecPart, frozen=True, tag=True):
    """Pixel Aggregation (Wang et al., 2019): text pixels join the kernel whose embedding is near."""

    text_repr_type: TextRepr = "poly"
    min_text_confidence: Share = 0.5
    min_kernel_confidence: Share = 0.5
    min_text_avg_confidence: Share = 0.85
    min_text_area: Area = 16
    downsample_ratio: Scaling = 0.25


class CTCConvertor(SpecPart, frozen=True, tag=True):
    """Connectionist Temporal Classification, decoded greedily.

    `dictionary` holds the string of every class in the order of the network's outputs; class 0 is the blank, and
    an unknown character, where the model has one, is the class `unknown_index`. `reads` says whether the network gives
    logits, or has softmax and argmax in its graph and gives the best class of each step and its probability.
    """

    dictionary: tuple[str, ...]
    unknown_index: int | None = None
    lower: bool = False
    reads: CTCInput = "logits"

    def __post_init__(self) -> None:
        """Refuse a dictionary that is too small, or an unknown character outside it."""
        if len(self.dictionary) < 2:
            raise ValueError("a dictionary holds the blank and at least one character")
        if self.unknown_index is not None and not 0 < self.unknown_index < len(self.dictionary):
            raise ValueError(f"unknown_index {self.unknown_index} is outside the dictionary")


Decoder = DBPostprocessor | PSEPostprocessor | PANPostprocessor | CTCConvertor
