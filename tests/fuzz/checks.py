"""What must be true of a model that a reader returned, whatever the file was."""

from __future__ import annotations

import numpy as np
from fuzz.guard import Finding, refusals, scratch

from skensir._core.table import FIELDS
from skensir.image import ImageEnsemble
from skensir.persistence import load_table, save_table

_MANY_MODELS = 1000


def require(condition: object, what: str) -> None:
    """Raise a `Finding` unless something is so."""
    if not condition:
        raise Finding(what)


def check_model(model: object) -> None:
    """Check the attributes of a loaded model, that it predicts finite numbers, and can be saved."""
    images = isinstance(model, ImageEnsemble)
    for regressor in model.regressors_ if images else [model]:
        for table in getattr(regressor, "estimators_", [regressor]):
            check_attributes(table)
        check_prediction(regressor)
    if images and model.n_models_ < _MANY_MODELS:
        check_images(model)
    path = scratch() / "again.table"
    save_table(model, path)
    again = load_table(path)
    first, second = (m.regressors_[0] if images else m for m in (model, again))
    X = rows_for(first)
    require(np.array_equal(first.predict(X), second.predict(X)), "what was saved predicts another")


def check_attributes(table: object) -> None:
    """Check that shapes agree and numbers are finite, but for what released tables leave open."""
    n_cells, n_models = table.weights_.shape
    sizes = {"c": n_cells, "m": n_models, "x": table.cells_.shape[1]}
    sizes["a"] = len(table.ancestor_levels_)
    require(n_models == table.n_features_in_ and n_cells > 0, "no cells, or other models")
    released = (table.cell_origin_ == "released").all()
    for name, field in FIELDS.items():
        array = np.asarray(getattr(table, f"{name}_"))
        require(array.shape == field.shape(**sizes), f"shape of {name}_")
        require(array.dtype.kind == np.dtype(field.dtype).kind, f"dtype of {name}_")
        unknown = released or name in ("means", "variances", "cell_counts", "cell_rmse")
        require(array.dtype.kind != "f" or unknown or np.isfinite(array).all(), f"{name}_ infinite")
    require(len(np.unique(table.cells_, axis=0)) == n_cells, "a cell twice")


def rows_for(regressor: object) -> np.ndarray:
    """Return rows in cells, between them, and far beyond."""
    n_models = regressor.n_features_in_
    rng = np.random.default_rng(0)
    rows = [np.zeros(n_models), np.full(n_models, 255.0), rng.uniform(-10, 1e4, n_models)]
    rows += [rng.uniform(0, 255, n_models), np.full(n_models, 1e9), np.full(n_models, -1e9)]
    table = getattr(regressor, "estimators_", [regressor])[0]
    if table.axes_ == "predictions":
        with np.errstate(over="ignore"):
            inside = (table.cells_[:3] + 0.5) * table.bin_width_
        rows += [row for row in inside if (np.abs(row) < 1e12).all()]
    return np.array(rows)


def check_prediction(regressor: object) -> None:
    """Check that rows get finite numbers: the weighted sums where one table is without offsets."""
    X = rows_for(regressor)
    predicted = regressor.predict(X)
    require(predicted.shape == (len(X),) and np.isfinite(predicted).all(), "prediction infinite")
    weights = regressor.predict_weights(X)
    require(weights.shape == X.shape and np.isfinite(weights).all(), "weights infinite")
    largest = 1 + np.abs(weights).max()
    require(np.allclose(weights.sum(axis=1), 1, rtol=0, atol=1e-5 * largest), "sum of weights")
    if not getattr(regressor, "fit_intercept", True):
        bound = 1e-9 * (np.abs(weights) * np.abs(X)).sum(axis=1)
        require((np.abs((weights * X).sum(axis=1) - predicted) <= bound).all(), "weighted sum")


def check_images(ensemble: ImageEnsemble) -> None:
    """Check that images of the kind that an ensemble is for are combined or refused."""
    axis, n_channels = ensemble.channel_axis, ensemble.n_channels_
    shape = [5, 6] if axis is None else [5, 6, 7]
    if axis is not None:
        shape[axis] = n_channels
    dtype = ensemble.pixel_dtype_ or np.float64
    values = np.arange(ensemble.n_models_ * np.prod(shape)) % 251
    stack = values.reshape(ensemble.n_models_, *shape).astype(dtype)
    with refusals():  # such as many channels beside few columns
        (combined,) = ensemble.predict([stack])
        require(combined.shape == tuple(shape) and np.isfinite(combined).all(), "image infinite")
