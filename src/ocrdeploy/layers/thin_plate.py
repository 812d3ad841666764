"""Thin-plate splines that bring a word to a straight line, and the networks that find their control points.

Shi et al., "Robust Scene Text Recognition with Automatic Rectification", CVPR 2016, and "ASTER: An Attentional Scene
Text Recognizer with Flexible Rectification", TPAMI 2019. Points are (x, y); a spline is a number for each control point
and three for an affine map, once for x and once for y.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .convolution import conv_module
from .settings import STNSettings, TPSSettings

DISTANCE_OFFSET = 1e-6
"""What MMOCR 0.x adds to the distance of a pixel before it takes the logarithm."""
FEATURE_SCALE = 0.1
"""By which MMOCR 1.x scales the features that control points are found from."""


class ThinPlateTransform(nn.Module):
    """Samples an image where a spline through control points says.

    MMOCR v1.0.1 `mmocr.models.textrecog.preprocessors.tps_preprocessor.TPStransform`. Its tables are part of
    checkpoints, and count as they stand there.

    Args:
        settings: Size of the images that it makes, and where in them the control points are.
    """

    inverse_kernel: Tensor
    padding_matrix: Tensor
    target_coordinate_repr: Tensor
    target_control_points: Tensor
    weights: Tensor
    offsets: Tensor

    def __init__(self, settings: STNSettings) -> None:
        super().__init__()
        self.size = settings.output_image_size
        targets = control_points(settings.num_control_points, settings.margins)
        kernel = torch.zeros(len(targets) + 3, len(targets) + 3, dtype=torch.float64)
        kernel[: len(targets)] = torch.cat([_radial(targets, targets), _affine(targets)], dim=1)
        kernel[len(targets) :, : len(targets)] = _affine(targets).T
        pixels = _pixels(*self.size)
        basis = torch.cat([_radial(pixels, targets), _affine(pixels)], dim=1)
        self.register_buffer("inverse_kernel", torch.linalg.inv(kernel).float())
        self.register_buffer("padding_matrix", torch.zeros(3, 2))
        self.register_buffer("target_coordinate_repr", basis.float())
        self.register_buffer("target_control_points", targets.float())
        self.multiply_tables()
        self.register_load_state_dict_post_hook(lambda module, _keys: module.multiply_tables())  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor, points: Tensor) -> Tensor:
        """Return the sampled images.

        Args:
            images: Float, N×C×H×W.
            points: Where the control points lie in the images, float, N×K×2; 0 to 1 from the first pixel to the last.

        Returns:
            N×C×h×w of the output size; what lies outside the images has the value of their edge.
        """
        grid = (torch.matmul(self.weights, points) + self.offsets).clamp(0, 1) * 2 - 1
        return functional.grid_sample(images, grid.reshape(-1, *self.size, 2), align_corners=True)

    def multiply_tables(self) -> None:
        """Multiply the tables: a pixel's place is then a sum of the control points, with weights of about one.

        The tables themselves have large numbers of both signs, and a product with each of them in turn, as MMOCR has
        it, loses as many digits of the place.
        """
        count = len(self.target_control_points)
        product = self.target_coordinate_repr.double() @ self.inverse_kernel.double()
        offsets = product[:, count:] @ self.padding_matrix.double()
        self.register_buffer("weights", product[:, :count].float(), persistent=False)
        self.register_buffer("offsets", offsets.float(), persistent=False)


class STN(nn.Module):
    """Finds the control points of a word and samples it at them.

    MMOCR v1.0.1 `mmocr.models.textrecog.preprocessors.tps_preprocessor.STN`.

    Args:
        settings: Channels and sizes.
    """

    def __init__(self, settings: STNSettings) -> None:
        super().__init__()
        self.small = settings.resized_image_size
        self.count = settings.num_control_points
        self.tps = ThinPlateTransform(settings)
        channels = (settings.in_channels, 32, 64, 128, 256, 256, 256)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [conv_module(before, after, 3), nn.MaxPool2d(2, 2)]
        self.stn_convnet = nn.Sequential(*layers[:-1])
        self.stn_fc1 = nn.Sequential(nn.Linear(2 * 256, 512), nn.BatchNorm1d(512), nn.ReLU())
        self.stn_fc2 = nn.Linear(512, self.count * 2)

    def forward(self, images: Tensor) -> Tensor:
        """Return the straightened words.

        Args:
            images: Normalised words of any size, float, N×C×H×W.

        Returns:
            N×C×h×w of the output size.
        """
        small = functional.interpolate(images, self.small, mode="bilinear", align_corners=True)
        features = self.stn_fc1(self.stn_convnet(small).flatten(1))
        points = self.stn_fc2(FEATURE_SCALE * features).reshape(-1, self.count, 2)
        straight: Tensor = self.tps(images, points)
        return straight


class TPSPreprocessor(nn.Module):
    """Finds the control points of a word and samples it at them, as MMOCR 0.x does.

    MMOCR v0.6.3 `mmocr.models.textrecog.preprocessor.tps_preprocessor.TPSPreprocessor`. Points are from -1 to 1 here.

    Args:
        settings: Channels, number of points, size of the straightened words.
    """

    def __init__(self, settings: TPSSettings) -> None:
        super().__init__()
        self.shape = (-1, settings.num_img_channel, *settings.rectified_img_size)
        self.LocalizationNetwork = LocalizationNetwork(settings)
        self.GridGenerator = GridGenerator(settings)

    def forward(self, images: Tensor) -> Tensor:
        """Return the straightened words.

        Args:
            images: Normalised words, float, N×C×H×W, H and W at least 8.

        Returns:
            N×C×h×w of the rectified size; what lies outside the images has the value of their edge.
        """
        grid = self.GridGenerator(self.LocalizationNetwork(images))
        words = functional.grid_sample(images, grid, padding_mode="border", align_corners=True)
        # The exporter does not know the size of what is sampled, and would ask for it behind the backbone.
        return words.reshape(self.shape)


class LocalizationNetwork(nn.Module):
    """Words N×C×H×W to control points N×K×2, by four convolutions and two linear layers.

    Args:
        settings: Channels and number of points.
    """

    def __init__(self, settings: TPSSettings) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((settings.num_img_channel, 64, 128, 256, 512)):
            convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2, 2)]
        self.conv = nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1))
        self.localization_fc1 = nn.Sequential(nn.Linear(512, 256), nn.ReLU())
        self.localization_fc2 = nn.Linear(256, settings.num_fiducial * 2)
        self.count = settings.num_fiducial

    def forward(self, images: Tensor) -> Tensor:
        """Return the control points, of which those of a word's straight edges lie between -1 and 1."""
        points: Tensor = self.localization_fc2(self.localization_fc1(self.conv(images).flatten(1)))
        return points.reshape(-1, self.count, 2)


