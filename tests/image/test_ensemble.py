"""ImageEnsemble equals regressors on rows of pixels, and is an estimator like others."""

import pickle
import weakref

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from noisy_images import SIZES, Adding, images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._incremental import IncrementalRegressor
from skensir.baselines import AverageRegressor, ConvexRegressor
from skensir.image import ImageEnsemble, ReferenceSet, read_image, write_image


def pixels(predictions, targets, channel=slice(None)):
    """Return X and y pixel by pixel, in the order that people write them."""
    X = [np.stack([p[..., channel].ravel() for p in image], axis=1) for image in predictions]
    return np.concatenate(X), np.concatenate([t[..., channel].ravel() for t in targets])


def assert_images_equal(first, second):
    for a, b in zip(first, second, strict=True):
        assert_allclose(a, b, rtol=1e-12)


class AddingNothing(AverageRegressor, IncrementalRegressor):
    """An estimator of skensir that keeps no rows."""

    _solved_attributes = ("weights_",)

    def partial_fit(self, X, y, sample_weight=None):
        return self.fit(X, y, sample_weight)

    def _combiner(self, predictions):
        return None  # it has no table


# ---- the same as rows of pixels


def test_default_is_one_lookup_table_per_channel():
    predictions, targets = images()
    ensemble = ImageEnsemble().fit(predictions, targets)
    assert len(ensemble.regressors_) == ensemble.n_channels_ == ensemble.n_models_ == 3
    combined = ensemble.predict(predictions)
    weights = ensemble.predict_weights(predictions)
    for channel, regressor in enumerate(ensemble.regressors_):
        assert type(regressor) is EnsIRRegressor
        X, y = pixels(predictions, targets, channel)
        by_hand = EnsIRRegressor().fit(X, y)
        assert_allclose(regressor.weights_, by_hand.weights_, rtol=1e-9)
        in_image, _ = pixels(predictions[1:2], targets[1:2], channel)
        assert_allclose(combined[1][..., channel].ravel(), by_hand.predict(in_image), rtol=1e-9)
        assert_allclose(
            weights[1][..., channel].reshape(3, -1).T, by_hand.predict_weights(in_image), rtol=1e-9
        )


@pytest.mark.parametrize("regressor", [LinearRegression(), EnsIRRegressor(), ConvexRegressor()])
def test_one_regressor_for_all_channels(regressor):
    predictions, targets = images()
    ensemble = ImageEnsemble(regressor, per_channel=False).fit(predictions, targets)
    assert len(ensemble.regressors_) == 1
    assert ensemble.n_channels_ == 3
    by_hand = clone(regressor).fit(*pixels(predictions, targets))
    for prediction, target, ours in zip(
        predictions, targets, ensemble.predict(predictions), strict=True
    ):
        X, _ = pixels([prediction], [target])
        assert_allclose(ours.ravel(), by_hand.predict(X), rtol=1e-9)


@given(
    channel_axis=st.sampled_from([-3, -2, -1, 0, 1, 2]),
    per_channel=st.booleans(),
    n_models=st.integers(1, 4),
    n_channels=st.integers(1, 4),
)
def test_where_the_channels_lie_does_not_matter(channel_axis, per_channel, n_models, n_channels):
    predictions, targets = images(SIZES[:2], n_models=n_models, n_channels=n_channels)
    last = ImageEnsemble(ConvexRegressor(), per_channel=per_channel).fit(predictions, targets)
    axis = channel_axis % 3
    moved = [np.moveaxis(p, -1, axis + 1) for p in predictions]
    ensemble = clone(last).set_params(channel_axis=channel_axis)
    ensemble.fit(moved, [np.moveaxis(t, -1, axis) for t in targets])
    expected = [np.moveaxis(image, -1, axis) for image in last.predict(predictions)]
    assert_images_equal(ensemble.predict(moved), expected)


