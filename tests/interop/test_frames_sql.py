"""A database predicts what the estimator predicts."""

import re
import sqlite3
import warnings

import naive
import numpy as np
import pandas as pd
import pytest
from frames import duckdb, stacked
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from skensir import EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir._sums.axes import KINDS, Axes
from skensir.baselines import AverageRegressor
from skensir.interop._dialects import DIALECTS
from skensir.interop.frames import to_sql

TABLE = 'out"puts; --'
NAMES = ["MPRNet", 'the "2nd"; \'', "y"]


def run_in_duckdb(query, frame):
    connection = duckdb.connect()
    connection.register(TABLE, frame)
    return connection.sql(query).df()


def run_in_sqlite(query, frame):
    connection = sqlite3.connect(":memory:")
    frame.to_sql(TABLE, connection, index=False, dtype=dict.fromkeys(frame, "REAL"))
    return pd.read_sql(query, connection)


RUN = {"duckdb": run_in_duckdb, "sqlite": run_in_sqlite}
DATABASES = pytest.mark.parametrize("dialect", RUN)


def names_of(n_models):
    return [*NAMES, *(f"model {i}" for i in range(n_models))][:n_models]


def predicted(dialect, model, X, **options):
    """Return what a database predicts, whose rows come in any order."""
    names = names_of(X.shape[1])
    frame = pd.DataFrame(np.asarray(X), columns=names).assign(number=np.arange(len(X)))
    query = to_sql(model, dialect, table=TABLE, models=names, **options)
    found = RUN[dialect](query, frame)
    assert list(found.columns) == [*names, "number", options.get("prediction", "prediction")]
    return found.sort_values("number").iloc[:, -1].to_numpy()


def beside_edges(X, model):
    """Return rows with each value on an edge of its bin or a step beside it, and some far away."""
    rows = [X, np.rint(X), np.repeat(X[:50, :1], X.shape[1], axis=1), 3 * X - 200, 1e6 * X[:100]]
    for axis, edges in enumerate(model.bin_edges_):
        moved = np.resize(X, (3 * len(edges), X.shape[1]))
        beside = np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)
        if model.axes_ == "predictions":
            moved[:, axis] = np.concatenate(beside)
        elif model.axes_ == "deviations":  # of two models that lie as far from a third
            moved[:, 0] = 100
            moved[:, 1:] = 100 + np.concatenate(beside)[:, None] * [1, *[0] * (X.shape[1] - 2)]
        elif axis == 1:  # of the spread of two models
            moved[:, 0], moved[:, 1:] = 100, 100 + 2 * np.concatenate(beside)[:, None]
        rows.append(moved)
    return np.concatenate(rows)


