"""A search that gets image after image finds what it finds in all rows at once."""

import tracemalloc
import weakref

import numpy as np
import pytest
from noisy_images import SIZES, images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut

from skensir import EnsIRRegressorCV
from skensir._search import parts
from skensir.image import ImageEnsemble
from skensir.image.combining import rows_of
from skensir.image.search import search_for_images

IN_TURN = {"one image": LeaveOneGroupOut(), "two groups": GroupKFold(2), "default": None}


def of_all_rows(regressor, predictions, targets, channel=0, **params):
    """Return what one fit on the rows of all images gives."""
    X = np.concatenate([rows_of(image[..., channel]) for image in predictions])
    y = np.concatenate([target[..., channel].ravel() for target in targets])
    groups = np.repeat(range(len(targets)), [target[..., channel].size for target in targets])
    return clone(regressor).set_params(**params).fit(X, y, groups=groups), X


def assert_same_search(one, other, X, *, same_order=True):
    """Check that two searches have tried the same, found the same, and predict the same."""
    assert one.cv_results_["params"] == other.cv_results_["params"]
    assert one.best_params_ == other.best_params_
    for name in ("mean_test_score", "share", *(["split0_test_score"] if same_order else [])):
        assert_allclose(one.cv_results_[name], other.cv_results_[name], rtol=1e-10, atol=1e-12)
    assert one.held_out_mse_ == pytest.approx(other.held_out_mse_, rel=1e-12)
    for name, gain in one.gains_.items():
        assert gain == pytest.approx(other.gains_[name], rel=1e-7), name
    assert_allclose(one.predict(X), other.predict(X), rtol=1e-12)
    if same_order:
        for rows_one, rows_other in zip(
            one.predict_interval(X[:50]), other.predict_interval(X[:50]), strict=True
        ):
            assert_allclose(rows_one, rows_other, rtol=1e-12)


@pytest.mark.parametrize("cv", IN_TURN.values(), ids=IN_TURN)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"objectives": ("likelihood",)},
        {"objectives": ("squared_error", "likelihood"), "select": "best"},
        {"shrink_to": "pooled"},
        {"bin_widths": [24, 36, 48], "axes": "predictions"},
    ],
    ids=str,
)
def test_it_is_what_all_rows_at_once_give(cv, params):
    predictions, targets = images([(30, 24)] * 4)
    regressor = EnsIRRegressorCV(cv=cv, **params)
    ensemble = ImageEnsemble(regressor).fit(predictions, targets)
    expected, X = of_all_rows(regressor, predictions, targets, channel=1)
    same_order = not isinstance(cv, GroupKFold)  # which deals out from behind
    if cv is None:  # as it has it for images
        expected, X = of_all_rows(regressor, predictions, targets, 1, cv=LeaveOneGroupOut())
    assert_same_search(ensemble.regressors_[1], expected, X, same_order=same_order)


def test_sizes_may_differ_and_16_bits_and_floats_are_the_same():
    for dtype in (np.uint16, np.float64):
        predictions, targets = images(dtype=np.uint8 if dtype == np.float64 else dtype)
        predictions, targets = ([a.astype(dtype) for a in p] for p in (predictions, targets))
        regressor = search_for_images(4, 65535 if dtype == np.uint16 else 255)
        ensemble = ImageEnsemble(regressor).fit(predictions, targets)
        assert_same_search(ensemble.regressors_[0], *of_all_rows(regressor, predictions, targets))


@pytest.mark.parametrize("value", [0, 255])
def test_a_first_image_that_says_little_changes_no_settings(value):
    predictions, targets = images([(40, 50)] * 3)
    even = np.full((3, 40, 50, 3), value, np.uint8)
    predictions, targets = [even, *predictions], [even[0], *targets]
    regressor = search_for_images(4)
    ensemble = ImageEnsemble(regressor).fit(predictions, targets)
    for channel, search in enumerate(ensemble.regressors_):
        expected, X = of_all_rows(regressor, predictions, targets, channel)
        assert_same_search(search, expected, X)
    last = ImageEnsemble(regressor).fit(predictions[::-1], targets[::-1])
    assert last.regressors_[0].best_params_ == ensemble.regressors_[0].best_params_