@pytest.mark.parametrize("per_channel", [True, False])
def test_grey_images(per_channel):
    predictions, targets = images(n_channels=None)
    ensemble = ImageEnsemble(EnsIRRegressor(), per_channel=per_channel, channel_axis=None)
    combined = ensemble.fit(predictions, targets).predict(predictions)
    assert ensemble.n_channels_ == len(ensemble.regressors_) == 1
    colour = ImageEnsemble(EnsIRRegressor()).fit(
        [p[..., np.newaxis] for p in predictions], [t[..., np.newaxis] for t in targets]
    )
    expected = colour.predict([p[..., np.newaxis] for p in predictions])
    assert_images_equal(combined, [image[..., 0] for image in expected])
    assert [w.shape for w in ensemble.predict_weights(predictions)] == [(3, *s) for s in SIZES]


@pytest.mark.parametrize("channel_axis", [-1, 0, None])
def test_weights_give_the_prediction(channel_axis):
    predictions, targets = images(n_channels=None if channel_axis is None else 3)
    if channel_axis == 0:
        predictions = [np.moveaxis(p, -1, 1) for p in predictions]
        targets = [np.moveaxis(t, -1, 0) for t in targets]
    ensemble = ImageEnsemble(channel_axis=channel_axis).fit(predictions, targets)
    weights = ensemble.predict_weights(predictions)
    for p, w, combined in zip(predictions, weights, ensemble.predict(predictions), strict=True):
        assert w.shape == p.shape
        assert_allclose(w.sum(axis=0), 1)
        assert_allclose((w * p).sum(axis=0), combined)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_not_converted_and_results_are_not_rounded(dtype):
    seen = []

    class Watching(AverageRegressor):
        def fit(self, X, y):
            seen.append((X.dtype, y.dtype))
            return super().fit(X, y)

        def predict(self, X):
            seen.append((X.dtype,))
            return super().predict(X)

    predictions, targets = images(dtype=dtype)
    combined = ImageEnsemble(Watching()).fit(predictions, targets).predict(predictions)
    assert {d for dtypes in seen for d in dtypes} == {np.dtype(dtype)}
    assert_images_equal(combined, [p.mean(axis=0, dtype=np.float64) for p in predictions])
    assert {image.dtype for image in combined} == {np.dtype(np.float64)}


# ---- image by image