def fitted(X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EnsIRRegressor(**{"objective": "squared_error", "data_range": 255} | params).fit(
            X, y
        )


@DATABASES
@pytest.mark.parametrize(
    "params",
    [
        {"fit_intercept": True},
        {"positive": False, "min_samples_cell": 5},
        {"shrink_to": "parent", "shrinkage": 30.0},
        {"shrink_to": "parent", "shrinkage": 3.0, "positive": False, "fit_intercept": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("axes", KINDS)
@pytest.mark.parametrize("n_models", [2, 3])
def test_a_query_predicts_what_the_estimator_predicts(dialect, axes, params, n_models):
    X, y, *_ = stacked(3000, n_models)
    bin_width = {"predictions": 4.9, "deviations": 0.7, "summary": 9.1}[axes]
    model = fitted(X, y, axes=axes, bin_width=bin_width, **params)
    rows = beside_edges(X, model)
    expected = model.predict(rows)
    np.testing.assert_allclose(predicted(dialect, model, rows), expected, rtol=1e-12, atol=1e-12)
    seen = np.unique(model._lookup().find(rows))
    assert len(seen) > len(model.cells_) * 0.9
    n_lines = len(model.cells_) + len(model.ancestor_levels_)
    if axes != "summary":
        assert seen[-1] == n_lines or "shrink_to" in params  # rows of unseen cells
    if "shrink_to" in params and axes != "summary":
        assert (seen >= len(model.cells_)).any()


@DATABASES
def test_defaults_and_averaged_tables_are_predicted_too(dialect):
    X, y, *_ = stacked(4000)
    model = EnsIRRegressorCV().fit(X, y)
    assert len(model.estimators_) > 1
    for one in (model, EnsIRRegressor().fit(X, y)):
        rows = np.concatenate([X, 2 * X - 100, np.rint(X)])
        expected = one.predict(rows)
        np.testing.assert_allclose(predicted(dialect, one, rows), expected, rtol=1e-12)


@DATABASES
def test_a_table_from_a_file_is_predicted_too(dialect, tmp_path):
    X, y, *_ = stacked(2000)
    model = EnsIRRegressorCV(axes=["deviations", "predictions"]).fit(X, y)
    save_table(model, tmp_path / "table.npz")
    read = load_table(tmp_path / "table.npz")
    np.testing.assert_allclose(predicted(dialect, read, X), model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
@given(
    stack=naive.stacks(max_models=5, max_rows=30),
    axes=st.sampled_from(KINDS),
    params=st.sampled_from([{}, {"shrink_to": "parent", "shrinkage": 1.0, "fit_intercept": True}]),
)
def test_drawn_rows_are_predicted_alike(dialect, stack, axes, params):
    model = fitted(
        stack.X, stack.y, axes=axes, bin_width=stack.bin_width, min_samples_cell=0, **params
    )
    X = np.concatenate([stack.X, stack.X[::-1, ::-1]])
    # SQLite stores floats of single precision as such, and all that it knows are doubles.
    found = predicted(dialect, model, X.astype(float))
    np.testing.assert_allclose(found, model.predict(X.astype(float)), rtol=1e-12, atol=1e-12)


@DATABASES
def test_convex_weights_lead_to_no_prediction_beyond_those_of_the_row(dialect):
    X = np.random.default_rng(0).uniform(-1000, 1000, (2000, 3))
    weights = {"default_weights": [0, 0, 1], "min_samples_cell": 1e9}
    model = fitted(X, X[:, 0], bin_width=500.0, **weights)
    rounded = X[:, 0] + (X[:, 2] - X[:, 0])
    assert (rounded > X.max(axis=1)).any()
    assert (rounded < X.min(axis=1)).any()
    found = predicted(dialect, model, X)
    assert (found >= X.min(axis=1)).all()
    assert (found <= X.max(axis=1)).all()
    np.testing.assert_array_equal(found, model.predict(X))


@DATABASES
@pytest.mark.parametrize("axes", KINDS)
def test_one_model_is_what_it_predicts(dialect, axes):
    X, y, *_ = stacked(500, 1)
    model = fitted(X, y, axes=axes, bin_width=8.0, fit_intercept=axes == "predictions")
    np.testing.assert_allclose(predicted(dialect, model, X), model.predict(X), rtol=1e-12)


@DATABASES
@pytest.mark.parametrize("dtype", ["u1", "i8", "f4", "?"])
def test_types_of_columns_do_not_matter(dialect, dtype):
    X, y, *_ = stacked(2000)
    X = (X > 100) if dtype == "?" else np.clip(X, 0, 255).astype(dtype)
    for axes, bin_width in (("predictions", 32.0), ("deviations", 1.0)):
        model = fitted(X, y, axes=axes, bin_width=bin_width, min_samples_cell=0)
        expected = model.predict(X.astype(float))
        np.testing.assert_allclose(predicted(dialect, model, X), expected, rtol=1e-12)


@DATABASES
def test_missing_predictions_make_a_missing_prediction(dialect):
    X, y, *_ = stacked(2000)
    for params in ({}, {"shrink_to": "parent"}):
        model = fitted(X, y, bin_width=32.0, **params)
        frame = pd.DataFrame(X[:4], columns=NAMES).astype(object)
        frame.loc[1, NAMES[0]] = frame.loc[2, NAMES[1]] = frame.loc[3, NAMES[2]] = None
        frame = frame.astype("Float64") if dialect == "duckdb" else frame
        query = to_sql(model, dialect, table=TABLE, models=NAMES)
        found = RUN[dialect](query, frame).sort_values(NAMES[0])["prediction"]
        assert found.isna().sum() == 3
    if dialect == "sqlite":  # whose columns may hold anything
        frame.loc[0, NAMES[0]] = "many"
        assert RUN[dialect](query, frame)["prediction"].isna().all()


def test_what_predict_refuses_makes_a_missing_prediction():
    """Least and greatest of a row leave some of it out, and must not hide it."""
    X, y, *_ = stacked(2000)
    for params in ({}, {"shrink_to": "parent"}, {"fit_intercept": True}):
        model = fitted(X, y, bin_width=32.0, **params)
        for value in (np.nan, np.inf, -np.inf):
            for axis in range(3):
                rows = X[:50].copy()
                rows[:, axis] = value
                for dialect in RUN:
                    assert np.isnan(predicted(dialect, model, rows).astype(float)).all()


@DATABASES
def test_names_are_quoted_and_chosen(dialect):
    X, y, *_ = stacked(500)
    frame = pd.DataFrame(X, columns=NAMES)
    model = EnsIRRegressor().fit(frame, y)
    name = 'a "fine"\' result'
    found = RUN[dialect](to_sql(model, dialect, table=TABLE, prediction=name), frame)
    np.testing.assert_allclose(found[name], model.predict(found[NAMES]), rtol=1e-12)


@DATABASES
@pytest.mark.parametrize("table", ["cells1", "CELLS1", "cells", "given"])
def test_a_table_may_have_a_name_that_the_query_uses(dialect, table):
    X, y, *_ = stacked(500)
    names = ["level", "bin1", "weight2"]
    model = EnsIRRegressor().fit(pd.DataFrame(X, columns=names), y)
    query = to_sql(model, dialect, table=("main", table))
    connection = duckdb.connect() if dialect == "duckdb" else sqlite3.connect(":memory:")
    connection.execute(f'CREATE TABLE "{table}" (level REAL, bin1 REAL, weight2 REAL)')
    connection.executemany(f'INSERT INTO "{table}" VALUES (?, ?, ?)', X[:20].tolist())
    for given_as in (query, to_sql(model, dialect, table=table)):
        found = np.array(connection.execute(given_as).fetchall())
        rows = pd.DataFrame(found[:, :3], columns=names)
        np.testing.assert_allclose(found[:, 3], model.predict(rows), rtol=1e-12)


def test_a_view_of_a_query_stays_a_query():
    X, y, *_ = stacked(500)
    model = EnsIRRegressor().fit(pd.DataFrame(X, columns=NAMES), y)
    connection = duckdb.connect()
    connection.register("outputs", pd.DataFrame(X, columns=NAMES))
    connection.sql(f"CREATE VIEW restored AS {to_sql(model, 'duckdb', table='outputs')}")
    assert connection.execute("SELECT count(prediction) FROM restored").fetchall() == [(500,)]


def test_a_table_that_is_still_to_be_solved_is_solved():
    X, y, *_ = stacked(500)
    model = EnsIRRegressor().partial_fit(X, y)
    query = to_sql(model, "duckdb", table="outputs", models=NAMES)
    assert query == to_sql(EnsIRRegressor().fit(X, y), "duckdb", table="outputs", models=NAMES)


@pytest.mark.parametrize("n_models", [1, 2, 5])
@pytest.mark.parametrize("bin_width", [0.3, 8.0, 100.0])
def test_edges_of_the_spread_are_where_its_bins_begin(n_models, bin_width):
    axes, bins = Axes(bin_width, "summary", 8.0), np.arange(1, 30)
    edges = axes.spread_edges(bins, n_models)
    np.testing.assert_array_equal(axes.bins_of_spread(edges, n_models), bins)
    below = axes.bins_of_spread(np.nextafter(edges, 0), n_models)
    np.testing.assert_array_equal(below, bins - 1)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-250))
def test_sqlite_reads_exact_numbers_to_the_last_bit(value):
    text = DIALECTS["sqlite"].exact(value)
    assert sqlite3.connect(":memory:").execute(f"SELECT {text}").fetchone() == (value,)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_duckdb_reads_numbers_to_the_last_bit(value):
    for write in (DIALECTS["duckdb"].number, DIALECTS["duckdb"].exact):
        [[found]] = duckdb.connect().execute(f"SELECT {write(value)}").fetchall()
        assert (type(found), found) == (float, value)


@pytest.mark.parametrize("dialect", ["postgres", "spark"])
@pytest.mark.parametrize("axes", KINDS)
def test_other_dialects_differ_in_words_only(dialect, axes):
    """What DuckDB runs becomes what others run, word by word: there is none of them here."""
    X, y, *_ = stacked(500)
    model = fitted(X, y, axes=axes, bin_width=20.0, shrink_to="parent", fit_intercept=True)
    expected, query = (
        to_sql(model, name, table="outputs", models=["A", "B", "C"]) for name in ("duckdb", dialect)
    )
    number = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
    if dialect == "postgres":
        query = query.replace("DOUBLE PRECISION", "DOUBLE")
        query = re.sub(rf"CAST\(({number}) AS DOUBLE\)", r"\1", query)
    else:
        query = re.sub(rf"({number})D\b", r"\1", query.replace("`", '"'))
    assert query == re.sub(rf"(?<![\w.])({number}?)e0\b", r"\1", expected)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"dialect": "oracle"}, ValueError, "dialect == 'oracle', must be one of 'duckdb', 'post"),
        ({"model": AverageRegressor()}, TypeError, "model == AverageRegressor.*, must be an EnsIR"),
        ({"model": EnsIRRegressor()}, NotFittedError, "not fitted"),
        ({"table": ""}, ValueError, r"table == \[''\], must not be empty"),
        ({"table": []}, ValueError, r"table == \[\], must have at least one name"),
        ({"table": 3}, TypeError, "table == 3, must be a list of names"),
        ({"prediction": "a\0"}, ValueError, "must not be empty or hold a zero byte"),
        ({"prediction": None}, TypeError, r"prediction == \[None\], must be text"),
        ({"models": None}, ValueError, "models == None, must be given: model was fitted without"),
        ({"models": ["A", "B"]}, ValueError, r"models == \['A', 'B'\], must be the names of 3"),
        ({"models": ["A", "B", "A"]}, ValueError, r"models == .*, must be different columns"),
        ({"models": ["A", "a", "B"]}, ValueError, "and duckdb takes 'A' and 'a' for the same: ren"),
        ({"models": ["A", "B", "C"], "prediction": "c"}, ValueError, "prediction == 'c', must not"),
        ({"models": "ABC"}, TypeError, "models == 'ABC', must be a list of names"),
    ],
)
def test_arguments_out_of_range_are_an_error(change, error, message):
    X, y, *_ = stacked(200)
    arguments = {"dialect": "duckdb", "table": "outputs", "models": ["A", "B", "C"]}
    arguments = {"model": EnsIRRegressor().fit(X, y)} | arguments | change
    with pytest.raises(error, match=message):
        to_sql(**arguments)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_that_differ_in_case_are_told_apart_where_a_database_does(dialect):
    X, y, *_ = stacked(200)
    model = EnsIRRegressor().fit(pd.DataFrame(X, columns=["a", "A", "b"]), y)
    if dialect == "postgres":
        assert 'given."a"' in (query := to_sql(model, dialect, table="t", prediction="B"))
        assert 'given."A"' in query
        return
    with pytest.raises(ValueError, match=f"models == .*, and {dialect} takes 'a' and 'A' for the"):
        to_sql(model, dialect, table="t")


def test_more_tables_than_a_database_joins_are_told(monkeypatch):
    X, y, *_ = stacked(2000)
    X[0] = y[0] = 1e12
    model = EnsIRRegressor(objective="squared_error", shrink_to="parent").fit(X, y)
    n_joins = to_sql(model, "duckdb", table="t", models=["A", "B", "C"]).count("JOIN")
    assert DIALECTS["sqlite"].most_tables == 64
    for most in (n_joins, n_joins + 1):
        monkeypatch.setitem(DIALECTS, "sqlite", DIALECTS["sqlite"]._replace(most_tables=most))
        if most > n_joins:
            to_sql(model, "sqlite", table="t", models=["A", "B", "C"])
            continue
        with pytest.raises(ValueError, match=f"would join {n_joins + 1} tables, .* at most {most}"):
            to_sql(model, "sqlite", table="t", models=["A", "B", "C"])
