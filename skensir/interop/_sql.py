"""Prediction as a JOIN: one SELECT that a database runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skensir._checks import check_option, shown
from skensir._ensir import EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir.interop._dialects import DIALECTS, Dialect
from skensir.interop._sql_tables import SqlTable

# What rows are called within the query.
_ROWS = "given"


def to_sql(
    model: EnsIRRegressor | EnsIRRegressorCV,
    dialect: str,
    *,
    table: str | Sequence[str],
    models: Sequence[str] | None = None,
    prediction: str = "prediction",
) -> str:
    """Write a fitted estimator as one SELECT, by which a database predicts.

    The query has all columns of a table and one more, the prediction. The cells are values in it,
    which rows are joined with by the bins of what the models predict. It is what `predict`
    returns in double precision, also for bins that were never seen and for averaged tables.

    Read more in the :ref:`User Guide <frames>`.

    Parameters
    ----------
    model : EnsIRRegressor or EnsIRRegressorCV
        Fitted. A table that is still to be solved is solved.
    dialect : {"duckdb", "postgres", "spark", "sqlite"}
        Whose SQL it is to be.
    table : str or sequence of str
        Name of the table or view with the rows; several names are those of a catalogue, a schema
        and the like, such as ``("main", "rows")``. They are quoted, whatever they hold.
    models : sequence of str, default=None
        Names of the columns with the predictions of the base models, in the order that they had in
        `fit`. None for `feature_names_in_`.
    prediction : str, default="prediction"
        Name of the column that is added. The table must not have it.

    Returns
    -------
    query : str
        The SELECT, without a semicolon. The prediction is NULL where that of a base model is, or
        where it is no finite number below 1e308, which `predict` refuses.

    Raises
    ------
    ValueError
        If an argument is out of its range; the message names it.
    TypeError
        If `model` is no such estimator.
    NotFittedError
        If `model` is not fitted.

    See Also
    --------
    cell_sums : Sum up rows where they lie.

    Examples
    --------
    >>> import sqlite3
    >>> import numpy as np
    >>> from skensir import EnsIRRegressor
    >>> from skensir.interop.frames import to_sql
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> X = y[:, None] + rng.normal(size=(5000, 2)) * [2, 4]
    >>> model = EnsIRRegressor(objective="squared_error").fit(X, y)
    >>> query = to_sql(model, "sqlite", table="outputs", models=["A", "B"])
    >>> database = sqlite3.connect(":memory:")
    >>> _ = database.execute("CREATE TABLE outputs (A REAL, B REAL)")
    >>> _ = database.executemany("INSERT INTO outputs VALUES (?, ?)", X[:100].tolist())
    >>> rows = np.array(database.execute(query).fetchall())
    >>> bool(np.allclose(rows[:, 2], model.predict(rows[:, :2]), rtol=1e-12))
    True
    """
    check_option(dialect, "dialect", DIALECTS)
    if not isinstance(model, EnsIRRegressor | EnsIRRegressorCV):
        raise TypeError(f"model == {shown(model)}, must be an EnsIRRegressor or EnsIRRegressorCV.")
    check_is_fitted(model)
    model.solve()
    sql = DIALECTS[dialect]
    place = _check_names([table] if isinstance(table, str) else table, "table")
    _check_names([prediction], "prediction")
    names = _names_of_models(model, models)
    tables, shares = [model], [1.0]
    if isinstance(model, EnsIRRegressorCV):
        tables, shares = list(model.estimators_), [float(share) for share in model.shares_]
    columns = [f"{_ROWS}.{sql.name(name)}" for name in names]
    values = [sql.cast(column) for column in columns]
    prefix = "cells"
    while any(name.lower().startswith(prefix) for name in place):  # it would hide the table
        prefix += "_"
    parts = [
        SqlTable(part, f"{prefix}{number}", values, sql)
        for number, part in enumerate(tables, start=1)
    ]
    known = " AND ".join(map(sql.is_number, columns, values))
    combined = _average([part.prediction() for part in parts], shares, sql)
    return "\n".join(
        [
            f"WITH {', '.join(part.values() for part in parts)}",
            f"SELECT {_ROWS}.*,",
            f"  CASE WHEN {known} THEN",
            f"    {combined}",
            f"  END AS {sql.name(prediction)}",
            f"FROM {sql.name(*place)} AS {_ROWS}",
            *(part.joins() for part in parts),
        ]
    )


def _average(combined: Sequence[str], shares: Sequence[float], sql: Dialect) -> str:
    """Return the average of what several tables predict."""
    if len(combined) == 1:
        return combined[0]
    terms = (f"({one}) * {sql.number(s)}" for one, s in zip(combined, shares, strict=True))
    return "\n    + ".join(terms)


def _names_of_models(model: Any, models: Sequence[str] | None) -> list[str]:
    """Return the columns of the models, given or those that were fitted on."""
    if models is None:
        if not hasattr(model, "feature_names_in_"):
            raise ValueError("models == None, must be given: model was fitted without names.")
        return [str(name) for name in model.feature_names_in_]
    names = _check_names(models, "models")
    if len(names) != model.n_features_in_:
        raise ValueError(
            f"models == {shown(models)}, must be the names of {model.n_features_in_} columns."
        )
    return names


def _check_names(names: Any, argument: str) -> list[str]:
    """Return names that a database can have."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"{argument} == {shown(names)}, must be a list of names.")
    if not names:
        raise ValueError(f"{argument} == {shown(names)}, must have at least one name.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{argument} == {shown(names)}, must be text.")
        if not name or "\0" in name:
            raise ValueError(
                f"{argument} == {shown(names)}, must not be empty or hold a zero byte."
            )
    return list(names)
