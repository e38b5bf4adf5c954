r"""
==================
Stacking on tables
==================

Stacking fits one more regressor on the predictions of several others. Here that regressor is
:class:`~skensir.EnsIRRegressorCV`, beside those that people usually take, on a table of numbers
that scikit-learn draws: four properties of an electric circuit, from which its impedance follows.
"""

# %%
# Predictions out of fold
# -----------------------
#
# Five regressors of different kinds are the base models. What they predict for a sample is a row of
# ``X`` for the ensemble, with a column per model. The rows to learn from have to be predictions for
# samples that the models were not fitted on; ``cross_val_predict`` makes them, fold by fold.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman2
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor, StackingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from skensir import EnsIRRegressorCV
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
)

threads = threadpool_limits(1)  # a table this small is not worth several

features, y = make_friedman2(6000, noise=25, random_state=0)
train, test, y_train, y_test = train_test_split(features, y, train_size=1500, random_state=0)

base_models = {
    "ridge": make_pipeline(StandardScaler(), RidgeCV()),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor(10)),
    "support vectors": make_pipeline(StandardScaler(), SVR(C=100)),
    "random forest": RandomForestRegressor(40, min_samples_leaf=3, random_state=0),
    "boosting": HistGradientBoostingRegressor(max_iter=50, random_state=0),
}
folds = KFold(5, shuffle=True, random_state=0)
X_train = np.column_stack(
    [cross_val_predict(model, train, y_train, cv=folds) for model in base_models.values()]
)
X_test = np.column_stack(
    [model.fit(train, y_train).predict(test) for model in base_models.values()]
)


def rmse(prediction, truth):
    """Return the root of the mean squared error, of each column."""
    return np.sqrt(np.mean((prediction.T - truth) ** 2, axis=-1))


# %%
# Why not in-sample
# -----------------
#
# On the samples that it was fitted on, a model errs less than on others, and some models far less.
# An ensemble that learns from such predictions believes those that know their samples by heart.

X_in_sample = np.column_stack([model.predict(train) for model in base_models.values()])
errors = {
    "in sample": (rmse(X_in_sample, y_train), "D", "#D55E00"),
    "out of fold": (rmse(X_train, y_train), "o", "#0072B2"),
    "new samples": (rmse(X_test, y_test), "|", "black"),
}
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for label, (error, marker, colour) in errors.items():
    axes.plot(error, list(base_models), marker, color=colour, label=label, markersize=8)
axes.grid(axis="y", color="0.9")
axes.set(xlabel="error (RMS)", xlim=(0, None))
axes.invert_yaxis()
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()

for label, columns in {"in sample": X_in_sample, "out of fold": X_train}.items():
    prediction = EnsIRRegressorCV().fit(columns, y_train).predict(X_test)
    print(f"fitted on predictions {label:12} error {rmse(prediction, y_test):.2f}")

# %%
# In one object
# -------------
#
# ``StackingRegressor`` does all this: it makes the columns out of fold, fits the final estimator on
# them, and the base models on all samples. It comes to the same.

stack = StackingRegressor(list(base_models.items()), EnsIRRegressorCV(), cv=folds)
stack.fit(train, y_train)
by_hand = EnsIRRegressorCV().fit(X_train, y_train)
print(np.allclose(stack.predict(test), by_hand.predict(X_test)))

# %%
# Other final estimators
# ----------------------
#
# All are fitted on the same columns.

rivals = {
    "average": AverageRegressor(),
    "best model": BestModelRegressor(),
    "greedy selection": GreedyRegressor(),
    "one convex vector": ConvexRegressor(),
    "RidgeCV": RidgeCV(),
    "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
    "EnsIRRegressorCV": EnsIRRegressorCV(),
}
scores = [rmse(rival.fit(X_train, y_train).predict(X_test), y_test) for rival in rivals.values()]
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
colours = ["0.75"] * (len(rivals) - 1) + ["#0072B2"]
bars = axes.barh(list(rivals), scores, color=colours)
axes.bar_label(bars, fmt="%.1f", padding=4)
axes.set(xlabel="error on new samples (RMS)")
axes.invert_yaxis()
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# This is one draw of one table, and one in which it depends on the sample which model is right:
# nothing follows from it for another. The notebook ``compare_ensembles.ipynb`` and :ref:`results`
# have repeated draws, and tables on which something else wins. What to expect, the search itself
# says from the rows it held out:

print(by_hand.summary())

# %%
# Read the weights
# ----------------
#
# On tables of numbers the search tries negative weights and intercepts. Without these, and with one
# table in place of an average, weights can be read: how much each model is believed, from small to
# large predictions.

readable = EnsIRRegressorCV(select="best", positive=True, fit_intercept=False, axes="predictions")
readable.fit(X_train, y_train)
print(f"error {rmse(readable.predict(X_test), y_test):.2f}")

order = X_test.mean(axis=1).argsort()
shares = [part.mean(axis=0) for part in np.array_split(readable.predict_weights(X_test)[order], 25)]
middles = [part.mean() for part in np.array_split(X_test.mean(axis=1)[order], 25)]
figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
colours = ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"]
axes.stackplot(middles, np.transpose(shares), labels=list(base_models), colors=colours, alpha=0.9)
axes.set(xlabel="mean prediction", ylabel="weight", ylim=(0, 1), xlim=(middles[0], middles[-1]))
handles, labels = axes.get_legend_handles_labels()
axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()
# sphinx_gallery_thumbnail_number = 3
