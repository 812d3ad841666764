"""The network of a text detector."""

from collections.abc import Sequence

from torch import Tensor, nn

from ocrdeploy.errors import ShapeError

from .tracing import is_traced

SIZE_MULTIPLE = 32
"""Heights and widths are multiples of it: the deepest feature map is 1/32 of the image."""


class Detector(nn.Module):
    """Backbone, neck and head.

    Args:
        backbone: Images to feature maps.
        neck: Feature maps to fused features.
        head: Fused features to the output.
        in_channels: Channels of the images.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.backbone = backbone
        self.neck = neck
        self.bbox_head = head

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the head's output, or its outputs.

        Args:
            images: Normalised images, float32, N×C×H×W, H and W multiples of 32. Channel order and values are those
                that the network was trained with.

        Returns:
            Maps, which the family's head describes.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        if not is_traced():
            self.check_input(images.shape)
        output: Tensor | tuple[Tensor, ...] = self.bbox_head(self.neck(self.backbone(images)))
        return output

    def check_input(self, shape: Sequence[int]) -> None:
        """Refuse images that the network does not take.

        Args:
            shape: The shape of the images.

        Raises:
            ShapeError: It is not N×C×H×W with the channels of the network and H and W multiples of 32.
        """
        fits = len(shape) == 4 and shape[1] == self.in_channels and min(shape) > 0
        if not fits or any(side % SIZE_MULTIPLE for side in shape[2:]):
            raise ShapeError(
                f"the detector takes images N x {self.in_channels} x H x W with H and W multiples of {SIZE_MULTIPLE}, "
                f"got {' x '.join(map(str, shape)) or 'a scalar'}",
                f"Pad the images to multiples of {SIZE_MULTIPLE}.",
            )
