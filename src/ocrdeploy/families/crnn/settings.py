"""The options of CRNN's network; names and defaults are MMOCR's. PyTorch is not imported here."""

from dataclasses import dataclass

from ocrdeploy.layers.settings import TPSSettings

HEIGHT = 32
"""The image height at which VeryDeepVgg's feature map is one pixel high, as CRNNDecoder takes it.

Images 33 to 47 pixels high give one pixel too, as pooling leaves out the rows below the 32nd. MMOCR lets them pass;
here they are refused, since a pipeline that makes them is not CRNN's.
"""
MIN_WIDTH = 4
"""The narrowest image of which the backbone leaves a column."""


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
class CRNNSettings:
    """A CRNN: backbone, decoder, and what straightens words before them."""

    backbone: VeryDeepVggSettings
    decoder: CRNNDecoderSettings
    preprocessor: TPSSettings | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together; in MMOCR their first image would fail."""
        if self.decoder.in_channels != self.backbone.out_channels:
            raise ValueError(
                f"the backbone gives {self.backbone.out_channels} channels, "
                f"but the in_channels of the decoder are {self.decoder.in_channels}"
            )
        if self.preprocessor is None:
            return
        height, width = self.preprocessor.rectified_img_size
        if (height, self.preprocessor.num_img_channel) != (HEIGHT, self.backbone.input_channels) or width < MIN_WIDTH:
            raise ValueError(
                f"the preprocessor makes words of {self.preprocessor.num_img_channel} channel(s), {height} x {width}, "
                f"but the backbone takes {self.backbone.input_channels}, {HEIGHT} pixels high and {MIN_WIDTH} or wider"
            )
