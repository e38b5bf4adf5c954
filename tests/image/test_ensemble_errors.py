"""Images that do not fit together, or not to those of `fit`, are named by ImageEnsemble."""

import numpy as np
import pytest
import sklearn
from noisy_images import Adding, images

from skensir.baselines import AverageRegressor
from skensir.image import ImageEnsemble


def spoil(predictions, targets, what):
    """Make the third of four images one that does not fit."""
    if what == "model":
        predictions[2] = predictions[2][:2]
    elif what == "channel":
        predictions[2], targets[2] = predictions[2][..., :2], targets[2][..., :2]
    elif what == "grey":
        predictions[2], targets[2] = predictions[2][..., 0], targets[2][..., 0]
    elif what == "size":
        targets[2] = targets[2][:-1]
    elif what == "depth":
        predictions[2], targets[2] = (a[2].astype(np.uint16) for a in (predictions, targets))
    elif what == "target depth":
        targets[2] = targets[2].astype(np.uint16)


# Images of a fit are compared with the first, those of later calls with the fit.
LIKE = "( as before|, as those of the fit are)"
MISTAKES = {
    "model": f"Image 2: there are 2 models, must be 3{LIKE}",
    "channel": f"Image 2: there are 2 channels, must be 3{LIKE}",
    "grey": r"Image 2: the predictions are 3 x 16 x 16, .* channel_axis=None",
    "size": r"Image 2: each prediction is 16 x 16 x 3, but the target 15 x 16 x 3",
    "depth": f"Image 2: the pixels are of 16 bits, must be of 8 bits{LIKE}",
    "target depth": "Image 2: the predictions are of 8 bits, but the target is of 16 bits",
}


@pytest.mark.parametrize("what", MISTAKES)
@pytest.mark.parametrize("regressor", [AverageRegressor(), Adding()])
def test_images_that_do_not_fit_together(what, regressor):
    predictions, targets = images()
    fitted = ImageEnsemble(regressor).fit(predictions, targets)
    spoil(predictions, targets, what)
    with pytest.raises(ValueError, match=MISTAKES[what]):
        ImageEnsemble(regressor).fit(predictions, targets)
    with pytest.raises(ValueError, match=MISTAKES[what]):
        fitted.score(predictions, targets)
    if what not in ("size", "target depth"):
        with pytest.raises(ValueError, match=MISTAKES[what]):
            fitted.predict(predictions)


def test_images_of_no_model():
    predictions, targets = images()
    with pytest.raises(ValueError, match="Image 0: the predictions are 0 x 24 x 30 x 3, must have"):
        ImageEnsemble().fit([prediction[:0] for prediction in predictions], targets)


def test_colour_among_grey():
    predictions, targets = images(n_channels=None)
    predictions[1], targets[1] = (np.stack([a[1]] * 3, axis=-1) for a in (predictions, targets))
    with pytest.raises(ValueError, match=r"Image 1: .* as images are grey; .* channel_axis=-1"):
        ImageEnsemble(channel_axis=None).fit(predictions, targets)


def test_different_numbers_of_images():
    predictions, targets = images()
    with pytest.raises(ValueError, match="targets has 3 images only, predictions has more"):
        ImageEnsemble().fit(predictions, targets[:3])
    with pytest.raises(ValueError, match="predictions has 2 images only, targets has more"):
        ImageEnsemble().fit(predictions[:2], targets)
    with pytest.raises(ValueError, match="at least one"):
        ImageEnsemble().fit([], [])
    with pytest.raises(ValueError, match="at least one"):
        ImageEnsemble().fit(predictions, targets).score([], [])


def test_an_image_without_channels_is_an_error():
    with pytest.raises(ValueError, match=r"Image 0: .* shape \(2, 4, 4, 0\), without a channel"):
        ImageEnsemble().fit([np.zeros((2, 4, 4, 0))], [np.zeros((4, 4, 0))])


@pytest.mark.parametrize("n_channels", [3, None])
def test_one_array_is_no_sequence_of_images(n_channels):
    predictions, targets = images(n_channels=n_channels)
    ensemble = ImageEnsemble(channel_axis=n_channels and -1).fit(predictions, targets)
    for call in (
        lambda: ensemble.predict(predictions[0]),
        lambda: ensemble.predict_weights(predictions[0]),
        lambda: ensemble.fit(predictions[0], targets[0]),
    ):
        with pytest.raises(ValueError, match="one array per image; put that of a single image"):
            call()


def test_channel_axis_that_makes_no_sense():
    predictions, targets = images()
    for channel_axis in (3, -4, "last"):
        with pytest.raises(ValueError, match=f"channel_axis == {channel_axis!r}"):
            ImageEnsemble(channel_axis=channel_axis).fit(predictions, targets)


def test_predicting_before_fitting():
    predictions, targets = images()
    for call in (
        lambda: ImageEnsemble().predict(predictions),
        lambda: ImageEnsemble().predict_weights(predictions),
        lambda: ImageEnsemble().score(predictions, targets),
    ):
        with pytest.raises(sklearn.exceptions.NotFittedError):
            call()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_depth_is_that_of_all_images_that_have_one(order):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (2, 6, 7)).astype(dtype) for dtype in ("f4", "u1", "u2")]
    targets = [image[0] for image in images]
    chosen = [images[i] for i in order], [targets[i] for i in order]
    ensemble = ImageEnsemble(channel_axis=None).fit(*chosen)
    assert ensemble.pixel_dtype_ == np.uint8
    with pytest.raises(ValueError, match="Image 0: the pixels are of 16 bits, must be of 8 bits"):
        ensemble.predict(images[2:])
    with pytest.raises(ValueError, match="Image 2: the pixels are of 16 bits, must be of 8 bits"):
        ImageEnsemble(channel_axis=None).fit(images, targets)
