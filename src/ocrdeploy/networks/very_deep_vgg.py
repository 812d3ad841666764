"""CRNN's convolutional layers."""

from torch import Tensor, nn

from ocrdeploy.networks.settings import VeryDeepVggSettings

CHANNELS = (64, 128, 256, 256, 512, 512, 512)
NORMALIZED_LAYERS = (2, 4, 6)
LEAKY_SLOPE = 0.2


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
