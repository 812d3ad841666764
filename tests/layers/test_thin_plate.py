"""Splines that straighten words: what they do to points that are known."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ocrdeploy.layers.settings import STNSettings, TPSSettings
from ocrdeploy.layers.thin_plate import STN, GridGenerator, ThinPlateTransform, TPSPreprocessor, control_points

SETTINGS = STNSettings(3, output_image_size=(16, 30))
TOLERANCE = 5e-4
"""Of pixels from 0 to 1. Tables are float32 and have large numbers of both signs, so places are rounded to 2e-6 of the
image; noise changes by about 1 from one of its 60 columns to the next."""


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 24, 60, generator=torch.Generator().manual_seed(1))


def straight(points: Tensor, size: tuple[int, int] = (16, 30)) -> Tensor:
    """Return the pixels of straight words in images whose control points lie there, by bilinear interpolation."""
    x0, y0, x1, y1 = points[0, 0], points[0, 1], points[-1, 0], points[-1, 1]
    rows = torch.linspace(0, 1, size[0]).mul(y1 - y0).add(y0)
    columns = torch.linspace(0, 1, size[1]).mul(x1 - x0).add(x0)
    grid = torch.cartesian_prod(rows, columns).flip(1).reshape(1, *size, 2)
    return grid.clamp(0, 1) * 2 - 1


def test_control_points_where_they_belong_only_resize(images: Tensor) -> None:
    points = control_points(20, SETTINGS.margins).float().expand(2, -1, -1)
    expected = functional.interpolate(images, (16, 30), mode="bilinear", align_corners=True)
    assert (ThinPlateTransform(SETTINGS)(images, points) - expected).abs().max() <= TOLERANCE


@pytest.mark.parametrize(("factor", "offset"), [(0.5, (0.1, 0.3)), (1.0, (0.4, -0.2)), (3.0, (-1.0, -1.0))])
def test_an_affine_map_of_the_points_is_one_of_the_pixels(
    images: Tensor, factor: float, offset: tuple[float, float]
) -> None:
    moved = control_points(20, SETTINGS.margins).float() * factor + torch.tensor(offset)
    corners = torch.tensor([[0.0, 0.0], [1.0, 1.0]]) * factor + torch.tensor(offset)
    expected = functional.grid_sample(images, straight(corners).expand(2, -1, -1, -1), align_corners=True)
    assert (ThinPlateTransform(SETTINGS)(images, moved.expand(2, -1, -1)) - expected).abs().max() <= TOLERANCE


def test_a_pixel_at_a_control_point_is_taken_from_where_that_point_lies() -> None:
    # Without margins the corners of the word are control points.
    settings = STNSettings(1, output_image_size=(9, 19), margins=(0, 0))
    points = torch.rand(1, 20, 2, generator=torch.Generator().manual_seed(2))
    places = torch.stack(torch.meshgrid(torch.linspace(0, 1, 41), torch.linspace(0, 1, 81), indexing="ij"))
    y, x = ThinPlateTransform(settings)(places[:, None], points.expand(2, -1, -1))[:, 0]
    found = torch.stack([torch.stack([x[row, column], y[row, column]]) for row in (0, -1) for column in (0, -1)])
    torch.testing.assert_close(found, points[0, [0, 9, 10, 19]], atol=TOLERANCE, rtol=0)


def test_tables_of_a_checkpoint_count() -> None:
    transform = ThinPlateTransform(SETTINGS)
    tables = transform.state_dict()
    transform.load_state_dict(tables | {"padding_matrix": torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])})
    before = transform.target_coordinate_repr @ tables["inverse_kernel"][:, 20:]
    torch.testing.assert_close(transform.offsets[:, 0], before[:, 0], atol=1e-4, rtol=0)
    assert not transform.offsets[:, 1].any()


def test_words_of_one_pixel_and_of_any_size_are_taken() -> None:
    network = STN(SETTINGS).eval()
    for size in ((1, 1), (1, 200), (64, 256)):
        assert network(torch.zeros(1, 3, *size)).shape == (1, 3, 16, 30)
    assert network(torch.zeros(0, 3, 32, 64)).shape == (0, 3, 16, 30)


def test_the_older_grid_moves_with_its_points() -> None:
    generate = GridGenerator(TPSSettings(20, (16, 30)))
    points = control_points(20, (0, 0)).float() * 2 - 1
    rows, columns = ((2 * torch.arange(side) + 1) / side - 1 for side in (16, 30))
    centers = torch.cartesian_prod(rows, columns).flip(1).reshape(1, 16, 30, 2)
    torch.testing.assert_close(generate(points[None]), centers, atol=TOLERANCE, rtol=0)
    moved = points * torch.tensor([0.5, 2.0]) + torch.tensor([0.3, -0.4])
    expected = centers * torch.tensor([0.5, 2.0]) + torch.tensor([0.3, -0.4])
    torch.testing.assert_close(generate(moved[None]), expected, atol=TOLERANCE, rtol=0)


def test_the_older_network_takes_any_size_and_no_words() -> None:
    network = TPSPreprocessor(TPSSettings(20, (32, 60), 1)).eval()
    for shape in ((1, 1, 8, 8), (2, 1, 40, 300), (0, 1, 32, 100)):
        assert network(torch.zeros(shape)).shape == (shape[0], 1, 32, 60)
