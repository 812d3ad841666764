"""CRNN in PyTorch: convolutions to a sequence, and recurrent layers over it."""

from collections.abc import Sequence

from torch import Tensor, nn

from ocrdeploy.errors import ShapeError
from ocrdeploy.layers.ctc import best_classes
from ocrdeploy.layers.settings import LEAST_SIDE
from ocrdeploy.layers.thin_plate import TPSPreprocessor
from ocrdeploy.layers.tracing import is_traced

from .settings import HEIGHT, MIN_WIDTH, CRNNDecoderSettings, CRNNSettings, VeryDeepVggSettings

CHANNELS = (64, 128, 256, 256, 512, 512, 512)
NORMALIZED_LAYERS = (2, 4, 6)
LEAKY_SLOPE = 0.2
HIDDEN_SIZE = 256


def build_crnn(settings: CRNNSettings, *, decode_in_graph: bool = False) -> "CRNN":
    """Return the network with random weights; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not logits.
    """
    return CRNN(settings, decode_in_graph=decode_in_graph)


class CRNN(nn.Module):
    """Convolutions, recurrent layers, and the logits of the characters; before them what straightens words, if any.

    Args:
        settings: The network.
        decode_in_graph: Whether softmax and argmax belong to the network.
    """

    def __init__(self, settings: CRNNSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels = settings.backbone.input_channels
        self.decode_in_graph = decode_in_graph
        self.preprocessor = None if settings.preprocessor is None else TPSPreprocessor(settings.preprocessor)
        self.backbone = VeryDeepVgg(settings.backbone)
        self.decoder = CRNNDecoder(settings.decoder)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of the characters, or the best class of each step.

        Args:
            images: Normalised word images, float32, N×C×32×W, W at least 4; those that are straightened N×C×H×W, both
                at least 8. Values are those that the network was trained with.

        Returns:
            Logits N×T×classes with T = W/4 + 1, W/4 rounded down, W being that of the straightened word if it is; with
            `decode_in_graph` the largest one's class N×T, int32, the first where several are largest, and its
            probability N×T.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        if not is_traced():
            self.check_input(images.shape)
        words = images if self.preprocessor is None else self.preprocessor(images)
        logits: Tensor = self.decoder(self.backbone(words))
        return best_classes(logits) if self.decode_in_graph else logits

    def check_input(self, shape: Sequence[int]) -> None:
        """Refuse images that the network does not take.

        Args:
            shape: The shape of the images.

        Raises:
            ShapeError: It is not N×C×H×W with the channels of the network and a size that it takes.
        """
        is_free = self.preprocessor is not None
        fits = len(shape) == 4 and shape[0] > 0 and shape[1] == self.in_channels
        if fits and (min(shape[2:]) >= LEAST_SIDE if is_free else shape[2] == HEIGHT and shape[3] >= MIN_WIDTH):
            return
        got = " x ".join(map(str, shape)) or "a scalar"
        if is_free:
            raise ShapeError(
                f"the recogniser takes images N x {self.in_channels} x H x W with H and W at least {LEAST_SIDE}, "
                f"got {got}"
            )
        raise ShapeError(
            f"the recogniser takes images N x {self.in_channels} x {HEIGHT} x W with W at least {MIN_WIDTH}, got {got}",
            f"Resize the images to a height of {HEIGHT} pixels.",
        )


class VeryDeepVgg(nn.Module):
    """Seven convolutions that bring an image 32 pixels high to a sequence of feature vectors.

    Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition and Its Application to
    Scene Text Recognition", TPAMI 2017; MMOCR v0.6.3 `mmocr.models.textrecog.backbones.very_deep_vgg.VeryDeepVgg`.

    Args:
        settings: Channels of the image, and the kind of ReLU.
    """

    def __init__(self, settings: VeryDeepVggSettings) -> None:
        super().__init__()
        self.cnn = nn.Sequential()
        channels = settings.input_channels
        for index, width in enumerate(CHANNELS):
            last = index == len(CHANNELS) - 1
            kernel_size, padding = (2, 0) if last else (3, 1)
            self.cnn.add_module(f"conv{index}", nn.Conv2d(channels, width, kernel_size, padding=padding))
            if index in NORMALIZED_LAYERS:
                self.cnn.add_module(f"batchnorm{index}", nn.BatchNorm2d(width))
            self.cnn.add_module(f"relu{index}", nn.LeakyReLU(LEAKY_SLOPE) if settings.leaky_relu else nn.ReLU())
            match index:
                case 0 | 1:
                    self.cnn.add_module(f"pooling{index}", nn.MaxPool2d(2, 2))
                case 3:
                    self.cnn.add_module("pooling2", _height_pooling())
                case 5:
                    self.cnn.add_module("pooling3", _height_pooling())
            channels = width

    def forward(self, images: Tensor) -> Tensor:
        """Return the feature map of word images.

        Args:
            images: Normalised images, float, N×C×32×W, W at least 4.

        Returns:
            N×512×1×(W/4 + 1), W/4 rounded down; not negative unless the ReLU is leaky.
        """
        features: Tensor = self.cnn(images)
        return features


def _height_pooling() -> nn.MaxPool2d:
    """Return a pooling that halves the height and adds one to the width."""
    return nn.MaxPool2d((2, 2), (2, 1), (0, 1))


class BidirectionalLSTM(nn.Module):
    """One bidirectional LSTM layer and a linear layer on its states; initial states are zero.

    MMOCR v0.6.3 `mmocr.models.textrecog.layers.lstm_layer.BidirectionalLSTM`.

    Args:
        in_channels: Channels of the input.
        hidden_size: Channels of the state, in each direction.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, hidden_size: int, out_channels: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(in_channels, hidden_size, bidirectional=True)
        self.embedding = nn.Linear(hidden_size * 2, out_channels)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return T×N×out_channels for a sequence T×N×in_channels."""
        result: Tensor = self.embedding(self.rnn(sequence)[0])
        return result


class CRNNDecoder(nn.Module):
    """Maps a feature map one pixel high to the logits of the characters at each position.

    Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition and Its Application to
    Scene Text Recognition", TPAMI 2017; MMOCR v0.6.3 `mmocr.models.textrecog.decoders.crnn_decoder.CRNNDecoder`.

    Args:
        settings: Channels, classes, and whether there are two LSTM layers or one convolution in their place.
    """

    def __init__(self, settings: CRNNDecoderSettings) -> None:
        super().__init__()
        self.recurrent = settings.rnn_flag
        self.decoder = (
            nn.Sequential(
                BidirectionalLSTM(settings.in_channels, HIDDEN_SIZE, HIDDEN_SIZE),
                BidirectionalLSTM(HIDDEN_SIZE, HIDDEN_SIZE, settings.num_classes),
            )
            if settings.rnn_flag
            else nn.Conv2d(settings.in_channels, settings.num_classes, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits of all classes at each position.

        Args:
            features: Feature map, N×C×1×T.

        Returns:
            Logits N×T×num_classes.
        """
        if self.recurrent:
            sequence: Tensor = self.decoder(features.squeeze(2).permute(2, 0, 1))
            return sequence.permute(1, 0, 2)
        classes: Tensor = self.decoder(features)
        return classes.squeeze(2).permute(0, 2, 1)
