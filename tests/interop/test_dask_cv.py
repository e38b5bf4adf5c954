"""Cross-validation on dask collections has the results of that in memory."""

import numpy as np
import pytest
from dask_chunks import NAMES, as_frame, assert_same_results, da, dd, in_chunks, replaced, stacked
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV

pytestmark = pytest.mark.usefixtures("in_this_thread")


def grouped(kind, *, whole):
    """Return X, y, weights and groups twice: in memory and lazy."""
    X, y, weight = stacked(1200)
    if whole:
        X, y = np.rint(X).astype(np.int32), np.rint(y).astype(np.int32)
    groups = np.random.default_rng(1).integers(0, 6, len(y)) ** 2  # of different sizes
    if kind == "frame":
        frame = as_frame(X, y, weight, scene=np.char.add("scene ", groups.astype(str)))
        lazy = dd.from_pandas(frame, npartitions=4)
        return [[f[NAMES], f.y, f.weight, f.scene] for f in (frame, lazy)]
    arrays = [X, y, weight, groups]
    lazies = in_chunks(*arrays, chunks=250)
    if kind == "array of unknown lengths":
        lazies = [array[lazies[0][:, 0] > 30] for array in lazies]
        arrays = [array[X[:, 0] > 30] for array in arrays]
    return arrays, lazies


@pytest.mark.filterwarnings("ignore:EM came to its limit")
@pytest.mark.parametrize("kind", ["array", "array of unknown lengths", "frame"])
@pytest.mark.parametrize(
    ("cv", "bin_widths", "objectives"),
    [
        (5, "auto", ["squared_error"]),
        (3, [20.0, 40.0, 60.0], ["likelihood", "squared_error"]),
        (KFold(4), [16, 512], ["likelihood"]),
        (LeaveOneGroupOut(), "auto", ["squared_error"]),
        (LeaveOneGroupOut(), [30.0], ["likelihood"]),
        (GroupKFold(3), [24, 32, 64], ["squared_error"]),
    ],
)
def test_cross_validation_has_the_results_of_the_plain_estimator(kind, cv, bin_widths, objectives):
    whole = objectives == ["likelihood"]
    (*data, groups), (*lazy, lazy_groups) = grouped(kind, whole=whole)
    if not isinstance(cv, LeaveOneGroupOut | GroupKFold):
        groups = lazy_groups = None
    params = {"shrinkages": (0, 100), "cv": cv, "objectives": objectives, "max_iter": 20, "tol": 0}
    plain = EnsIRRegressorCV(bin_widths, **params).fit(*data, groups=groups)
    model = DaskEnsIRRegressorCV(bin_widths, **params).fit(*lazy, groups=lazy_groups)
    assert_same_results(model, plain)
    assert all(type(part) is DaskEnsIRRegressor for part in model.estimators_)
    predicted = model.predict(lazy[0])
    assert isinstance(predicted, da.Array)
    np.testing.assert_allclose(predicted.compute(), plain.predict(data[0]), atol=1e-9)
    assert model.score(*lazy) == pytest.approx(plain.score(*data), rel=1e-9)
    local = model.to_local()
    assert type(local) is EnsIRRegressorCV
    assert all(type(part) is EnsIRRegressor for part in local.estimators_)
    np.testing.assert_array_equal(local.predict(data[0]), predicted.compute())


def test_neighbours_without_weight_are_no_fold_unless_a_number_of_folds_was_asked_for():
    X, y, weight = stacked(600)
    weight[:120] = 0
    lazy = in_chunks(X, y, weight)
    model = DaskEnsIRRegressorCV([32.0], data_range=255.0, shrinkages=[5]).fit(*lazy)
    groups = np.repeat(range(4), 120)
    plain = EnsIRRegressorCV(**model.get_params()).set_params(cv=LeaveOneGroupOut())
    plain.fit(X[120:], y[120:], weight[120:], groups)
    assert model.n_splits_ == 4
    np.testing.assert_allclose(model.predict(X), plain.predict(X), rtol=1e-9)
    with pytest.raises(ValueError, match="cv split 0 has no held-out rows of positive sample_wei"):
        model.set_params(cv=5).fit(*lazy)


def test_one_pass_sums_up_all_folds_and_widths_and_another_only_looks():
    X, y, _ = stacked()
    visited = []

    def visit(part):
        visited.append(len(part))
        return part

    lazy_X, lazy_y = in_chunks(X, y)
    lazy_X = lazy_X.map_blocks(visit, meta=np.empty((0, 0)))
    DaskEnsIRRegressorCV([20.0, 30.0, 40.0, 50.0], data_range=255).fit(lazy_X, lazy_y)
    assert sum(visited) == len(X)
    visited.clear()
    DaskEnsIRRegressorCV().fit(lazy_X, lazy_y)
    assert sum(visited) == 2 * len(X)


@pytest.mark.parametrize(
    ("cv", "grouped", "message"),
    [
        (ShuffleSplit(3), False, r"cv == ShuffleSplit.* must be None, a number of folds or KFold"),
        (KFold(3, shuffle=True), False, "cv == KFold.* none of them shuffled"),
        ([([0, 1], [2, 3])], False, r"cv == \[.* must be None, a number of folds or KFold"),
        (None, True, r"cv == None does not use groups, must be LeaveOneGroupOut\(\) or GroupKFold"),
        (
            LeaveOneGroupOut(),
            False,
            r"cv == LeaveOneGroupOut\(\) needs groups",
        ),
        (4000, False, "cv == 4000, must be at most the 3000 rows"),
        (GroupKFold(3), True, "groups has 2 different values, must have at least 3"),
    ],
)
def test_splits_that_cannot_be_made_chunk_by_chunk_are_an_error(cv, grouped, message):
    X, y, groups = stacked()
    lazy_X, lazy_y, lazy_groups = in_chunks(X, y, groups > 0)
    with pytest.raises(ValueError, match=message):
        DaskEnsIRRegressorCV(cv=cv).fit(lazy_X, lazy_y, groups=lazy_groups if grouped else None)


def test_groups_are_checked_too():
    X, y, weight = stacked()
    model = DaskEnsIRRegressorCV(cv=LeaveOneGroupOut())
    lazy_X, lazy_y, groups = in_chunks(X, y, replaced(weight, np.nan))
    with pytest.raises(ValueError, match="Input groups contains NaN"):
        model.fit(lazy_X, lazy_y, groups=groups)
    with pytest.raises(ValueError, match="groups has 2999 rows, must have 3000 as X"):
        model.fit(lazy_X, lazy_y, groups=groups[1:])
    with pytest.raises(ValueError, match="groups has 1 different values, must have at least 2"):
        model.fit(lazy_X, lazy_y, groups=in_chunks(np.zeros(3000))[0])
