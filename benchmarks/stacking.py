"""Combine five regressors on data of scikit-learn: the squared error of every combiner.

usage: python benchmarks/stacking.py [REPEATS]

Base models predict out of fold within each outer training part; combiners are fitted on these
predictions and tested on the outer held-out part, which neither has seen. There are ten outer
parts, and with REPEATS (default: 2) as many ways to draw them. Prints the table of
docs/results.rst: mean squared error relative to the best base model, lower is better, and how far
`EnsIRRegressorCV` is from Ridge and from the best of all others, in standard errors of the
difference part by part.
"""

import argparse
import warnings

import numpy as np
from sklearn.datasets import (
    load_diabetes,
    make_friedman1,
    make_friedman2,
    make_friedman3,
    make_regression,
)
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
)

BASE_MODELS = {
    "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))),
    "k nearest neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor(10)),
    "support vectors": make_pipeline(StandardScaler(), SVR(C=100)),
    "random forest": RandomForestRegressor(100, random_state=0, n_jobs=1),
    "gradient boosting": HistGradientBoostingRegressor(max_iter=60, random_state=0),
}
OURS, RIDGE = "EnsIRRegressorCV()", "RidgeCV()"
COMBINERS = {
    "best model": BestModelRegressor(),
    "average": AverageRegressor(),
    "greedy": GreedyRegressor(),
    "convex": ConvexRegressor(),
    RIDGE: RidgeCV(),  # what StackingRegressor has where nothing else is said
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
    "EnsIRRegressor()": EnsIRRegressor(),
    OURS: EnsIRRegressorCV(),
}
DATA = {
    "diabetes (442)": load_diabetes(return_X_y=True),
    "regression (1000)": make_regression(1000, 10, n_informative=6, noise=40, random_state=0),
    "friedman1 (1000)": make_friedman1(1000, noise=1, random_state=0),
    "friedman2 (1000)": make_friedman2(1000, noise=60, random_state=0),
    "friedman3 (1000)": make_friedman3(1000, noise=0.1, random_state=0),
    "friedman2 (5000)": make_friedman2(5000, noise=60, random_state=0),
}


def squared_errors(X, y, n_repeats):
    """Mean squared error of each combiner on ten outer held-out parts, repeatedly drawn."""
    errors = {name: [] for name in COMBINERS}
    splits = [
        split
        for seed in range(1, 1 + n_repeats)
        for split in KFold(10, shuffle=True, random_state=seed).split(X)
    ]
    for train, test in splits:
        inner = KFold(5, shuffle=True, random_state=2)
        stacked = np.column_stack(
            [cross_val_predict(m, X[train], y[train], cv=inner) for m in BASE_MODELS.values()]
        )
        held_out = np.column_stack(
            [m.fit(X[train], y[train]).predict(X[test]) for m in BASE_MODELS.values()]
        )
        for name, combiner in COMBINERS.items():
            predicted = combiner.fit(stacked, y[train]).predict(held_out)
            errors[name].append(np.mean((predicted - y[test]) ** 2))
    return {name: np.array(values) for name, values in errors.items()}


def in_standard_errors(ours, rival):
    """Mean difference of paired errors over its standard error; positive where ours is larger."""
    difference = ours - rival
    return difference.mean() / (difference.std(ddof=1) / np.sqrt(len(difference)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repeats", nargs="?", type=int, default=2)
    n_repeats = parser.parse_args().repeats
    # The paper's table needs a hundred rows per cell; that it says so is beside the point here.
    warnings.filterwarnings("ignore", "Most rows", UserWarning)
    for data_name, (X, y) in DATA.items():
        errors = squared_errors(X, y, n_repeats)
        unit = errors["best model"].mean()
        print(data_name)
        for name, values in errors.items():
            print(f"  {name:20}{values.mean() / unit:8.4f}")
        others = {name: errors[name] for name in COMBINERS if not name.startswith("EnsIR")}
        best = min(others, key=lambda name: others[name].mean())
        for rival in (RIDGE, best):
            saved = 1 - errors[OURS].mean() / errors[rival].mean()
            z = in_standard_errors(errors[OURS], errors[rival])
            print(f"  against {rival}: {100 * saved:+.2f} % saved, {z:+.2f} standard errors")
        print(flush=True)


if __name__ == "__main__":
    main()