def test_bins_with_too_many_cells_are_given_up_on_the_way(monkeypatch):
    """And what is found is what is found of all rows, whose bins are chosen before."""
    monkeypatch.setattr("skensir._search.candidates._MOST_CELLS", 150)
    predictions, targets = images([(40, 50)] * 4)
    predictions[0], targets[0] = np.zeros_like(predictions[0]), np.zeros_like(targets[0])
    regressor = search_for_images(4)
    ensemble = ImageEnsemble(regressor).fit(predictions, targets)
    expected, X = of_all_rows(regressor, predictions, targets)
    assert_same_search(ensemble.regressors_[0], expected, X)
    [sums] = ensemble.regressors_[0]._statistics
    for of_grid in zip(*sums.folds, strict=True):
        cells = np.unique(np.concatenate([fold.cells for fold in of_grid]), axis=0)
        assert len(cells) <= 150


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_splitters_of_rows_and_floats_of_unknown_range_have_all_rows_at_once():
    predictions, targets = images()
    floats = [image.astype(float) / 7 for image in predictions]
    truths = [target.astype(float) / 7 for target in targets]
    for cv, given, truth in (
        (KFold(3), predictions, targets),
        (LeaveOneGroupOut(), floats, truths),
    ):
        regressor = EnsIRRegressorCV(cv=cv)
        ensemble = ImageEnsemble(regressor).fit(given, truth)
        with np.errstate(all="raise"):
            X = np.concatenate([rows_of(image[..., 2]) for image in given])
            y = np.concatenate([target[..., 2].ravel() for target in truth])
            groups = (
                None if cv.__class__ is KFold else np.repeat(range(4), [h * w for h, w in SIZES])
            )
            expected = clone(regressor).fit(X, y, groups=groups)
        assert_array_equal(ensemble.regressors_[2].predict(X), expected.predict(X))


def test_more_images_may_follow():
    predictions, targets = images([(20, 24)] * 5)
    regressor = search_for_images(5)
    some = ImageEnsemble(regressor).fit(predictions[:4], targets[:4]).regressors_[0]
    some.partial_fit(
        rows_of(predictions[4][..., 0]), targets[4][..., 0].ravel(), groups=np.full(480, 4)
    )
    expected, X = of_all_rows(regressor, predictions, targets)
    assert some.solve().best_params_ == expected.best_params_
    assert_allclose(some.predict(X), expected.predict(X), rtol=1e-10)


def test_fewer_images_than_folds_are_an_error():
    predictions, targets = images()
    with pytest.raises(ValueError, match=r"cv == GroupKFold.* needs at least 5 images.* are 4"):
        ImageEnsemble(EnsIRRegressorCV(cv=GroupKFold(5))).fit(predictions, targets)


def test_images_are_let_go():
    drawn, most = [], 0
    _, targets = images(SIZES[:1])

    def draw():
        nonlocal most
        for seed in range(6):
            [prediction], _ = images(SIZES[:1], seed=seed)
            drawn.append(weakref.ref(prediction))
            most = max(most, sum(ref() is not None for ref in drawn))
            yield prediction
            del prediction

    search = EnsIRRegressorCV(32, axes="predictions", cv=LeaveOneGroupOut())
    search.set_params(bin_widths=[32])
    ImageEnsemble(search, per_channel=False).fit(draw(), targets * 6)
    assert most == 2  # the one at work and the next


def test_memory_follows_the_cells_of_the_folds_whatever_the_number_of_images():
    predictions, targets = images([(120, 160)], n_channels=None)

    def peak(n_images):
        drawn = (predictions[0].copy() for _ in range(n_images))
        truths = (targets[0].copy() for _ in range(n_images))
        ensemble = ImageEnsemble(search_for_images(n_images), channel_axis=None)
        tracemalloc.start()
        try:
            ensemble.fit(drawn, truths)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(12), peak(48)
    assert many < 1.1 * few


def test_rows_to_calibrate_by_are_evenly_spaced_over_the_images_of_a_fold(monkeypatch):
    monkeypatch.setattr(parts, "MAX_CALIBRATED", 100)
    some, rows = parts._SomeRows(), np.arange(5 * 160)
    for image in np.split(rows, 5):
        some.add(image[:, np.newaxis], image)
    kept = np.concatenate(some.y)
    assert 50 < len(kept) <= 100
    assert_array_equal(kept, rows[:: kept[1]])
    assert_array_equal(np.concatenate(some.X)[:, 0], kept)


@pytest.mark.parametrize("cv", [None, LeaveOneGroupOut()], ids=str)
def test_an_image_without_pixels_is_no_fold(cv):
    predictions, targets = images([(30, 24), (30, 24), (0, 24), (30, 24)])
    regressor = EnsIRRegressorCV([32.0], data_range=255.0, cv=cv)
    model = ImageEnsemble(regressor).fit(predictions, targets).regressors_[0]
    assert model.n_splits_ == 3
