"""What makes one recogniser differ from another, as data, where several families share it; PyTorch is not imported.

Field names and defaults are those of MMOCR's modules of the same name.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassSettings:
    """The classes of a recogniser that decodes step by step.

    Attributes:
        num_classes: Classes that a step may be given: characters, start, end, padding, unknown.
        start_idx: What the first step is given.
        end_idx: What ends a word; None where nothing does.
        padding_idx: What stands behind a word; None where nothing does.
        max_seq_len: Number of steps.
        scores_padding: Whether a step scores all classes, or all but the last one, the padding.
    """

    num_classes: int
    start_idx: int
    end_idx: int | None
    padding_idx: int | None
    max_seq_len: int
    scores_padding: bool

    def __post_init__(self) -> None:
        """Refuse classes that do not exist."""
        if self.max_seq_len < 1:
            raise ValueError(f"max_seq_len is at least 1, got {self.max_seq_len}")
        if not self.scores_padding and self.padding_idx != self.num_classes - 1:
            raise ValueError(f"the padding is the last of {self.num_classes} classes, got {self.padding_idx}")
        given = [each for each in (self.start_idx, self.end_idx, self.padding_idx) if each is not None]
        if not all(0 <= index < self.num_classes for index in given):
            raise ValueError(f"start, end and padding are among {self.num_classes} classes, got {given}")

    @property
    def scored_classes(self) -> int:
        """Number of classes that a step scores."""
        return self.num_classes if self.scores_padding else self.num_classes - 1


@dataclass(frozen=True, slots=True)
class TransformerDecoderSettings:
    """A decoder of transformer layers (MMOCR's NRTRDecoder)."""

    n_layers: int = 6
    d_embedding: int = 512
    n_head: int = 8
    d_k: int = 64
    d_v: int = 64
    d_model: int = 512
    d_inner: int = 256
    n_position: int = 200

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together; in MMOCR the network or its first image would fail."""
        check_heads(self.n_head, self.d_k, self.d_v, self.d_model)
        if self.d_embedding != self.d_model:
            raise ValueError(f"d_embedding {self.d_embedding} is not d_model {self.d_model}")
        if min(self.n_layers, self.d_inner, self.n_position) < 1:
            raise ValueError("a decoder has at least one layer, one hidden channel and one position")


def check_heads(heads: int, key_channels: int, value_channels: int, channels: int) -> None:
    """Refuse heads whose keys and values together have not as many channels as what is attended to."""
    if heads < 1 or not heads * key_channels == heads * value_channels == channels:
        raise ValueError(
            f"n_head times d_k and n_head times d_v must be d_model: {heads} heads, d_k {key_channels}, "
            f"d_v {value_channels}, d_model {channels}"
        )


def check_transformer(given: int, encoded: int, decoder: TransformerDecoderSettings, classes: ClassSettings) -> None:
    """Refuse a backbone, an encoder and a decoder that do not fit together, and more steps than there are positions.

    Args:
        given: Channels that the backbone gives.
        encoded: Channels of the encoder.
        decoder: The decoder.
        classes: What is decoded.
    """
    if not given == encoded == decoder.d_model:
        raise ValueError(
            f"the backbone gives {given} channels, and d_model is {encoded} in the encoder and {decoder.d_model} in "
            "the decoder"
        )
    if decoder.n_position < classes.max_seq_len:
        raise ValueError(f"n_position {decoder.n_position} of the decoder is below max_seq_len {classes.max_seq_len}")


@dataclass(frozen=True, slots=True)
class ResNet31Settings:
    """A residual network of 31 layers for words (MMOCR's ResNet31OCR)."""

    base_channels: int = 3
    layers: tuple[int, int, int, int] = (1, 2, 5, 3)
    channels: tuple[int, ...] = (64, 128, 256, 256, 512, 512, 512)
    stage4_pool: tuple[int, int] = (2, 1)
    last_stage_pool: bool = False

    def __post_init__(self) -> None:
        """Refuse networks without layers or channels."""
        if len(self.channels) < 6 or min(*self.channels, *self.layers, self.base_channels, *self.stage4_pool) < 1:
            raise ValueError("ResNet31OCR has six numbers of channels, and at least one block in each stage")

    @property
    def out_channels(self) -> int:
        """Channels of the feature map."""
        return self.channels[5]

    @property
    def stride(self) -> tuple[int, int]:
        """How many pixels, in height and width, an element of the feature map stands for."""
        last = 2 if self.last_stage_pool else 1
        return 4 * self.stage4_pool[0] * last, 4 * self.stage4_pool[1] * last


@dataclass(frozen=True, slots=True)
class WordResNetSettings:
    """A residual network for words (MMOCR's ResNet for recognition), with what its plugins may add.

    Attributes:
        in_channels: Channels of the images.
        stem_channels: Channels behind each convolution of the stem.
        arch_layers: Number of blocks of each stage.
        arch_channels: Channels of each stage.
        strides: Stride of each stage in height and width.
        use_conv1x1: Whether the first convolution of a block is 1×1, and the second one has the stride.
        pools: Edges, in height and width, of the pooling before each stage; None where there is none.
        has_last_conv: Whether a convolution follows each stage.
        context_ratio: Channels of the global context in a block (MMOCR's GCAModule), as a part of the block's; None
            without one.
    """

    in_channels: int
    stem_channels: tuple[int, ...]
    arch_layers: tuple[int, ...]
    arch_channels: tuple[int, ...]
    strides: tuple[tuple[int, int], ...]
    use_conv1x1: bool = False
    pools: tuple[tuple[int, int] | None, ...] = ()
    has_last_conv: tuple[bool, ...] = ()
    context_ratio: float | None = None

    def __post_init__(self) -> None:
        """Refuse stages that are not said whole."""
        stages = len(self.arch_layers)
        lengths = {len(self.arch_channels), len(self.strides)}
        lengths |= {len(each) for each in (self.pools, self.has_last_conv) if each}
        if not stages or lengths != {stages} or not self.stem_channels:
            raise ValueError(
                "a ResNet for words has a stem and one or more stages, each with layers, channels and stride"
            )
        if min(self.in_channels, *self.stem_channels, *self.arch_layers, *self.arch_channels) < 1:
            raise ValueError("a ResNet for words has at least one channel and one block in each stage")
        if self.context_ratio is not None and min(self.arch_channels) * self.context_ratio < 1:
            raise ValueError(f"with a ratio of {self.context_ratio} the global context has no channels")

    @property
    def out_channels(self) -> int:
        """Channels of the feature map."""
        return self.arch_channels[-1]

    @property
    def stride(self) -> tuple[int, int]:
        """How many pixels, in height and width, an element of the feature map stands for."""
        factors = [*self.strides, *(each for each in self.pools if each is not None)]
        return math.prod(each[0] for each in factors), math.prod(each[1] for each in factors)


@dataclass(frozen=True, slots=True)
class ResNetABISettings:
    """ABINet's residual network (MMOCR's ResNetABI), whose first and third stage have stride 2."""

    in_channels: int = 3
    stem_channels: int = 32
    base_channels: int = 32
    arch_settings: tuple[int, int, int, int, int] = (3, 4, 6, 6, 3)

    def __post_init__(self) -> None:
        """Refuse networks without layers or channels."""
        if min(self.in_channels, self.stem_channels, self.base_channels, *self.arch_settings) < 1:
            raise ValueError("ResNetABI has at least one channel, and one block in each stage")

    @property
    def out_channels(self) -> int:
        """Channels of the feature map; each stage doubles them."""
        return self.base_channels << (len(self.arch_settings) - 1)
