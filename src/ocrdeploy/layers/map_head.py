"""The head of PANet and of PSENet."""

import torch
from torch import Tensor, nn

from .settings import MapHeadSettings


class MapHead(nn.Module):
    """Maps features to logits by one 1×1 convolution.

    Wang et al., "Efficient and Accurate Arbitrary-Shaped Text Detection with Pixel Aggregation Network", ICCV 2019, and
    "Shape Robust Text Detection with Progressive Scale Expansion Network", CVPR 2019; MMOCR v0.6.3
    `mmocr.models.textdet.dense_heads.pan_head.PANHead` and `pse_head.PSEHead`, which compute the same.

    Args:
        settings: Channels.
    """

    def __init__(self, settings: MapHeadSettings) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(sum(settings.in_channels), settings.out_channels, 1)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits at the size of the features, which is a quarter of the image's.

        Args:
            features: One tensor N×C×H×W, or several of the same N, H and W, which are concatenated.

        Returns:
            Logits N×out_channels×H×W. PANet: text, kernel, four channels of embedding. PSENet: one channel a kernel,
            the whole text first.
        """
        joined = torch.cat(features, dim=1) if isinstance(features, tuple) else features
        logits: Tensor = self.out_conv(joined)
        return logits
