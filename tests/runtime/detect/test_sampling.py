"""The two samplers: means against plain loops, bilinear samples against a ramp."""

import numpy as np
import pytest

from sealshot.runtime.detect.sampling import GREY, MeanSampler, MipSampler


def noise(height, width):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def plain_means(image, width, height):
    """PyTorch's definition: bin i covers floor(i n / out) to ceil((i + 1) n / out)."""
    out = np.empty((height, width, 3))
    for y in range(height):
        y0, y1 = y * image.shape[0] // height, -(-(y + 1) * image.shape[0] // height)
        for x in range(width):
            x0, x1 = x * image.shape[1] // width, -(-(x + 1) * image.shape[1] // width)
            out[y, x] = image[y0:y1, x0:x1].mean(axis=(0, 1))
    return out


@pytest.mark.parametrize(
    ("size", "out"), [((40, 60), (20, 13)), ((7, 5), (7, 5)), ((5, 4), (9, 11)), ((1, 1), (3, 2))]
)
def test_mean_levels_are_the_means_of_the_pixels_under_them(size, out):
    image, (height, width) = noise(*size), out
    level = MeanSampler(image).level(width, height)
    assert level.dtype == np.float32
    assert level == pytest.approx(plain_means(image, width, height), abs=1e-4)


@pytest.mark.parametrize(
    ("region", "seen"),
    [
        ((10, 5, 40, 35), (10, 5, 40, 35)),
        ((10.9, 5.9, 40.9, 35.9), (10, 5, 40, 35)),
        ((-8, -9, 12, 11), (0, 0, 12, 11)),
        ((50, 30, 90, 70), (50, 30, 60, 40)),
    ],
)
def test_mean_crops_are_cut_at_the_edge_and_stretched(region, seen):
    image = noise(40, 60)
    x0, y0, x1, y1 = seen
    crops = MeanSampler(image).crops(np.array([region], np.float32), 24)
    assert crops.shape == (1, 24, 24, 3)
    assert crops[0] == pytest.approx(plain_means(image[y0:y1, x0:x1], 24, 24), abs=1e-4)


FALLING = 250  # an even number above the highest of a ramp


def ramp(height, width):
    """Channel 0 is 2 x, channel 1 is 2 y (so that means of two are whole): where a sample was."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 2 * y, np.full_like(x, 7)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("out", [(100, 125), (77, 96), (50, 62), (31, 39), (12, 15)])
def test_levels_are_sampled_at_the_centres_of_their_pixels(out):
    height, width = out
    level = MipSampler(ramp(100, 125)).level(width, height) / 2
    x = (np.arange(width) + 0.5) * 125 / width - 0.5
    y = (np.arange(height) + 0.5) * 100 / height - 0.5
    tolerance = 0.6 * max(1, 125 / width)  # output pixels: odd sizes lose the last column
    inside = slice(1, -1)
    assert level[inside, inside, 0] == pytest.approx(
        np.broadcast_to(x, (height, width))[inside, inside], abs=tolerance
    )
    assert level[inside, inside, 1] == pytest.approx(
        np.broadcast_to(y[:, None], (height, width))[inside, inside], abs=tolerance
    )


@pytest.mark.parametrize(
    "region",
    [
        (20, 30, 44, 54),
        (20.5, 30.25, 50.5, 60.25),
        (10, 10, 58, 58),
        (3, 2, 120, 98),
        (8, 9, 20, 21),
    ],
)
@pytest.mark.parametrize("side", [24, 48])
def test_crops_are_sampled_with_sub_pixel_precision(region, side):
    image, regions = ramp(100, 125), np.array([region], np.float32)
    crop = MipSampler(image).crops(regions, side)[0] / 2
    # halves are rounded up by OpenCV 4 and to even by 5: both ways cancel with a falling ramp
    falling = MipSampler(FALLING - image).crops(regions, side)[0]
    where = (crop + (FALLING - falling) / 2) / 2
    x0, y0, x1, y1 = region
    x = x0 + (np.arange(side) + 0.5) * (x1 - x0) / side - 0.5
    y = y0 + (np.arange(side) + 0.5) * (y1 - y0) / side - 0.5
    assert crop[:, :, 0].mean(axis=0) == pytest.approx(x, abs=1.0)
    assert crop[:, :, 1].mean(axis=1) == pytest.approx(y, abs=1.0)
    assert (where[:, :, 0].mean() - x.mean()) == pytest.approx(0, abs=0.15)  # no shift
    assert (where[:, :, 1].mean() - y.mean()) == pytest.approx(0, abs=0.15)
    assert crop[:, :, 2] == pytest.approx(3.5)


def test_what_is_outside_the_image_is_grey():
    image = np.full((60, 60, 3), 255, np.uint8)
    crop = MipSampler(image).crops(np.array([[-24, 10, 24, 58]], np.float32), 24)[0]
    assert (crop[:, :11] == GREY[0]).all()
    assert (crop[:, 13:] == 255).all()


@pytest.mark.parametrize("size", [(1921, 1081), (131, 129), (135, 3001)])
def test_odd_sizes_do_not_drift(size):
    """Each halving drops the odd column; coordinates must not be scaled by what is left."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    x, y, side = width - 64, height - 64, 64
    image[y : y + side, x : x + side] = 255
    region = np.array([[x - side, y - side, x + side, y + side]], np.float32)
    crop = MipSampler(image).crops(region, 24)[0, :, :, 0]
    assert crop[13:23, 13:23].min() > 200
    assert crop[2:11, 2:11].max() < 50
    assert crop[13:23, 2:11].max() < 50


def test_regions_of_all_sizes_keep_their_order():
    sampler = MipSampler(noise(300, 400))
    sides = np.array([200, 30, 60, 240, 31, 110], np.float32)
    regions = np.stack([sides, sides / 2, 2 * sides, 1.5 * sides], axis=1)
    alone = [sampler.crops(region[None], 24)[0] for region in regions]
    assert np.array_equal(sampler.crops(regions, 24), alone)


@pytest.mark.parametrize("sampler", [MeanSampler, MipSampler])
def test_no_region_gives_no_crop(sampler):
    crops = sampler(noise(50, 50)).crops(np.empty((0, 4), np.float32), 24)
    assert crops.shape == (0, 24, 24, 3)
    assert crops.dtype == np.float32
