"""How the demo degrades photographs, and the parts of its base models that can be known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from skensir.demo import FITTING, TASKS, TESTING, deblurring, deraining, super_resolution
from skensir.demo.photographs import crop_centre

GREY = np.full((40, 48, 3), 100, dtype=np.uint8)


@pytest.mark.parametrize("name", TASKS)
def test_the_same_seed_gives_the_same_input(name):
    degrade = TASKS[name].degrade
    assert_array_equal(degrade(GREY, 0), degrade(GREY, 0))
    if name != "super-resolution":
        assert (degrade(GREY, 0) != degrade(GREY, 1)).any()


@pytest.mark.parametrize("name", TASKS)
def test_base_models_keep_what_has_no_structure(name):
    size = super_resolution.SCALE if name == "super-resolution" else 1
    for restorer in TASKS[name].restorers.values():
        restored = restorer(GREY / 255)
        assert restored.shape == (40 * size, 48 * size, 3)
        assert_allclose(restored, 100 / 255, atol=0.004)


def test_point_spread_is_the_blur():
    point = np.zeros((41, 41, 1))
    point[20, 20] = 1
    blurred = gaussian_filter(point, deblurring.BLUR, axes=(0, 1))[..., 0]
    spread = deblurring.point_spread()
    assert_allclose(crop_centre(blurred, len(spread)), spread, atol=1e-15)
    assert spread.sum() == pytest.approx(1)


@pytest.mark.parametrize(("n_pixels", "n_resized"), [(8, 32), (32, 8), (7, 7), (3, 10)])
def test_resizing_keeps_brightness_and_mirrors(n_pixels, n_resized):
    matrix = super_resolution.bicubic_matrix(n_pixels, n_resized)
    assert_allclose(matrix.sum(axis=1), 1)
    assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-12)


def test_resizing_to_the_same_size_changes_nothing():
    assert_allclose(super_resolution.bicubic_matrix(9, 9), np.eye(9), atol=1e-12)


def test_interpolation_keeps_straight_lines():
    line = np.arange(20.0)
    larger = super_resolution.bicubic_matrix(20, 80) @ line
    expected = (np.arange(80) + 0.5) / 4 - 0.5
    assert_allclose(larger[12:-12], expected[12:-12])  # away from the mirrored edges


def test_back_projection_comes_closer_to_the_image_given():
    image = np.random.default_rng(0).random((10, 12, 3))
    large = super_resolution.resize(image, 40, 48)
    errors = []
    for _ in range(4):
        errors.append(np.abs(super_resolution.resize(large, 10, 12) - image).max())
        large = super_resolution._project_back(large, image)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


def test_rain_only_brightens_and_is_the_same_in_all_channels():
    rain = deraining.degrade(GREY, 3).astype(int) - GREY
    assert rain.min() == 0
    assert 40 < rain.max() <= deraining.BRIGHTNESS
    assert_array_equal(rain, np.broadcast_to(rain[..., :1], rain.shape))


@pytest.mark.parametrize("name", TASKS["deraining"].restorers)
def test_derainers_take_rain_from_a_plain_area(name):
    image = deraining.degrade(np.full((64, 64, 3), 100, np.uint8), 3) / 255
    restored = TASKS["deraining"].restorers[name](image)
    assert np.mean((restored - 100 / 255) ** 2) < np.mean((image - 100 / 255) ** 2) / 2


def test_photographs_for_testing_are_not_fitted_on():
    assert not set(FITTING) & set(TESTING)
