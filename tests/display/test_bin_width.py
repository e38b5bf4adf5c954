"""The lines show the best scores of a search at each bin width."""

import numpy as np
import pandas as pd
import pytest
from display_cases import MODEL, SEARCH, X, Y
from scipy.stats import sem
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.display import BinWidthDisplay


def best_of(results, **fixed):
    """Return the number of the best candidate that has some parameters."""
    matching = [
        i
        for i, params in enumerate(results["params"])
        if all(params[name] == value for name, value in fixed.items())
    ]
    return max(matching, key=lambda i: results["mean_test_score"][i])


@pytest.mark.parametrize("by", [None, "objective", "shrinkage"])
def test_lines_show_the_best_score_at_each_bin_width(pyplot, by):
    results = SEARCH.cv_results_
    display = BinWidthDisplay.from_estimator(SEARCH, by=by)
    values = {params.get(by) for params in results["params"]}
    assert len(display.lines_) == len(display.bands_) == len(values)
    splits = np.array([results[f"split{j}_test_score"] for j in range(4)])
    shown_at = {line.get_label(): n for n, line in enumerate(display.lines_)}
    for value in values:
        number = 0 if by is None else shown_at[f"{by} = {value}"]
        fixed = {} if by is None else {by: value}
        best = [best_of(results, bin_width=width, **fixed) for width in (16, 64, 256)]
        line = display.lines_[number]
        np.testing.assert_array_equal(line.get_xdata(), [16, 64, 256])
        np.testing.assert_allclose(line.get_ydata(), results["mean_test_score"][best])
        errors = [sem(splits[:, i] - splits[:, SEARCH.best_index_]) for i in best]
        [band] = display.bands_[number].get_paths()
        ends = [band.vertices[band.vertices[:, 0] == width, 1] for width in (16, 64, 256)]
        np.testing.assert_allclose([end.max() for end in ends], line.get_ydata() + errors)
        np.testing.assert_allclose([end.min() for end in ends], line.get_ydata() - errors)
    [[x], [y]] = display.chosen_.get_data()
    assert (x, y) == (SEARCH.bin_width_, SEARCH.best_score_)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["16", "64", "256"]
    assert display.ax_.xaxis.get_transform().base == 2


@pytest.mark.parametrize("as_frame", [False, True])
def test_bin_widths_of_a_pipeline_in_a_grid_search(pyplot, as_frame):
    pipeline = make_pipeline(FunctionTransformer(), EnsIRRegressor())
    search = GridSearchCV(pipeline, {"ensirregressor__bin_width": [128, 32]}, cv=2).fit(X, Y)
    results = pd.DataFrame(search.cv_results_) if as_frame else search.cv_results_
    display = BinWidthDisplay.from_cv_results(results, score_name="R²")
    np.testing.assert_array_equal(display.bin_widths, [32, 128])
    [line] = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), search.cv_results_["mean_test_score"][::-1])
    assert display.chosen == (search.best_params_["ensirregressor__bin_width"], search.best_score_)
    assert display.ax_.get_ylabel() == "R²"


def test_one_of_several_scores_is_shown(pyplot):
    scoring = ["r2", "neg_mean_absolute_error"]
    grid = {"bin_width": [32, 128]}
    search = GridSearchCV(EnsIRRegressor(), grid, scoring=scoring, refit="r2", cv=2).fit(X, Y)
    display = BinWidthDisplay.from_estimator(search, metric="neg_mean_absolute_error")
    expected = search.cv_results_["mean_test_neg_mean_absolute_error"]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), expected)
    with pytest.raises(ValueError, match="'r2', 'neg_mean_absolute_error'"):
        BinWidthDisplay.from_estimator(search)


def test_candidates_without_bin_width_or_score_are_left_out(pyplot):
    results = {
        "params": [{"bin_width": 8}, {"other": 1}, {"bin_width": 16}, {"bin_width": 4}],
        "mean_test_score": np.array([1.0, 9.0, 2.0, np.nan]),
    }
    display = BinWidthDisplay.from_cv_results(results)
    np.testing.assert_array_equal(display.bin_widths, [8, 16])
    assert display.chosen == (16, 2)
    assert display.bands_ == []  # a single split has no standard error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "psnr"}, "'psnr'.*'score'"),
        ({"by": "tolerance"}, "0 parameters.*'tolerance'.*'axes', 'bin_width', .*'objective', "),
        ({"search": MODEL}, "cv_results_"),
    ],
)
def test_bad_input_of_bin_widths(pyplot, arguments, words):
    with pytest.raises(ValueError, match=words):
        BinWidthDisplay.from_estimator(**{"search": SEARCH, **arguments})
    assert pyplot.get_fignums() == []


def test_scores_are_named_and_kinds_of_axes_told_apart(pyplot):
    for scoring, name in (
        ("neg_log_mean_squared_error", "negative logarithm of mean squared error, held out"),
        ("neg_mean_squared_error", "negative mean squared error, held out"),
    ):
        search = EnsIRRegressorCV(axes=["summary", "deviations"], scoring=scoring, cv=3).fit(X, Y)
        display = BinWidthDisplay.from_estimator(search, by="axes")
        assert display.ax_.get_ylabel() == name
        assert set(display.scores) == {"axes = summary", "axes = deviations"}
        best = max(np.nanmax(values) for values in display.scores.values())
        assert best == pytest.approx(search.best_score_)


def test_results_without_bin_width_are_no_bin_widths():
    results = {"params": [{"alpha": 1}], "mean_test_score": [0.5]}
    with pytest.raises(ValueError, match=r"'bin_width'.*'alpha'"):
        BinWidthDisplay.from_cv_results(results)
    results = {"params": [{"bin_width": 1}], "mean_test_score": [np.nan]}
    with pytest.raises(ValueError, match="finite"):
        BinWidthDisplay.from_cv_results(results)
