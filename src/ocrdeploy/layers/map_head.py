"""The head of PANet and of PSENet."""

import torch
from torch import Tensor, nn

from .settings import MapHeadSettings


class MapHead(nn.Module):
    """Maps features to logits by a 1×1 convolution, in MMOCR 1.x behind a 3×3 convolution, normalisation and ReLU.

    Wang et al., "Efficient and Accurate Arbitrary-Shaped Text Detection with Pixel Aggregation Network", ICCV 2019, and
    "Shape Robust Text Detection with Progressive Scale Expansion Network", CVPR 2019; MMOCR v0.6.3
    `mmocr.models.textdet.dense_heads.pan_head.PANHead` and `pse_head.PSEHead`, which compute the same.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: MapHeadSettings) -> None:
        super().__init__()
        self.hidden = settings.hidden_channels is not None
        channels = sum(settings.in_channels)
        if settings.hidden_channels is None:
            self.out_conv = nn.Conv2d(channels, settings.out_channels, 1)
        else:
            self.conv1 = nn.Conv2d(channels, settings.hidden_channels, 3, padding=1)
            self.bn1 = nn.BatchNorm2d(settings.hidden_channels)
            self.relu1 = nn.ReLU()
            self.conv2 = nn.Conv2d(settings.hidden_channels, settings.out_channels, 1)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits at the size of the features, which is a quarter of the image's.

        Args:
            features: One tensor N×C×H×W, or several of the same N, H and W, which are concatenated.

        Returns:
            Logits N×out_channels×H×W. PANet: text, kernel, four channels of embedding. PSENet: one channel a kernel,
            the whole text first.
        """
        joined = torch.cat(features, dim=1) if isinstance(features, tuple) else features
        if self.hidden:
            logits: Tensor = self.conv2(self.relu1(self.bn1(self.conv1(joined))))
        else:
            logits = self.out_conv(joined)
        return logits