@pytest.mark.parametrize("per_channel", [True, False])
def test_estimators_whose_parts_add_up_get_image_after_image(per_channel):
    predictions, targets = images()
    ensemble = ImageEnsemble(Adding(), per_channel=per_channel).fit(predictions, targets)
    sizes = [t.size // (3 if per_channel else 1) for t in targets]
    assert [r.parts_ for r in ensemble.regressors_] == [sizes] * (3 if per_channel else 1)
    stacked = ImageEnsemble(ConvexRegressor(), per_channel=per_channel).fit(predictions, targets)
    assert_images_equal(ensemble.predict(predictions), stacked.predict(predictions))
    # A second fit starts anew.
    again = ensemble.fit(predictions[:1], targets[:1])
    assert [r.parts_ for r in again.regressors_] == [sizes[:1]] * (3 if per_channel else 1)


@pytest.mark.parametrize("regressor", [AddingNothing(), AverageRegressor()])
def test_images_are_let_go_where_parts_add_up(regressor):
    drawn, most = [], 0
    n_images = 8

    def draw():
        nonlocal most
        for _ in range(n_images):
            [prediction], _ = images(SIZES[:1])
            drawn.append(weakref.ref(prediction))
            most = max(most, sum(ref() is not None for ref in drawn))
            yield prediction
            del prediction

    _, targets = images(SIZES[:1])
    # All channels at once, as taking one makes a copy.
    ensemble = ImageEnsemble(regressor, per_channel=False).fit(draw(), targets * n_images)
    assert most == (2 if isinstance(regressor, IncrementalRegressor) else n_images)
    most, drawn[:] = 0, []
    ensemble.predict(draw())
    assert most == 2  # the one at work and the next


def test_partial_fit_of_others_is_not_used_as_it_is_no_fit():
    predictions, targets = images()
    predictions, targets = [p / 255 for p in predictions], [t / 255 for t in targets]
    regressor = SGDRegressor(random_state=0)
    ensemble = ImageEnsemble(regressor).fit(predictions, targets)
    by_hand = clone(regressor).fit(*pixels(predictions, targets, 1))
    assert_allclose(ensemble.regressors_[1].coef_, by_hand.coef_)


def test_any_iterable_will_do():
    predictions, targets = images()
    expected = ImageEnsemble().fit(predictions, targets).predict(predictions)
    ensemble = ImageEnsemble().fit((p for p in predictions), iter(targets))
    assert_images_equal(ensemble.predict(p for p in predictions), expected)
    same_size = np.stack(predictions[:1] * 2), np.stack(targets[:1] * 2)
    assert len(ImageEnsemble().fit(*same_size).predict(same_size[0])) == 2


def test_groups_are_the_numbers_of_the_images():
    predictions, targets = images()
    regressor = EnsIRRegressorCV([32, 64], shrinkages=(0, 10), cv=LeaveOneGroupOut())
    ensemble = ImageEnsemble(regressor).fit(predictions, targets)
    X, y = pixels(predictions, targets, 2)
    groups = np.repeat(range(4), [t[..., 0].size for t in targets])
    by_hand = clone(regressor).fit(X, y, groups=groups)
    assert ensemble.regressors_[2].n_splits_ == 4
    assert_allclose(
        ensemble.regressors_[2].cv_results_["mean_test_score"],
        by_hand.cv_results_["mean_test_score"],
        rtol=1e-9,
    )


# ---- score


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64, np.int64])
def test_score_is_the_mean_psnr_with_the_peak_of_the_dtype(dtype):
    predictions, targets = images(dtype=np.uint16 if dtype == np.uint16 else np.uint8)
    targets = [target.astype(dtype) for target in targets]
    ensemble = ImageEnsemble(AverageRegressor()).fit(predictions, targets)
    peak = 65535 if dtype == np.uint16 else 255
    expected = [
        20 * np.log10(peak) - 10 * np.log10(np.mean((p.mean(axis=0) - t) ** 2))
        for p, t in zip(predictions, targets, strict=True)
    ]
    assert ensemble.score(predictions, targets) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("regressor", [EnsIRRegressor(), LinearRegression()], ids=str)
def test_a_score_of_floats_whose_peak_is_not_known_says_what_to_do(regressor):
    predictions, targets = images()
    predictions, targets = ([p / 127.5 - 1 for p in part] for part in (predictions, targets))
    ensemble = ImageEnsemble(regressor).fit(predictions, targets)
    with pytest.raises(
        ValueError, match=r"^targets has floats from -\S+ to \S+, whose peak is not"
    ):
        ensemble.score(predictions, targets)
    given = ImageEnsemble(EnsIRRegressor(data_range=2)).fit(predictions, targets)
    assert 20 < given.score(predictions, targets) < 60


# ---- an estimator like others


def test_grid_search_over_a_list_of_images():
    predictions, targets = images(sizes=SIZES * 2)
    grid = {"regressor__bin_width": [16.0, 64.0, 512.0], "per_channel": [True, False]}
    search = GridSearchCV(ImageEnsemble(EnsIRRegressor(min_samples_cell=20)), grid, cv=2)
    search.fit(predictions, targets)
    # One bin for all values cannot tell where which model is good.
    assert search.best_params_["regressor__bin_width"] != 512
    assert isinstance(search.best_estimator_, ImageEnsemble)
    train, test = slice(4, None), slice(None, 4)  # of the first split
    by_hand = clone(search.estimator).set_params(**search.cv_results_["params"][0])
    by_hand.fit(predictions[train], targets[train])
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(
        by_hand.score(predictions[test], targets[test])
    )
    assert_images_equal(search.predict(predictions), search.best_estimator_.predict(predictions))


def test_parameters_clones_and_pickles():
    predictions, targets = images()
    ensemble = ImageEnsemble(EnsIRRegressor(16)).set_params(regressor__bin_width=64)
    assert ensemble.get_params()["regressor__bin_width"] == 64
    assert is_regressor(ensemble)
    copy = clone(ensemble)
    assert copy.regressor is not ensemble.regressor
    regressor = ensemble.regressor
    ensemble.fit(predictions, targets)
    assert ensemble.regressor is regressor
    assert not hasattr(regressor, "weights_")
    again = pickle.loads(pickle.dumps(ensemble))
    assert_images_equal(again.predict(predictions), ensemble.predict(predictions))
    assert "EnsIRRegressor" in repr(ensemble)
    assert "EnsIRRegressor" in ensemble._repr_html_()


