"""Images give what their pixels give as rows, however they lie in memory and are cut."""

import numpy as np
import pytest
from drawn import (
    LAYOUTS,
    OBJECTIVES,
    SEEDS,
    Rows,
    assert_same_fit,
    laid_out,
    make,
    quiet,
    share_of_cases,
)
from hypothesis import given
from hypothesis import strategies as st

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.image import ImageEnsemble, read_image, write_image

# Axes of an image in memory, outermost first, M that of the models.
ORDERS = ("MHWC", "HWCM", "HWMC", "CMHW", "MCHW", "WHCM")
PARAMS = st.builds(
    lambda objective, width: {**objective, "bin_width": width},
    OBJECTIVES,
    st.sampled_from(["auto", 8.0, 64.0]),
)
few = share_of_cases(0.5)


@st.composite
def drawn_images(draw, *, dtypes=("u1", "u2", "f4", "f8")):
    """Draw whole-numbered images (M, H, W, C) of several sizes, and their truth."""
    rng = np.random.default_rng(draw(SEEDS))
    n_models, n_channels = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    dtype = draw(st.sampled_from(dtypes))
    predictions, targets = [], []
    for _ in range(draw(st.integers(1, 3))):
        shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)), n_channels)
        target = rng.integers(2, 250, shape)
        spread = rng.integers(1, 12)
        noise = rng.integers(-spread, spread + 1, (n_models, *shape))
        predictions.append(np.clip(target + noise, 0, 255).astype(dtype))
        targets.append(target.astype(dtype))
    return predictions, targets


def pixels(predictions, targets, channel):
    """Return the rows of one channel of all images, None for those of all channels."""
    chosen = slice(None) if channel is None else slice(channel, channel + 1)
    X = [image[..., chosen].reshape(len(image), -1).T for image in predictions]
    return Rows(np.concatenate(X), np.concatenate([t[..., chosen].ravel() for t in targets]), None)


def in_order(image, order):
    """Return the same image, (M, H, W, C), whose axes lie in memory in this order."""
    places = ["MHWC".index(letter) for letter in order]
    return np.ascontiguousarray(image.transpose(places)).transpose(np.argsort(places))