class GridGenerator(nn.Module):
    """Control points N×K×2 to where each pixel of the straight word is taken from, N×h×w×2, both from -1 to 1.

    The tables of a checkpoint count, and are multiplied as those of `ThinPlateTransform`.

    Args:
        settings: Number of points, size of the straight words.
    """

    weights: Tensor

    def __init__(self, settings: TPSSettings) -> None:
        super().__init__()
        self.size = height, width = settings.rectified_img_size
        self.count = settings.num_fiducial
        fiducial = control_points(self.count, (0, 0)) * 2 - 1
        kernel = torch.zeros(self.count + 3, self.count + 3, dtype=torch.float64)
        kernel[: self.count] = torch.cat([_affine(fiducial), _radial(fiducial, fiducial)], dim=1)
        kernel[self.count :, 3:] = _affine(fiducial).roll(-1, dims=1).T
        pixels = _pixel_centers(height, width)
        distances = (pixels[:, None] - fiducial).norm(dim=2)
        basis = torch.cat([_affine(pixels), distances.square() * (distances + DISTANCE_OFFSET).log()], dim=1)
        self.register_buffer("inv_delta_C", torch.linalg.inv(kernel).float())
        self.register_buffer("P_hat", basis.float())
        self.multiply_tables()
        self.register_load_state_dict_post_hook(lambda module, _keys: module.multiply_tables())  # type: ignore[no-untyped-call]

    def forward(self, points: Tensor) -> Tensor:
        """Return the grid."""
        return torch.matmul(self.weights, points).reshape(-1, *self.size, 2)

    def multiply_tables(self) -> None:
        """Multiply the tables; the three numbers behind the control points are zero."""
        product = self.get_buffer("P_hat").double() @ self.get_buffer("inv_delta_C").double()[:, : self.count]
        self.register_buffer("weights", product.float(), persistent=False)


def control_points(count: int, margins: tuple[float, float]) -> Tensor:
    """Return where control points are in a straight word: half of them along its top, half along its bottom.

    Args:
        count: How many, even.
        margins: Distance in x and in y to the edges of the word, whose sides are 1 long.

    Returns:
        float64, count×2.
    """
    x, y = margins
    along = torch.linspace(x, 1 - x, count // 2, dtype=torch.float64)
    return torch.cat([torch.stack([along, torch.full_like(along, row)], dim=1) for row in (y, 1 - y)])


def _pixels(height: int, width: int) -> Tensor:
    """Return the pixels of an image, a row behind the other, each axis from 0 to 1; float64, (H·W)×2."""
    rows = torch.linspace(0, 1, height, dtype=torch.float64)
    columns = torch.linspace(0, 1, width, dtype=torch.float64)
    return torch.cartesian_prod(rows, columns).flip(1)


def _pixel_centers(height: int, width: int) -> Tensor:
    """Return the centres of an image's pixels, a row behind the other, its edges at -1 and 1; float64, (H·W)×2."""
    rows, columns = ((2 * torch.arange(side, dtype=torch.float64) + 1) / side - 1 for side in (height, width))
    return torch.cartesian_prod(rows, columns).flip(1)


def _radial(points: Tensor, centers: Tensor) -> Tensor:
    """Return r²·log(r) for the distances r of points to centres, which is 0 for r = 0; P×C."""
    squares = (points[:, None] - centers).square().sum(dim=2)
    halves: Tensor = torch.special.xlogy(squares, squares) / 2
    return halves


def _affine(points: Tensor) -> Tensor:
    """Return what an affine map multiplies: 1, x, y; P×3."""
    return torch.cat([torch.ones_like(points[:, :1]), points], dim=1)
