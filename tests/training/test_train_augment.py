import math

import numpy as np
import pytest
import torch

from napari_tcgn.training.data.augment import augment, rotate_and_mirror


def _images(batch=4, side=16):
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2])
@pytest.mark.parametrize(("mirror", "axes"), [((1, 1), ()), ((-1, 1), (3,)), ((1, -1), (2,)), ((-1, -1), (2, 3))])
def test_quarter_turns_and_mirrors_are_exact(quarters, mirror, axes):
    x = _images()
    got = rotate_and_mirror(x, torch.full((4,), quarters * math.pi / 2), torch.tensor([mirror] * 4).float())
    assert torch.equal(got, torch.rot90(x, quarters, (2, 3)).flip(axes))


def test_rotation_equals_pillow():
    from PIL import Image

    rng = np.random.default_rng(0)
    for angle in (-170.0, -33.3, 12.5, 45.0, 101.0):
        x = rng.integers(1, 255, (31, 31), dtype=np.uint8)
        want = np.asarray(Image.fromarray(x).rotate(angle, Image.Resampling.NEAREST))
        tensor = torch.tensor(x).float()[None, None]
        got = rotate_and_mirror(tensor, torch.tensor([math.radians(angle)]), torch.ones(1, 2))[0, 0].numpy()
        assert (got == want).mean() > 0.99  # a source on the border of two pixels may round either way
        assert (got[want == 0] == 0).mean() > 0.97  # corners


def test_every_image_has_its_own_angle_and_corners_are_the_mean_colour():
    x = torch.full((8, 3, 32, 32), 2.0)
    got = augment(x, torch.Generator().manual_seed(0))
    assert set(got.unique().tolist()) == {0.0, 2.0}
    assert len({int(image.sum()) for image in got}) > 4
    assert (got[:, :, 10:22, 10:22] == 2).all()


def test_mirrors_and_angles_cover_their_range():
    # A bright pixel right of the centre and one of another value above it tell angle and handedness.
    x = torch.zeros(600, 1, 33, 33)
    x[:, 0, 14:19, 25:30] = 1.0
    x[:, 0, 3:8, 14:19] = 2.0
    got = augment(x, torch.Generator().manual_seed(0))[:, 0]
    rows, cols = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")

    def direction(value):
        here = (got == value).float()
        return torch.atan2(-(here * rows).sum((1, 2)), (here * cols).sum((1, 2)))  # counter-clockwise

    one, two = direction(1.0), direction(2.0)
    turn = torch.remainder(two - one, 2 * math.pi)
    mirrored = turn > math.pi  # a quarter turn became three quarters
    assert 0.42 < mirrored.float().mean() < 0.58
    histogram = torch.histc(one, 8, -math.pi, math.pi)
    assert histogram.min() > 40


def test_seeded():
    x = _images()
    a, b = (augment(x, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, augment(x, torch.Generator().manual_seed(8)))


def test_zoom_shows_tissue_larger_and_smaller_and_leaves_the_other_draws_alone():
    x = torch.zeros(400, 1, 64, 64)
    x[:, 0, 24:40, 24:40] = 1.0  # a square of 256 px
    plain, zoomed = (augment(x, torch.Generator().manual_seed(3), zoom=zoom).sum((1, 2, 3)) for zoom in (0.0, 0.25))
    assert plain.min() > 230
    assert plain.max() < 280
    side = (zoomed / 256).sqrt()  # shown with factors from 1 / 1.25 to 1 / 0.75
    assert 0.75 < side.min() < 0.85
    assert 1.25 < side.max() < 1.4
    assert torch.equal(augment(x, torch.Generator().manual_seed(3)), augment(x, torch.Generator().manual_seed(3), 0.0))
