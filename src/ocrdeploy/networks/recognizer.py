"""The network of a text recogniser."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrdeploy.errors import ShapeError
from ocrdeploy.networks.settings import RECOGNITION_HEIGHT
from ocrdeploy.networks.tracing import is_traced

MIN_WIDTH = 4
"""The narrowest image of which the backbone leaves a column."""


class Recognizer(nn.Module):
    """Backbone and decoder of CRNN.

    Args:
        backbone: Images to a feature map one pixel high.
        decoder: Feature map to logits.
        in_channels: Channels of the images.
        decode_in_graph: Whether softmax and argmax belong to the network.
    """

    def __init__(
        self, backbone: nn.Module, decoder: nn.Module, in_channels: int, *, decode_in_graph: bool = False
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.decode_in_graph = decode_in_graph
        self.backbone = backbone
        self.decoder = decoder

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of the characters, or the best class of each step.

        Args:
            images: Normalised word images, float32, N×C×32×W, W at least 4. Values are those that the network was
                trained with.

        Returns:
            Logits N×T×classes with T = W/4 + 1, W/4 rounded down; with `decode_in_graph` the largest one's class N×T,
            int32, the first where several are largest, and its probability N×T.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        if not is_traced():
            self.check_input(images.shape)
        logits: Tensor = self.decoder(self.backbone(images))
        if not self.decode_in_graph:
            return logits
        # The argmax of the logits: rounding makes probabilities equal that are not, and decoding reads logits.
        return logits.argmax(dim=2).to(torch.int32), logits.softmax(dim=2).amax(dim=2)

    def check_input(self, shape: Sequence[int]) -> None:
        """Refuse images that the network does not take.

        Args:
            shape: The shape of the images.

        Raises:
            ShapeError: It is not N×C×32×W with the channels of the network and W at least 4.
        """
        fits = len(shape) == 4 and shape[0] > 0 and tuple(shape[1:3]) == (self.in_channels, RECOGNITION_HEIGHT)
        if not fits or shape[3] < MIN_WIDTH:
            raise ShapeError(
                f"the recogniser takes images N x {self.in_channels} x {RECOGNITION_HEIGHT} x W "
                f"with W at least {MIN_WIDTH}, got {' x '.join(map(str, shape)) or 'a scalar'}",
                f"Resize the images to a height of {RECOGNITION_HEIGHT} pixels.",
            )
