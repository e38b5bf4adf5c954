"""What an ensemble is worth: held-out PSNR from sums is that of fitting and scoring again."""

import numpy as np
import pytest
from noisy_images import images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, ShuffleSplit

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor
from skensir.image import ImageEnsemble, fit_and_hold_out, peak_signal_noise_ratio
from skensir.image.search import search_for_images

TABLES = {
    "likelihood": EnsIRRegressor(),
    "as published": EnsIRRegressor(**REFERENCE_PARAMS),
    "squared error": EnsIRRegressor(objective="squared_error", shrinkage=100),
    "nested": EnsIRRegressor(16, objective="squared_error", shrinkage=30, shrink_to="parent"),
}


def refitted(ensemble, predictions, targets, held_out, n_folds=10):
    """Return the PSNR of an image after a fit on the images of the other folds."""
    others = [i for i in range(len(targets)) if i % n_folds != held_out % n_folds]
    slow = ImageEnsemble(**ensemble.get_params(deep=False))
    slow.fit([predictions[i] for i in others], [targets[i] for i in others])
    return slow.score([predictions[held_out]], [targets[held_out]])


@pytest.mark.parametrize("regressor", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize(("n_channels", "dtype"), [(3, np.uint8), (None, np.uint8), (3, np.uint16)])
def test_it_is_what_fitting_on_the_others_and_scoring_gives(regressor, n_channels, dtype):
    predictions, targets = images(n_channels=n_channels, dtype=dtype)
    axis = None if n_channels is None else -1
    ensemble = ImageEnsemble(regressor, channel_axis=axis)
    worth = fit_and_hold_out(ensemble, predictions, targets)
    expected = [refitted(ensemble, predictions, targets, number) for number in range(4)]
    # Truth in 16 bits is counted on fewer steps, which the likelihood alone sees.
    rounding = 1e-3 if dtype == np.uint16 and regressor.objective == "likelihood" else 1e-9
    assert_allclose(worth.ensemble, expected, rtol=0, atol=rounding)
    assert worth.n_folds == 4
    again = ImageEnsemble(regressor, channel_axis=axis).fit(predictions, targets)
    for one, other in zip(ensemble.regressors_, again.regressors_, strict=True):
        assert_array_equal(one.weights_, other.weights_)


def test_without_a_model_it_is_what_the_others_give():
    predictions, targets = images(n_models=4)
    worth = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    for model in range(4):
        others = [np.delete(image, model, axis=0) for image in predictions]
        expected = fit_and_hold_out(ImageEnsemble(), others, targets)
        assert_allclose(worth.without[model], expected.ensemble, atol=1e-9)
    assert_allclose(worth.losses, (worth.ensemble - worth.without).mean(axis=1))


def test_base_models_and_their_average_have_the_psnr_of_their_images():
    predictions, targets = images()
    worth = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    for number, (image, target) in enumerate(zip(predictions, targets, strict=True)):
        for model in range(3):
            psnr = peak_signal_noise_ratio(target, image[model])
            assert worth.base_models[model, number] == pytest.approx(psnr)
    average = ImageEnsemble(AverageRegressor()).fit(predictions, targets)
    assert worth.average.mean() == pytest.approx(average.score(predictions, targets))
    assert worth.model_names == ("0", "1", "2")


def test_of_many_images_a_tenth_is_held_out_and_each_image_has_its_psnr():
    predictions, targets = images([(12, 10 + number) for number in range(13)])
    ensemble = ImageEnsemble(EnsIRRegressor(objective="squared_error", shrinkage=10))
    worth = fit_and_hold_out(ensemble, predictions, targets)
    assert worth.n_folds == 10
    expected = [refitted(ensemble, predictions, targets, number) for number in range(13)]
    assert_allclose(worth.ensemble, expected, atol=1e-9)
    assert worth.base_models.shape == (3, 13)


def test_nothing_is_said_of_a_single_image_but_its_base_models():
    predictions, targets = images([(20, 20)])
    worth = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    assert np.isnan(worth.ensemble).all()
    assert np.isnan(worth.losses).all()
    assert np.isfinite(worth.base_models).all()
    assert not worth.loses


def test_the_worth_of_a_search_is_that_of_its_gains():
    """One grey image per fold: mean squared errors of folds are those of the images."""
    predictions, targets = images(n_channels=None)
    ensemble = ImageEnsemble(search_for_images(4), channel_axis=None)
    worth = fit_and_hold_out(ensemble, predictions, targets)
    [search] = ensemble.regressors_
    mse = 255**2 / 10 ** (worth.ensemble / 10)
    assert mse.mean() == pytest.approx(search.held_out_mse_)
    of_average = 255**2 / 10 ** (worth.average / 10)
    assert of_average.mean() == pytest.approx(search.gains_["average"]["mse"])
    plain = EnsIRRegressor(
        32, objective="squared_error", shrinkage=100, shrink_to="parent", data_range=255
    )
    slow = ImageEnsemble(plain, channel_axis=None)
    like = fit_and_hold_out(slow, predictions, targets)
    assert_allclose(worth.like_ensemble, like.ensemble, atol=1e-9)
    assert_allclose(worth.without, like.without, atol=1e-9)


def test_with_the_input_the_average_is_that_of_the_base_models():
    predictions, targets = images()
    inputs = [np.roll(target, 1, axis=1) for target in targets]
    ensemble = ImageEnsemble(search_for_images(4), include_input=True)
    worth = fit_and_hold_out(ensemble, predictions, targets, inputs)
    plain = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    assert_allclose(worth.average, plain.average)
    assert worth.base_models.shape == worth.without.shape == (4, 4)


def test_a_perfect_model_needs_no_other():
    predictions, targets = images()
    predictions = [
        np.concatenate([image, target[np.newaxis]])
        for image, target in zip(predictions, targets, strict=True)
    ]
    worth = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    assert np.isinf(worth.base_models[3]).all()
    assert worth.best_rival == ("3", np.inf)
    assert worth.loses == np.isfinite(worth.ensemble.mean())


def test_nothing_is_lost_where_nothing_can_be_gained():
    _, targets = images()
    perfect = [np.stack([target, target]) for target in targets]
    worth = fit_and_hold_out(ImageEnsemble(), perfect, targets)
    assert np.isinf(worth.ensemble).all()
    assert not worth.loses


def test_where_it_loses_other_tables_in_the_same_bins_are_tried():
    """The likelihood gives a share to a model that is far worse than the other."""
    rng = np.random.default_rng(0)
    targets = [rng.integers(0, 256, (48, 40, 3), dtype=np.uint8) for _ in range(4)]
    predictions = [
        np.stack([t + rng.normal(0, s, t.shape) for s in (2, 30)]).clip(0, 255) for t in targets
    ]
    predictions = [np.rint(image).astype(np.uint8) for image in predictions]
    worth = fit_and_hold_out(ImageEnsemble(), predictions, targets)
    assert worth.loses
    assert worth.best_rival[0] == "0"
    for shrinkage, psnr in worth.squared_error.items():
        table = EnsIRRegressor(objective="squared_error", shrinkage=shrinkage)
        expected = fit_and_hold_out(ImageEnsemble(table), predictions, targets)
        assert_allclose(psnr, expected.ensemble, atol=1e-9)
        if not expected.loses:
            assert not expected.squared_error


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_what_has_no_sums_is_an_error():
    predictions, targets = images()
    with pytest.raises(ValueError, match="must be an EnsIRRegressor or an EnsIRRegressorCV"):
        fit_and_hold_out(ImageEnsemble(LinearRegression()), predictions, targets)
    search = EnsIRRegressorCV(cv=ShuffleSplit(3, random_state=0))
    with pytest.raises(ValueError, match=r"cv == ShuffleSplit.* must hold out each row once"):
        fit_and_hold_out(ImageEnsemble(search), predictions, targets)


@pytest.mark.parametrize("axes", ["deviations", "summary"])
def test_cells_of_other_kinds_are_not_told_apart_without_a_model(axes):
    predictions, targets = images()
    table = EnsIRRegressor(4, objective="squared_error", axes=axes, min_samples_cell=0)
    searches = EnsIRRegressorCV(axes=axes, cv=LeaveOneGroupOut())
    for regressor in (table, searches):
        worth = fit_and_hold_out(ImageEnsemble(regressor), predictions, targets)
        assert np.isfinite(worth.ensemble).all()
        assert np.isnan(worth.losses).all()
