"""Combine five regressors on data of scikit-learn: the squared error of every combiner.

usage: python benchmarks/stacking.py

Base models predict out of fold within each outer training part; combiners are fitted on these
predictions and tested on the outer held-out part, which neither has seen. Prints the table of
docs/results.rst: mean squared error relative to the best base model, lower is better, and how far
`EnsIRRegressorCV` is from the best of the others: in standard errors of that one's mean squared
error over the outer parts, and in those of the paired difference.
"""

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_regression
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from skensir import EnsIRRegressorCV
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
COMBINERS = {
    "best model": BestModelRegressor(),
    "average": AverageRegressor(),
    "greedy": GreedyRegressor(),
    "convex": ConvexRegressor(),
    "EnsIRRegressorCV": EnsIRRegressorCV(cv=KFold(5, shuffle=True, random_state=0)),
}
DATA = {
    "diabetes (442)": load_diabetes(return_X_y=True),
    "regression (1000)": make_regression(1000, 10, n_informative=6, noise=40, random_state=0),
    "friedman1 (1000)": make_friedman1(1000, noise=1, random_state=0),
    "friedman2 (1000)": make_friedman2(1000, noise=60, random_state=0),
}


def squared_errors(X, y):
    """Mean squared error of each combiner on ten outer held-out parts."""
    errors = {name: [] for name in COMBINERS}
    for train, test in KFold(10, shuffle=True, random_state=1).split(X):
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


def main():
    print(
        f"{'data (rows)':20}"
        + "".join(f"{name:>18}" for name in COMBINERS)
        + "    of best   paired"
    )
    for data_name, (X, y) in DATA.items():
        errors = squared_errors(X, y)
        unit = errors["best model"].mean()
        line = "".join(f"{values.mean() / unit:18.4f}" for values in errors.values())
        ours = errors.pop("EnsIRRegressorCV")
        rival = min(errors.values(), key=np.mean)
        difference = ours - rival
        of_rival, of_difference = (
            values.std(ddof=1) / np.sqrt(len(values)) for values in (rival, difference)
        )
        print(
            f"{data_name:20}{line}{difference.mean() / of_rival:+10.2f}"
            f"{difference.mean() / of_difference:+10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