def assert_same_images(images, expected):
    for one, other in zip(images, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@few
@given(drawn_images(), PARAMS, st.booleans())
def test_an_ensemble_is_a_regressor_per_channel_on_its_pixels(images, params, per_channel):
    predictions, targets = images
    # The first image alone would tell the range of floats.
    ensemble = ImageEnsemble(make(params, data_range=255), per_channel=per_channel)
    with quiet():
        ensemble.fit(predictions, targets)
        channels = range(targets[0].shape[2]) if per_channel else [None]
        rows = [pixels(predictions, targets, channel) for channel in channels]
        expected = [make(params, data_range=255).fit(*of_channel) for of_channel in rows]
    for model, other in zip(ensemble.regressors_, expected, strict=True):
        assert_same_fit(model, other)
    for image, combined, weights in zip(
        predictions, ensemble.predict(predictions), ensemble.predict_weights(predictions),
        strict=True,
    ):  # fmt: skip
        for number, channel in enumerate(channels):
            X = pixels([image], [image[0]], channel).X
            part = slice(None) if channel is None else slice(channel, channel + 1)
            found = combined[..., part].ravel()
            np.testing.assert_array_equal(found, expected[number].predict(X))
            found = weights[..., part].reshape(len(image), -1).T
            np.testing.assert_array_equal(found, expected[number].predict_weights(X))


@few
@given(
    drawn_images(),
    PARAMS,
    st.sampled_from(ORDERS),
    st.sampled_from(LAYOUTS),
    st.booleans(),
    SEEDS,
)
def test_how_images_lie_in_memory_does_not_matter(images, params, order, layout, per_channel, seed):
    predictions, targets = images
    rng = np.random.default_rng(seed)
    ensemble = ImageEnsemble(EnsIRRegressor(**params), per_channel=per_channel)
    with quiet():
        ensemble.fit(predictions, targets)
        laid = [laid_out(in_order(image, order), layout, rng) for image in predictions]
        truth = [laid_out(target, layout, rng) for target in targets]
        other = ImageEnsemble(EnsIRRegressor(**params), per_channel=per_channel, n_jobs=2)
        other.fit(iter(laid), iter(truth))  # images are taken one by one
    assert other.pixel_dtype_ == ensemble.pixel_dtype_
    for one, expected in zip(other.regressors_, ensemble.regressors_, strict=True):
        assert_same_fit(one, expected)
    expected = ensemble.predict(predictions)
    assert_same_images(other.predict(laid), expected)
    assert_same_images(other.predict_weights(laid), ensemble.predict_weights(predictions))
    assert_same_images(ensemble.predict(laid), expected)
    assert other.score(laid, truth) == ensemble.score(predictions, targets)


@few
@given(drawn_images(), PARAMS, SEEDS)
def test_neither_order_nor_cuts_of_images_matter(images, params, seed):
    predictions, targets = images
    rng = np.random.default_rng(seed)
    ensemble = ImageEnsemble(make(params, data_range=255))
    with quiet():
        ensemble.fit(predictions, targets)
        pieces = []
        for image, target in zip(predictions, targets, strict=True):
            cut = int(rng.integers(1, target.shape[0] + 1))
            pieces.append((image[:, :cut], target[:cut]))
            if cut < target.shape[0]:
                pieces.append((image[:, cut:], target[cut:]))
        pieces = [pieces[number] for number in rng.permutation(len(pieces))]
        other = ImageEnsemble(make(params, data_range=255)).fit(*zip(*pieces, strict=True))
    for one, expected in zip(other.regressors_, ensemble.regressors_, strict=True):
        assert_same_fit(one, expected)
    one_piece = other.predict([image for image, _ in pieces])
    whole = ensemble.predict([image for image, _ in pieces])
    assert_same_images(one_piece, whole)


@few
@given(drawn_images(), PARAMS, st.sampled_from([-3, -2, -1, 0, 1, 2]))
def test_the_input_is_one_more_model_and_channels_lie_on_any_axis(images, params, channel_axis):
    predictions, targets = images
    inputs = [
        image[0] // 2 + target // 2 for image, target in zip(predictions, targets, strict=True)
    ]
    stacked = [np.concatenate([p, i[None]]) for p, i in zip(predictions, inputs, strict=True)]

    def moved(images, more):
        return [np.moveaxis(image, -1, channel_axis % 3 + more) for image in images]

    with quiet():
        expected = ImageEnsemble(make(params, data_range=255)).fit(stacked, targets)
        ensemble = ImageEnsemble(
            make(params, data_range=255), include_input=True, channel_axis=channel_axis
        )
        ensemble.fit(moved(predictions, 1), moved(targets, 0), moved(inputs, 0))
    assert ensemble.n_models_ == len(stacked[0])
    for one, other in zip(ensemble.regressors_, expected.regressors_, strict=True):
        assert_same_fit(one, other)
    found = ensemble.predict(moved(predictions, 1), moved(inputs, 0))
    assert_same_images(found, moved(expected.predict(stacked), 0))


@share_of_cases(0.1)
@given(drawn_images(dtypes=("u1", "u2")), st.sampled_from(ORDERS), st.sampled_from(LAYOUTS), SEEDS)
def test_a_search_does_not_see_how_images_lie_in_memory(images, order, layout, seed):
    predictions, targets = images
    if len(predictions) < 2:
        predictions, targets = predictions * 2, targets * 2
    rng = np.random.default_rng(seed)
    with quiet():
        ensemble = ImageEnsemble(EnsIRRegressorCV()).fit(predictions, targets)
        laid = [laid_out(in_order(image, order), layout, rng) for image in predictions]
        other = ImageEnsemble(EnsIRRegressorCV()).fit(laid, targets)
    assert_same_images(other.predict(laid), ensemble.predict(predictions))
    for one, expected in zip(other.regressors_, ensemble.regressors_, strict=True):
        assert one.best_params_ == expected.best_params_
        np.testing.assert_array_equal(one.calibration_, expected.calibration_)


@pytest.mark.parametrize("dtype", [">u2", "<u2"])
def test_the_depth_of_pixels_does_not_follow_from_the_order_of_their_bytes(dtype, tmp_path):
    """16-bit images of many files come with the high byte first; they were taken for floats."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 1000, (9, 9, 1))
    image = np.stack([target + 3, target + 1]).astype(dtype)
    with quiet():
        ensemble = ImageEnsemble().fit([image], [target.astype(dtype)])
    assert ensemble.pixel_dtype_ == np.uint16
    assert ensemble.regressors_[0].data_range_ == 65535
    write_image(tmp_path / "deep.png", image[0, ..., 0], bits=16)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), image[0, ..., 0])
