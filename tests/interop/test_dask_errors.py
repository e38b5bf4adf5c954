"""What is wrong with dask collections is said before they are computed, or in one sentence."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from dask_chunks import NAMES, as_frame, dask, dd, in_chunks, replaced, stacked
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.utils.estimator_checks import parametrize_with_checks

from skensir.interop.dask import DaskEnsIRRegressor, DaskEnsIRRegressorCV

pytestmark = pytest.mark.usefixtures("in_this_thread")


# Plain data are treated as by the plain estimators.
@parametrize_with_checks([DaskEnsIRRegressor(), DaskEnsIRRegressorCV()])
def test_estimator_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("make", [DaskEnsIRRegressor, DaskEnsIRRegressorCV])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, w: (replaced(X, np.nan), y, w), "Input X contains NaN"),
        (lambda X, y, w: (replaced(X, np.inf), y, w), "Input X contains infinity"),
        (lambda X, y, w: (X, replaced(y, np.nan), w), "Input y contains NaN"),
        (lambda X, y, w: (X, y, replaced(w, np.nan)), "sample_weight contains NaN"),
        (lambda X, y, w: (X, y, replaced(w, -1)), r"Negative values in sample_weight.* -1\.0"),
        (lambda X, y, w: (X, y, 0 * w), "sample_weight"),
        (lambda X, y, w: (X, y[:-1], w), "y has 2999 rows, must have 3000 as X"),
        (lambda X, y, w: (X, y, w[:-1]), "sample_weight has 2999 rows, must have 3000 as X"),
        (
            lambda X, y, w: (X[:, 0], y, w),
            r"X is .* of shape \(3000,\), must be a dask array of two",
        ),
        (
            lambda X, y, w: (X, X, w),
            r"y is .* of shape \(3000, 3\), must be a dask array or series",
        ),
        (lambda X, y, w: (X[:0], y[:0], w[:0]), "rows"),
    ],
)
def test_bad_data_are_an_error_of_fit_that_says_what_is_wrong(make, change, message):
    with pytest.raises(ValueError, match=message):
        make().fit(*in_chunks(*change(*stacked())))


def test_data_that_are_not_lazy_beside_lazy_ones_are_an_error_that_names_them():
    X, y, weight = stacked()
    lazy_X, lazy_y = in_chunks(X, y)
    message = r"is of type numpy\.ndarray of shape \(3000,\), must be a dask array or series"
    with pytest.raises(ValueError, match="y " + message):
        DaskEnsIRRegressor().fit(lazy_X, y)
    with pytest.raises(ValueError, match="sample_weight " + message):
        DaskEnsIRRegressor().fit(lazy_X, lazy_y, weight)
    with pytest.raises(ValueError, match=r"y is of type builtins\.NoneType, must be a dask array"):
        DaskEnsIRRegressor().fit(lazy_X, None)
    with pytest.raises(ValueError, match=r"X is of type dask\..*Delayed.*, must be a dask array"):
        DaskEnsIRRegressor().fit(dask.delayed(X), lazy_y)


@pytest.mark.parametrize("make", [DaskEnsIRRegressor, DaskEnsIRRegressorCV])
@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_lengths_that_only_the_chunks_know_are_an_error_that_names_the_argument(make, name):
    X, y, weight = in_chunks(*stacked())
    chosen = X[:, 0] > 20
    lazy = {"X": X[chosen], "y": y[chosen], "sample_weight": weight[chosen]}
    make().fit(**lazy)
    other = {"y": y, "sample_weight": weight}[name]
    with pytest.raises(ValueError, match=rf"{name} has \d00 rows in a chunk where X has \d+"):
        make().fit(**lazy | {name: other})
    with pytest.raises(ValueError, match=f"{name} has 3 chunks, must have 5 as X"):
        make().fit(**lazy | {name: other.rechunk(1200)})


def test_parameters_are_checked_before_anything_is_computed():
    lazy_X, lazy_y = in_chunks(*stacked()[:2])
    lazy_X = lazy_X.map_blocks(pytest.fail, meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match="bin_width == -1, must be > 0"):
        DaskEnsIRRegressor(-1).fit(lazy_X, lazy_y)
    with pytest.raises(ValueError, match="objective == 'psnr'"):
        DaskEnsIRRegressorCV([8], objectives=["psnr"]).fit(lazy_X, lazy_y)


def test_names_of_the_models_are_checked_before_prediction():
    X, y, weight = stacked()
    frame = dd.from_pandas(as_frame(X, y, weight), npartitions=3)
    model = DaskEnsIRRegressor().fit(frame[NAMES], frame.y)
    for method in (model.predict, model.predict_weights):
        with pytest.raises(ValueError, match="must be in the same order"):
            method(frame[NAMES[::-1]])
        with pytest.raises(ValueError, match="unseen at fit time:\n- y"):
            method(frame[[*NAMES, "y"]])
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            lazy = method(in_chunks(X)[0])
        lazy.compute()  # without another word
    with pytest.raises(ValueError, match="X has 2 features, but DaskEnsIRRegressor is expecting 3"):
        DaskEnsIRRegressor().fit(*in_chunks(X, y)).predict(in_chunks(X[:, :2])[0])
    with pytest.raises(NotFittedError):
        DaskEnsIRRegressor().predict_weights(in_chunks(X)[0])


def test_truth_in_memory_beside_lazy_predictions_is_an_error_that_names_it():
    X, y, _ = stacked()
    lazy_X, lazy_y = in_chunks(X, y)
    for name, arguments in (("y", (pd.Series(y), None)), ("sample_weight", (lazy_y, pd.Series(y)))):
        with pytest.raises(ValueError, match=f"{name} is .*Series.*must be a dask array or series"):
            DaskEnsIRRegressor().fit(lazy_X, *arguments)


def test_without_dask_the_import_says_what_to_install():
    script = "import sys; sys.modules['dask'] = None; import skensir.interop.dask"
    result = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.stderr.strip().endswith(
        "ModuleNotFoundError: skensir.interop.dask needs dask, which is not installed: "
        'pip install "skensir[dask]".'
    )


@pytest.mark.parametrize("make", [DaskEnsIRRegressor, DaskEnsIRRegressorCV])
def test_what_a_chunk_refuses_leaves_the_estimator_as_it_was(make):
    X, y, weight = stacked()
    model = make().fit(*in_chunks(X, y))
    before = pickle.dumps(model)
    swapped = X[:, ::-1].copy()
    swapped[-1, 0] = np.nan
    for arguments in (in_chunks(swapped[:, :2], y, -weight), in_chunks(swapped, y)):
        with pytest.raises(ValueError, match=r"Negative values|NaN"):
            model.fit(*arguments)
        assert pickle.dumps(model) == before
    if make is DaskEnsIRRegressor:
        with pytest.raises(ValueError, match="NaN"):
            model.partial_fit(*in_chunks(swapped, y))
        assert pickle.dumps(model) == before


@pytest.mark.parametrize("n_named", [2, 200])  # the last chunk has so many rows
def test_groups_without_an_order_are_an_error_in_one_chunk_and_in_several(n_named):
    X, y, _ = stacked()
    groups = np.array([1] * (len(y) - n_named) + ["a"] * n_named, dtype=object)
    search = DaskEnsIRRegressorCV(cv=LeaveOneGroupOut())
    with pytest.raises(TypeError, match="groups has values of type int and str, must have only"):
        search.fit(*in_chunks(X, y), groups=in_chunks(groups)[0])
