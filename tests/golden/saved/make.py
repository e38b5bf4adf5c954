"""Make the golden files of saved estimators: as skops writes them, and joblib, which pickles.

Each folder beside this file was written by the version in its name::

    python tests/golden/saved/make.py tests/golden/saved/made_by_0_2

and stays as it is: every later version reads it. That of version 0.1 was made by the code as it was
before states had format 2, found through ``PYTHONPATH``. Only public names are used, so the lines
run on every version. A version in which the state of an estimator changes gets one folder more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED

import joblib
import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skensir
from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
    ZZPMRegressor,
)
from skensir.image import ImageEnsemble

NEW = "axes" in EnsIRRegressor().get_params()  # of version 0.2


def draw_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return 8-bit predictions of three models, which are good at different values, and truth."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 600)
    scale = np.where(y[:, None] < 128, [1, 3, 2], [3, 1, 2])
    X = y[:, None] + scale * rng.integers(-9, 10, (600, 3))
    return np.clip(X, 0, 255).astype(np.uint8), y.astype(np.uint8)


def draw_images() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the same as two colour images of 10 x 10 pixels."""
    X, y = draw_rows()
    return list(X.reshape(2, 10, 10, 3, 3).transpose(0, 4, 1, 2, 3)), list(y.reshape(2, 10, 10, 3))


def search_of_0_1(**params) -> EnsIRRegressorCV:
    """Return a search as version 0.1 made it, which knew no other."""
    search = EnsIRRegressorCV([64.0, 128.0], shrinkages=[0, 50], **params)
    if NEW:
        search.set_params(axes="predictions", shrink_to="pooled", select="best")
        search.set_params(scoring="neg_mean_squared_error")
    return search


def fitted() -> Iterator[tuple[str, BaseEstimator]]:
    """Yield names and fitted estimators."""
    X, y = draw_rows()
    parts = np.arange(600) // 200
    table = {"bin_width": 64.0, "min_samples_cell": 20}
    squared = {**table, "objective": "squared_error"}
    yield "paper", EnsIRRegressor(**table).fit(X, y)
    yield "published", EnsIRRegressor(**{**REFERENCE_PARAMS, **table}).fit(X, y)
    weight = np.random.default_rng(1).integers(0, 3, 600) / 2
    given = EnsIRRegressor(**squared, shrinkage=9, default_weights=[0.1, 0.3, 0.6])
    yield "squared_error", given.fit(X, y, sample_weight=weight)
    yield "unsolved", EnsIRRegressor(**table).partial_fit(X, y)
    yield "rows_forgotten", EnsIRRegressor(**squared).fit(X, y).forget_rows()
    yield "search", search_of_0_1(cv=3).fit(X, y)
    yield "search_of_groups", search_of_0_1(cv=LeaveOneGroupOut()).fit(X, y, groups=parts)
    for baseline in (
        AverageRegressor(),
        BestModelRegressor(),
        ConvexRegressor(),
        GreedyRegressor(20, n_bags=3, random_state=0),
        ZZPMRegressor(),
    ):
        yield type(baseline).__name__, baseline.fit(X, y)
    yield "images", ImageEnsemble(EnsIRRegressor(**squared)).fit(*draw_images())
    searched = ImageEnsemble(search_of_0_1(cv=LeaveOneGroupOut()), per_channel=False)
    yield "searched_images", searched.fit(*draw_images())
    pipeline = make_pipeline(FunctionTransformer(), EnsIRRegressor(**table))
    yield "pipeline", pipeline.fit(X, y)
    if NEW:
        yield from fitted_since_0_2(X, y, parts)


def fitted_since_0_2(X, y, parts) -> Iterator[tuple[str, BaseEstimator]]:
    """Yield what version 0.1 did not have."""
    nested = {"objective": "squared_error", "shrink_to": "parent", "shrinkage": 30}
    for axes in ("predictions", "deviations", "summary"):
        model = EnsIRRegressor(axes=axes, positive=False, fit_intercept=True, **nested)
        yield f"nested_{axes}", model.fit(X, y).calibrate(X, y)
    yield "automatic", EnsIRRegressor(min_samples_cell=20).fit(X + 0.25, y)
    few = {"bin_widths": [64.0, 128.0], "shrinkages": [30.0], "cv": LeaveOneGroupOut()}
    yield "averaged", EnsIRRegressorCV(**few, select="average").fit(X, y, groups=parts)
    yield "search_in_parts", EnsIRRegressorCV(**few).partial_fit(X, y, groups=parts)


def predict(model: BaseEstimator) -> np.ndarray:
    """Return what a fitted estimator predicts for some of the rows, or images, that were drawn."""
    if isinstance(model, ImageEnsemble):
        return np.array(model.predict(draw_images()[0]))[:, :2]
    return np.asarray(model.predict(draw_rows()[0][:100]))


def make(folder: Path) -> None:
    """Write every estimator to a folder in both ways, and what they predict."""
    folder.mkdir(parents=True, exist_ok=True)
    predictions = {}
    for name, model in fitted():
        skops.io.dump(model, folder / f"{name}.skops", compression=ZIP_DEFLATED)
        joblib.dump(model, folder / f"{name}.joblib", compress=3)
        predictions[name] = predict(model)
    np.savez_compressed(folder / "predictions.npz", **predictions)
    versions = {"skensir": skensir.__version__, "numpy": np.__version__, "skops": skops.__version__}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
