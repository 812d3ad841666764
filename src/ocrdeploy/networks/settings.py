"""What makes one architecture differ from another, as data. PyTorch is not imported here.

Field names and defaults are those of MMOCR's and mmdet's modules of the same name; what has no influence on inference
(losses, initialisation, frozen stages) is not here.
"""

from dataclasses import dataclass
from typing import Literal

Upsample = Literal["nearest", "bilinear"]

RESNET_DEPTHS = (18, 34, 50, 101)
RECOGNITION_HEIGHT = 32
"""The image height at which VeryDeepVgg's feature map is one pixel high, as CRNNDecoder takes it.

Images 33 to 47 pixels high give one pixel too, as pooling leaves out the rows below the 32nd. MMOCR lets them pass;
here they are refused, since a pipeline that makes them is not CRNN's.
"""


@dataclass(frozen=True, slots=True)
class ResNetSettings:
    """A residual network (He et al., 2016), as in mmdet's ResNet without plugins and deformable convolutions."""

    depth: int
    in_channels: int = 3
    stem_channels: int | None = None
    base_channels: int = 64
    style: Literal["pytorch", "caffe"] = "pytorch"
    deep_stem: bool = False
    avg_down: bool = False

    def __post_init__(self) -> None:
        """Refuse depths and widths that no ResNet has."""
        if self.depth not in RESNET_DEPTHS:
            raise ValueError(f"ResNet has depth 18, 34, 50 or 101, not {self.depth}")
        if self.style not in ("pytorch", "caffe"):
            raise ValueError(f"the style of ResNet is 'pytorch' or 'caffe', not {self.style!r}")
        if min(self.in_channels, self.base_channels, self.stem_channels or 1) < 1:
            raise ValueError("ResNet needs at least one channel")

    @property
    def out_channels(self) -> tuple[int, int, int, int]:
        """Channels of the four feature maps, finest first."""
        expansion = 1 if self.depth < 50 else 4
        first = self.base_channels * expansion
        return first, first * 2, first * 4, first * 8


@dataclass(frozen=True, slots=True)
class FPNCSettings:
    """DBNet's feature pyramid, which concatenates its levels (MMOCR's FPNC without `asf_cfg`)."""

    in_channels: tuple[int, ...]
    lateral_channels: int = 256
    out_channels: int = 64
    bias_on_lateral: bool = False
    bn_re_on_lateral: bool = False
    bias_on_smooth: bool = False
    bn_re_on_smooth: bool = False
    conv_after_concat: bool = False

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPNC gives one, of all its levels."""
        return (self.out_channels * len(self.in_channels),)


@dataclass(frozen=True, slots=True)
class FPNFSettings:
    """PSENet's feature pyramid, which fuses its levels by concatenation or addition (MMOCR's FPNF)."""

    in_channels: tuple[int, ...] = (256, 512, 1024, 2048)
    out_channels: int = 256
    fusion_type: Literal["concat", "add"] = "concat"

    def __post_init__(self) -> None:
        """Refuse fusions that do not exist."""
        if self.fusion_type not in ("concat", "add"):
            raise ValueError(f"the fusion_type of FPNF is 'concat' or 'add', not {self.fusion_type!r}")

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPNF gives one."""
        return (self.out_channels,)


@dataclass(frozen=True, slots=True)
class FPEMFFMSettings:
    """PANet's feature pyramid enhancement and fusion modules (MMOCR's FPEM_FFM)."""

    in_channels: tuple[int, ...]
    conv_out: int = 128
    fpem_repeat: int = 2
    align_corners: bool = False

    def __post_init__(self) -> None:
        """Refuse what the modules cannot be built with."""
        if len(self.in_channels) != 4:
            raise ValueError(f"FPEM_FFM takes 4 feature maps, but in_channels has {len(self.in_channels)}")
        if self.fpem_repeat < 1:
            raise ValueError(f"FPEM_FFM needs at least one FPEM, but fpem_repeat is {self.fpem_repeat}")

    @property
    def fused_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that the head gets; FPEM_FFM gives four."""
        return (self.conv_out,) * 4


@dataclass(frozen=True, slots=True)
class DBHeadSettings:
    """DBNet's head: probability map, threshold map and their approximate binary map (MMOCR's DBHead)."""

    in_channels: int
    with_bias: bool = False

    def __post_init__(self) -> None:
        """Refuse fewer channels than the head divides by."""
        if self.in_channels < 4:
            raise ValueError(f"DBHead needs at least 4 input channels, not {self.in_channels}")


@dataclass(frozen=True, slots=True)
class PANHeadSettings:
    """PANet's head: text, kernel and embedding channels as logits (MMOCR's PANHead)."""

    in_channels: tuple[int, ...]
    out_channels: int


@dataclass(frozen=True, slots=True)
class PSEHeadSettings:
    """PSENet's head: one channel of logits a kernel (MMOCR's PSEHead)."""

    in_channels: tuple[int, ...]
    out_channels: int


@dataclass(frozen=True, slots=True)
class VeryDeepVggSettings:
    """CRNN's convolutional layers (MMOCR's VeryDeepVgg)."""

    leaky_relu: bool = True
    input_channels: int = 3

    @property
    def out_channels(self) -> int:
        """Channels of the feature map."""
        return 512


@dataclass(frozen=True, slots=True)
class CRNNDecoderSettings:
    """CRNN's recurrent layers, or one convolution in their place (MMOCR's CRNNDecoder)."""

    in_channels: int
    num_classes: int
    rnn_flag: bool = False


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """A text detector: backbone, neck, head. MMOCR's state-dict prefixes are `backbone`, `neck`, `bbox_head`."""

    backbone: ResNetSettings
    neck: FPNCSettings | FPNFSettings | FPEMFFMSettings
    head: DBHeadSettings | PANHeadSettings | PSEHeadSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        if self.neck.in_channels != self.backbone.out_channels:
            raise ValueError(
                f"the backbone gives feature maps of {self.backbone.out_channels} channels, "
                f"but the in_channels of the neck are {self.neck.in_channels}"
            )
        given = self.neck.fused_channels
        match self.head:
            case DBHeadSettings(in_channels=taken):
                fits = given == (taken,)
            case PANHeadSettings(in_channels=parts) | PSEHeadSettings(in_channels=parts):
                taken = sum(parts)
                fits = sum(given) == taken
        if not fits:
            raise ValueError(
                f"the neck gives {len(given)} feature map(s) of {given[0]} channels, "
                f"but the in_channels of the head are {self.head.in_channels}"
            )


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """A text recogniser: backbone, decoder. MMOCR's state-dict prefixes are `backbone`, `decoder`."""

    backbone: VeryDeepVggSettings
    decoder: CRNNDecoderSettings

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        if self.decoder.in_channels != self.backbone.out_channels:
            raise ValueError(
                f"the backbone gives {self.backbone.out_channels} channels, "
                f"but the in_channels of the decoder are {self.decoder.in_channels}"
            )


NetworkSettings = DetectorSettings | RecognizerSettings