def test_weights_are_shown_where_the_regressor_shows_them():
    assert hasattr(ImageEnsemble(), "predict_weights")
    assert not hasattr(ImageEnsemble(LinearRegression()), "predict_weights")


def test_images_are_no_metadata_that_could_be_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        predictions, targets = images()
        assert not hasattr(ImageEnsemble(), "set_fit_request")
        scores = cross_val_score(
            ImageEnsemble(AverageRegressor()), predictions, targets, cv=2, params={}
        )
    assert np.isfinite(scores).all()


# ---- a reference set


@pytest.fixture
def folder(tmp_path):
    """Write a reference set of 16 bits in which every last bit matters."""
    predictions, targets = images(dtype=np.uint16)
    for i, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        parts = {"gt": target, "C": prediction[0], "A": prediction[1], "B": prediction[2]}
        for part, image in parts.items():
            (tmp_path / part).mkdir(exist_ok=True)
            write_image(tmp_path / part / f"scene {i}.png", image)
    return tmp_path


def test_16_bits_survive_from_file_to_file(folder):
    """Of a perfect model: the file that is written equals the truth, bit by bit."""
    for path in (folder / "gt").iterdir():
        (folder / "B" / path.name).write_bytes(path.read_bytes())
    reference_set = ReferenceSet(folder, ["A", "B", "C"])
    regressor = EnsIRRegressor(8192, objective="squared_error", min_samples_cell=0)
    ensemble = ImageEnsemble(regressor).fit(reference_set.predictions, reference_set.targets)
    restored = ensemble.predict(reference_set.predictions)
    for name, image, target in zip(
        reference_set.names, restored, reference_set.targets, strict=True
    ):
        assert (target % 256).any()
        write_image(folder / f"{name}.png", image, bits=16)
        again = read_image(folder / f"{name}.png")
        assert again.dtype == np.uint16
        assert_array_equal(again, target)


def test_a_reference_set_gives_what_arrays_give(folder):
    reference_set = ReferenceSet(folder, ["C", "A", "B"])
    predictions, targets = images(dtype=np.uint16)
    regressor = EnsIRRegressor(8192)
    ours = ImageEnsemble(regressor).fit(reference_set.predictions, reference_set.targets)
    expected = ImageEnsemble(regressor).fit(predictions, targets)
    assert_images_equal(ours.predict(reference_set.predictions), expected.predict(predictions))
    assert ours.score(reference_set.predictions, reference_set.targets) == pytest.approx(
        expected.score(predictions, targets)
    )
    assert (ours.model_names_, expected.model_names_) == (("C", "A", "B"), None)
    grid = {"regressor__bin_width": [8192, 32768]}
    search = GridSearchCV(ImageEnsemble(EnsIRRegressor()), grid, cv=2)
    search.fit(reference_set.predictions, reference_set.targets)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_models_in_another_order_are_an_error(folder):
    reference_set = ReferenceSet(folder, ["C", "A", "B"])
    ensemble = ImageEnsemble(AverageRegressor())
    ensemble.fit(reference_set.predictions, reference_set.targets)
    reordered = ReferenceSet(folder, ["A", "B", "C"], target=None)
    with pytest.raises(ValueError, match="A, B, C; the ensemble was fitted on C, A, B"):
        ensemble.predict(reordered.predictions)


def test_errors_name_the_scene_and_its_files(folder):
    write_image(folder / "gt" / "scene 2.png", np.zeros((3, 4, 3), np.uint16))
    reference_set = ReferenceSet(folder)
    message = r"Scene 'scene 2' \(.*A.scene 2.png, ..., .*gt.scene 2.png\): each prediction is"
    with pytest.raises(ValueError, match=message):
        ImageEnsemble().fit(reference_set.predictions, reference_set.targets)
