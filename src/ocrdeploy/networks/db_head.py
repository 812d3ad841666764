"""DBNet's head."""

import torch
from torch import Tensor, nn

from ocrdeploy.networks.settings import DBHeadSettings

BINARY_MAP_STEEPNESS = 50.0
"""The factor k of differentiable binarisation."""


class DBHead(nn.Module):
    """Maps features to a probability map and, if asked, to a threshold map and their approximate binary map.

    Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020; MMOCR v0.6.3
    `mmocr.models.textdet.dense_heads.db_head.DBHead`. Decoding reads the probability map alone; threshold and binary
    map serve training. The threshold branch's parameters are there in any case, as checkpoints hold them.

    Args:
        settings: Channels and bias.
        all_outputs: Whether the threshold and the binary map are computed too.
    """

    def __init__(self, settings: DBHeadSettings, *, all_outputs: bool) -> None:
        super().__init__()
        self.all_outputs = all_outputs
        self.binarize = _branch(settings.in_channels, bias=settings.with_bias)
        self.threshold = _branch(settings.in_channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps at four times the size of the features, which is the size of the image.

        Args:
            features: Features, N×C×H×W.

        Returns:
            N×1×4H×4W, the probability of text in 0..1. With `all_outputs` N×3×4H×4W: probability p, threshold t, and
            binary 1 / (1 + exp(-50 (p - t))), each in 0..1.
        """
        probability: Tensor = self.binarize(features)
        if not self.all_outputs:
            return probability
        threshold: Tensor = self.threshold(features)
        binary = torch.sigmoid(BINARY_MAP_STEEPNESS * (probability - threshold))
        return torch.cat((probability, threshold, binary), dim=1)


def _branch(in_channels: int, *, bias: bool) -> nn.Sequential:
    """Return a convolution and two transposed ones, which give one channel in 0..1 at four times the size."""
    channels = in_channels // 4
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=bias),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, channels, 2, stride=2),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, 1, 2, stride=2),
        nn.Sigmoid(),
    )
