"""Prediction as a JOIN: one SELECT that a database runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

    It has all columns of a table and one more, what `predict` returns in double precision. The
    cells are values in it; the :ref:`User Guide <frames>` tells more.

    Parameters
    ----------
    model : EnsIRRegressor or EnsIRRegressorCV
        Fitted. A table that is still to be solved is solved.
    dialect : {"duckdb", "postgres", "spark", "sqlite"}
        Whose SQL it is to be.
    table : str or sequence of str
        Table or view with the rows, or catalogue, schema and table; quoted, whatever they hold.
    models : sequence of str, default=None
        Columns with the predictions, in the order of `fit`. None for `feature_names_in_`.
    prediction : str, default="prediction"
        Column that is added, which the table must not have.

    Returns
    -------
    query : str
        The SELECT, without a semicolon. The prediction is NULL where that of a base model is, or
        where it is no finite number below 1e308, which `predict` refuses.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range; the message names it.

    Examples
    --------
    >>> import sqlite3
    >>> model = EnsIRRegressor(default_weights="uniform").fit([[10, 20], [90, 80]], [12, 82])
    >>> query = to_sql(model, "sqlite", table="outputs", models=["A", "B"])
    >>> database = sqlite3.connect(":memory:")
    >>> _ = database.execute("CREATE TABLE outputs AS SELECT 30 AS A, 40 AS B")
    >>> database.execute(query).fetchall()
    [(30, 40, 35.0)]
    """
    check_option(dialect, "dialect", DIALECTS)
    if not isinstance(model, EnsIRRegressor | EnsIRRegressorCV):
        raise TypeError(f"model == {shown(model)}, must be an EnsIRRegressor or EnsIRRegressorCV.")
    model.solve()
    place = _check_names([table] if isinstance(table, str) else table, "table")
    _check_names([prediction], "prediction")
    names = _names_of_models(model, models)
    _check_different(names, prediction, dialect)
    return _write(model, DIALECTS[dialect], place, names, prediction)


def _write(
    model: EnsIRRegressor | EnsIRRegressorCV,
    sql: Dialect,
    place: Sequence[str],
    names: Sequence[str],
    prediction: str,
) -> str:
    """Return the query of a solved model, given the names of the table and of columns."""
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
    joins = [join for part in parts for join in part.joins()]
    if sql.most_tables is not None and len(joins) >= sql.most_tables:
        raise ValueError(
            f"The query would join {len(joins) + 1} tables, and the database joins at most "
            f"{sql.most_tables}: fit with wider bins, on one kind of axes, or with "
            "shrink_to='pooled'."
        )
    return "\n".join(
        [
            f"WITH {', '.join(part.values() for part in parts)}",
            f"SELECT {_ROWS}.*,",
            f"  CASE WHEN {known} THEN",
            f"    {combined}",
            f"  END AS {sql.name(prediction)}",
            f"FROM {sql.name(*place)} AS {_ROWS}",
            *joins,
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
    if len(set(names)) < len(names):
        raise ValueError(f"models == {shown(models)}, must be different columns.")
    if len(names) != model.n_features_in_:
        raise ValueError(
            f"models == {shown(models)}, must be the names of {model.n_features_in_} columns."
        )
    return names


def _check_different(names: Sequence[str], prediction: str, dialect: str) -> None:
    """Raise an error unless all these columns are different ones to the database."""
    sql = DIALECTS[dialect]
    found = {sql.same(name): name for name in names}
    for name in names:
        if (other := found[sql.same(name)]) != name:
            raise ValueError(
                f"models == {shown(names)}, must be different columns, and {dialect} takes "
                f"{shown(name)} and {shown(other)} for the same: rename one."
            )
    if sql.same(prediction) in found:
        raise ValueError(f"prediction == {shown(prediction)}, must not be the column of a model.")


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
