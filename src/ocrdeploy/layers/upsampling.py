"""Resizing of feature maps by constant integer factors.

A constant factor needs no shape arithmetic in the exported graph, and for images that are padded to multiples of 32 it
gives the same pixels as MMOCR's resizing to the size of the next finer feature map.
"""

from torch import Tensor
from torch.nn import functional

from ocrdeploy.model_spec import Upsample


def enlarge(features: Tensor, factor: int, mode: Upsample, *, align_corners: bool = False) -> Tensor:
    """Return feature maps enlarged by an integer factor.

    Args:
        features: Feature maps, float, N×C×H×W.
        factor: How many times higher and wider the result is.
        mode: `nearest`: output pixel i is input pixel floor(i / factor); ONNX calls it asymmetric coordinates with
            floor rounding. `bilinear`: between pixel centres; ONNX calls it linear with half-pixel coordinates.
        align_corners: With `bilinear`, map the centres of the corner pixels onto each other instead.

    Returns:
        Feature maps, N×C×(H·factor)×(W·factor).
    """
    if factor == 1:
        return features
    match mode:
        case "nearest":
            return functional.interpolate(features, scale_factor=float(factor), mode="nearest")
        case "bilinear":
            return functional.interpolate(
                features, scale_factor=float(factor), mode="bilinear", align_corners=align_corners
            )
