"""PSNR and SSIM follow the conventions that published numbers have."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.signal import convolve2d
from skimage.metrics import peak_signal_noise_ratio as psnr_of_scikit_image
from skimage.metrics import structural_similarity as ssim_of_scikit_image

from skensir.image import peak_signal_noise_ratio, structural_similarity
from skensir.image.metrics import error_map

METRICS = [peak_signal_noise_ratio, structural_similarity]


def pair(*shape, seed=0, spread=9.0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 256, shape, dtype=np.uint8)
    return target, target + spread * rng.standard_normal(shape)


def slow_luma(image):
    """The formula of BT.601 in studio range, pixel by pixel."""
    luma = np.empty(image.shape[:2])
    for row, column in np.ndindex(luma.shape):
        red, green, blue = map(float, image[row, column])
        luma[row, column] = 16 + 65.481 * red / 255 + 128.553 * green / 255 + 24.966 * blue / 255
    return luma


def slow_psnr(target, image, peak):
    errors = [(float(t) - float(i)) ** 2 for t, i in zip(target.flat, image.flat, strict=True)]
    return 20 * math.log10(peak) - 10 * math.log10(sum(errors) / len(errors))


def slow_ssim(x, y, peak):
    """Wang et al. 2004: windows that lie within the image, weighted by a Gaussian."""
    across = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(across, across) / across.sum() ** 2

    def mean(image):
        return convolve2d(image, window, mode="valid")

    x, y = x.astype(float), y.astype(float)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux * ux, mean(y * y) - uy * uy, mean(x * y) - ux * uy
    ssim = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (vx + vy + c2))
    return ssim.mean()


@given(
    seed=st.integers(0, 99),
    crop=st.integers(0, 3),
    channel=st.sampled_from(["rgb", "luma"]),
    grey=st.booleans(),
)
def test_psnr_equals_the_formula(seed, crop, channel, grey):
    target, image = pair(*((9, 12) if grey else (9, 12, 3)), seed=seed)
    ours = peak_signal_noise_ratio(target, image, channel=channel, crop_border=crop)
    target, image = (part[crop : 9 - crop, crop : 12 - crop] for part in (target, image))
    if channel == "luma" and not grey:
        target, image = slow_luma(target), slow_luma(image)
    assert_allclose(ours, slow_psnr(target, image, 255), rtol=1e-12)


@given(
    seed=st.integers(0, 99),
    spread=st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
    data_range=st.sampled_from([255, 65535, 1000.0]),
)
def test_psnr_is_that_of_scikit_image_to_the_last_bit(seed, spread, data_range):
    target, image = pair(11, 13, 3, seed=seed, spread=spread)
    with np.errstate(divide="ignore"):
        expected = psnr_of_scikit_image(target.astype(float), image, data_range=data_range)
    assert peak_signal_noise_ratio(target, image, data_range=data_range) == expected


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_error_maps_are_absolute_errors_averaged_over_the_channels(shape):
    target, image = pair(*shape)
    expected = np.zeros(shape[:2])
    for place in np.ndindex(shape):
        error = abs(float(target[place]) - image[place])
        expected[place[:2]] += error * expected.size / target.size
    assert_allclose(error_map(target, image), expected, rtol=1e-12)


@given(seed=st.integers(0, 20), crop=st.integers(0, 2), channel=st.sampled_from(["rgb", "luma"]))
def test_ssim_equals_the_formula(seed, crop, channel):
    target, image = pair(17, 16, 3, seed=seed)
    ours = structural_similarity(target, image, channel=channel, crop_border=crop)
    target, image = (part[crop : 17 - crop, crop : 16 - crop] for part in (target, image))
    if channel == "luma":
        expected = slow_ssim(slow_luma(target), slow_luma(image), 255)
    else:
        expected = np.mean([slow_ssim(target[..., c], image[..., c], 255) for c in range(3)])
    assert_allclose(ours, expected, rtol=1e-9)


@given(
    seed=st.integers(0, 99),
    size=st.tuples(st.integers(11, 40), st.integers(11, 40)),
    n_channels=st.sampled_from([None, 1, 3, 5]),
    spread=st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
    contrast=st.sampled_from([0.0, 0.01, 1.0]),
    peak=st.sampled_from([1.0, 255, 65535]),
    crop=st.integers(0, 2),
)
def test_ssim_is_that_of_scikit_image(seed, size, n_channels, spread, contrast, peak, crop):
    """Of flat images as well, whose variances are nothing but what is left by rounding."""
    size = tuple(n + 2 * crop for n in size)
    shape = size if n_channels is None else (*size, n_channels)
    target, image = pair(*shape, seed=seed, spread=spread)
    target, image = (peak * (0.9 + contrast * (part / 255 - 0.9)) for part in (target, image))
    ours = structural_similarity(target, image, crop_border=crop, data_range=peak)
    inner = (slice(crop, size[0] - crop), slice(crop, size[1] - crop))
    expected = ssim_of_scikit_image(
        target[inner],
        image[inner],
        data_range=peak,
        channel_axis=None if n_channels is None else -1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert_allclose(ours, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_compared_without_overflow(dtype):
    peak = np.iinfo(dtype).max
    target = np.random.default_rng(0).integers(0, peak + 1, (20, 24, 3)).astype(dtype)
    image = target[::-1].copy()
    for metric in METRICS:
        assert metric(target, image, data_range=peak) == metric(
            target.astype(float), image.astype(float), data_range=peak
        )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channel", ["rgb", "luma"])
@pytest.mark.parametrize("data_range", [1.0, 65535])
def test_only_the_share_of_the_range_counts(metric, channel, data_range):
    target, image = pair(20, 24, 3)
    factor = data_range / 255
    scaled = metric(target * factor, image * factor, channel=channel, data_range=data_range)
    assert_allclose(scaled, metric(target, image, channel=channel), rtol=1e-9)


def test_white_and_black_have_the_luma_of_the_studio_range():
    """235 and 16: 219 apart. A grey image is compared as it is: 255 apart."""
    white, black = np.full((4, 4, 3), 255), np.zeros((4, 4, 3))
    psnr = peak_signal_noise_ratio(white, black, channel="luma")
    assert_allclose(psnr, 20 * math.log10(255 / 219), rtol=1e-12)
    assert peak_signal_noise_ratio(white[..., 0], black[..., 0], channel="luma") == 0


@pytest.mark.parametrize("channel", ["rgb", "luma"])
@pytest.mark.parametrize(
    ("dtype", "peak"), [("f2", 65504), ("f2", 255), ("f4", 2.0**84), ("g", 300)]
)
def test_a_peak_of_any_dtype_is_one_in_double_precision(channel, dtype, peak):
    """The square of half or single precision may be infinite, and long doubles are no images."""
    target, image = pair(20, 24, 3)
    for metric in METRICS:
        ours = metric(target, image, channel=channel, data_range=np.dtype(dtype).type(peak))
        assert ours == metric(target, image, channel=channel, data_range=peak)


@pytest.mark.parametrize("difference", [1e-100, 1e-160, 1e-200, 5e-324])
def test_only_what_is_equal_is_infinitely_good(difference):
    target = np.zeros((12, 12))
    expected = 20 * (math.log10(255) - math.log10(difference))
    assert peak_signal_noise_ratio(target, target + difference) == pytest.approx(expected)


@pytest.mark.parametrize("channel", ["rgb", "luma"])
def test_identical_images_are_infinitely_good_without_a_warning(channel):
    target, _ = pair(12, 12, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert peak_signal_noise_ratio(target, target, channel=channel) == math.inf
        assert structural_similarity(target, target, channel=channel) == 1


def test_the_border_is_cut_off_before_the_conversion_and_rounding_nothing():
    target, image = pair(16, 18, 3)
    spoilt = image.copy()
    spoilt[:2], spoilt[-2:], spoilt[:, :2], spoilt[:, -2:] = np.nan, np.inf, 1e9, -1e9
    for metric in METRICS:
        assert metric(target, spoilt, crop_border=2) == metric(target, image, crop_border=2)
    assert peak_signal_noise_ratio(target, target + 0.25) == pytest.approx(
        20 * math.log10(255 / 0.25)
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((np.zeros((12, 12)), np.zeros((12, 13))), {}, r"\(12, 12\) and image \(12, 13\)"),
        ((np.zeros(12), np.zeros(12)), {}, r"\(12,\), must be"),
        ((np.zeros((12, 12, 2)),) * 2, {"channel": "luma"}, "needs grey or RGB"),
        ((np.zeros((12, 12)),) * 2, {"channel": "y"}, "channel == 'y'"),
        ((np.zeros((12, 12)),) * 2, {"crop_border": -1}, "crop_border == -1"),
        ((np.zeros((12, 16)),) * 2, {"crop_border": 6}, "A `crop_border` of 6 leaves nothing"),
        ((np.zeros((12, 16)),) * 2, {"crop_border": 7}, "A `crop_border` of 7 leaves nothing"),
        ((np.zeros((12, 12)),) * 2, {"data_range": 0}, "data_range == 0"),
        ((np.zeros((12, 12)),) * 2, {"data_range": np.inf}, "data_range == inf"),
        (
            (np.eye(12), np.ones((12, 12))),
            {"data_range": 1e-300},
            "1e-300, must be at least 1e-150",
        ),
        ((np.full((12, 12), 256),) * 2, {}, "data_range == 255, .* up to 256"),
        (
            (np.zeros((12, 12)), np.full((12, 12), -1e200)),
            {},
            "image has values up to 1e.200, must",
        ),
        (
            (np.full((12, 12), 2**63, "u8"),) * 2,
            {"data_range": 1e20},
            r"target has values up to 9\.22",
        ),
    ],
)
def test_mistakes_are_named(metric, arguments, options, words):
    with pytest.raises(ValueError, match=words):
        metric(*arguments, **options)


def test_too_few_pixels_for_the_window():
    with pytest.raises(ValueError, match="`crop_border` of 1 leaves 10 x 18"):
        structural_similarity(np.zeros((12, 20)), np.zeros((12, 20)), crop_border=1)


@pytest.mark.parametrize("measure", [peak_signal_noise_ratio, structural_similarity])
def test_values_from_0_to_1_need_their_data_range(measure):
    target = np.linspace(0, 1, 256).reshape(16, 16)
    with pytest.raises(ValueError, match="data_range == 255, but target has values up to 1; "):
        measure(target, target / 2)
    scaled = measure(255 * target, 255 * target / 2)
    assert measure(target, target / 2, data_range=1) == pytest.approx(scaled)
