r"""
==================
Stacking on tables
==================

Stacking fits one more regressor on the predictions of several others. Here that regressor is
:class:`~skensir.EnsIRRegressorCV`, beside those that people use for it, on a table of numbers that
scikit-learn draws: the amplitude and the phase of a circuit, ``make_friedman2``.
"""

# %%
# Predictions out of fold
# -----------------------
#
# Four regressors of different kinds are the base models. A row of ``X`` in the sense of this package is
# what they predict for one sample. These have to be predictions for samples that the models were not
# fitted on, so ``cross_val_predict`` makes them fold by fold.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman2
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor, StackingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skensir import EnsIRRegressorCV
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
)

features, y = make_friedman2(6000, noise=100, random_state=0)
train, test, y_train, y_test = train_test_split(features, y, train_size=2000, random_state=0)

base_models = {
    "ridge": make_pipeline(StandardScaler(), RidgeCV()),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor(10)),
    "forest": RandomForestRegressor(60, min_samples_leaf=3, random_state=0),
    "boosting": HistGradientBoostingRegressor(max_iter=60, random_state=0),
}
folds = KFold(5, shuffle=True, random_state=0)
X_train = np.column_stack(
    [cross_val_predict(model, train, y_train, cv=folds) for model in base_models.values()]
)
for model in base_models.values():
    model.fit(train, y_train)
X_test = np.column_stack([model.predict(test) for model in base_models.values()])
X_in_sample = np.column_stack([model.predict(train) for model in base_models.values()])
for name, *errors in zip(
    base_models, *(np.sqrt(((X - t[:, None]) ** 2).mean(axis=0)) for X, t in (
        (X_in_sample, y_train), (X_train, y_train), (X_test, y_test))), strict=True
):
    print(name, errors)
rivals = {
    "average": AverageRegressor(),
    "best model": BestModelRegressor(),
    "greedy": GreedyRegressor(),
    "convex": ConvexRegressor(),
    "ridge": RidgeCV(),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
    "random forest": RandomForestRegressor(random_state=0),
    "EnsIRRegressorCV": EnsIRRegressorCV(),
}
for name, r in rivals.items():
    for X in (X_train, X_in_sample):
        e=np.sqrt(np.mean((r.fit(X, y_train).predict(X_test)-y_test)**2)); print(name, e)
