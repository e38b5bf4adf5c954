"""The lookup table: one record of its fields, and objectives as parts that make one."""

import inspect
import re
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import ClassVar, get_type_hints

import numpy as np
import pytest
from tables import images

from skensir import EnsIRRegressor
from skensir._core.least_squares import simplex_weights
from skensir._core.objective import Solution
from skensir._core.pooled import average_weights, best_model_weights, inverse_deviation_weights
from skensir._core.solve import OBJECTIVES, Settings, find_weights, pool, solve_table
from skensir._core.table import FIELDS, LookupTable
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import Axes
from skensir._sums.pairs import symmetric


@pytest.fixture(scope="module")
def statistics():
    stack = images(4000)
    return accumulate(stack.X, stack.y, axes=Axes(32.0), target_resolution=1.0)


def settings(objective="likelihood", *, default_weights="auto", min_samples_cell=100, **params):
    return Settings(OBJECTIVES[objective](**params), default_weights, min_samples_cell)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_table_has_the_declared_dtypes_and_shapes(statistics, objective):
    table = solve_table(statistics, settings(objective))
    table.check()
    assert table._fields == tuple(FIELDS)
    sizes = {"c": statistics.n_cells, "m": 3, "x": 3, "a": 0}
    for name, field in FIELDS.items():
        value = np.asarray(getattr(table, name))
        assert value.shape == field.shape(**sizes), name
        assert value.dtype.kind == np.dtype(field.dtype).kind, name
        assert value.astype(field.dtype).tolist() == value.tolist(), name


def test_the_estimator_declares_and_explains_every_field():
    published = {f"{name}_" for name in FIELDS}
    assert published <= get_type_hints(EnsIRRegressor).keys()
    section = inspect.getdoc(EnsIRRegressor).split("\nAttributes\n")[1].split("\nSee Also\n")[0]
    explained = set(re.findall(r"\b(\w+_)\b(?=[^\n]* : )", section))
    assert published <= explained


@pytest.mark.parametrize("objective", OBJECTIVES.values())
def test_parameters_of_an_objective_are_those_of_the_estimator(objective):
    defaults = EnsIRRegressor().get_params()
    for field in fields(objective):
        assert field.default == defaults[field.name]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("default_weights", ["auto", "uniform", np.array([0.2, 0.3, 0.5])])
def test_weights_alone_are_those_of_the_table(statistics, objective, default_weights):
    chosen = settings(objective, default_weights=default_weights, shrinkage=10.0)
    [(solution, unseen, thin)] = find_weights([statistics], chosen, [pool(statistics)])
    table = solve_table(statistics, chosen)
    np.testing.assert_array_equal(solution.weights, table.weights)
    np.testing.assert_array_equal(unseen.weights, table.default_weights)
    np.testing.assert_array_equal(thin, table.cell_origin == "thin")
    assert 0 < np.count_nonzero(thin) < len(thin)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("default_weights", ["pooled", "uniform", "inverse_deviation"])
def test_thin_cells_keep_default_weights(statistics, objective, default_weights):
    """Those of all rows, but inverse deviations are those of their own rows, as published."""
    table = solve_table(statistics, settings(objective, default_weights=default_weights))
    thin = np.flatnonzero(table.cell_origin == "thin")
    assert len(thin) > 1
    if default_weights == "inverse_deviation":
        expected = inverse_deviation_weights(statistics.error_moments(thin))
    else:
        moments = statistics.error_products.sum(axis=1, keepdims=True)
        find = {"pooled": simplex_weights, "uniform": average_weights}[default_weights]
        expected = find(symmetric(moments, 3)).repeat(len(thin), axis=0)
    np.testing.assert_allclose(table.weights[thin], expected)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("default_weights", ["pooled", "uniform", "inverse_deviation"])
def test_tables_are_the_same_in_any_unit(objective, default_weights):
    stack = images(400, bin_width=32.0)
    tables = []
    for unit in (1.0, 0.25):
        axes = Axes(unit * 32.0)
        sums = accumulate(unit * stack.X, unit * stack.y, axes=axes, target_resolution=unit)
        chosen = settings(objective, default_weights=default_weights, min_samples_cell=20)
        tables.append(solve_table(sums, chosen._replace(unit=unit)))
    assert set(tables[0].cell_origin) >= {"fitted", "thin"}
    for one, other in zip(tables[0].in_unit_of(0.25), tables[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_objective_is_a_part_of_its_own(statistics):
    """What has the signature can be solved, without a line changed anywhere else."""

    @dataclass(frozen=True)
    class BestModel:
        shrinkage: float = 0.0
        needs_truth: ClassVar[bool] = False
        default_weights: ClassVar[str] = "uniform"
        n_stages: ClassVar[int] = 0

        def solve_each(self, several, track):
            moments = [unsolved.statistics.error_moments(unsolved.cells) for unsolved in several]
            return [
                Solution.at_start(best_model_weights(of_set), unsolved.variances, n_iter=1)
                for of_set, unsolved in zip(moments, several, strict=True)
            ]

    table = solve_table(statistics, Settings(BestModel(), "auto", 100))
    table.check()
    thin = table.cell_origin == "thin"
    np.testing.assert_array_equal(table.weights[thin], 1 / 3)
    squares = np.einsum("nii->ni", statistics.error_moments())[~thin]
    np.testing.assert_array_equal(table.weights[~thin].argmax(axis=1), squares.argmin(axis=1))
    assert set(table.weights[~thin].ravel()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("cells", lambda cells: cells[::-1], "cells_ must be distinct and in lexicographic order"),
        ("cells", lambda cells: cells + 2**60, "cells_ must lie within"),
        ("bin_width", lambda width: -width, r"bin_width_ == -32.0, must be above zero"),
        ("bin_width", lambda width: 0 * width, r"bin_width_ == 0.0, must be above zero"),
        ("weights", lambda weights: weights - 0.5, "weights_ must lie between zero and one"),
        ("weights", lambda w: 1.5 * w / w.max(), "weights_ must lie between zero and one"),
        ("weights", lambda weights: weights / 2, "weights_ must sum to one"),
        ("default_weights", lambda weights: weights * 0.9, "default_weights_ must sum to one"),
        ("cell_origin", lambda origin: np.append("found", origin[1:]), "cell_origin_ must be"),
        ("n_iter", lambda n_iter: n_iter - 5000, "n_iter_ must not be negative"),
        ("means", lambda means: means * np.nan, "means_ must be finite, or NaN where"),
        ("variances", lambda variances: variances - 1e9, "variances_ must not be negative"),
        ("default_rmse", lambda rmse: np.inf, "default_rmse_ must be finite"),
    ],
)
def test_what_cannot_be_is_named(statistics, field, change, message):
    table = solve_table(statistics, settings())
    spoilt = table._replace(**{field: change(getattr(table, field))})
    assert isinstance(spoilt, LookupTable)
    with pytest.raises(ValueError, match=message):
        spoilt.check()


def test_a_simple_table_is_of_predictions_without_intercepts_and_ancestors(statistics):
    """It fills in what `check_arrays` asks for."""
    weights = np.full((statistics.n_cells, 3), 1 / 3)
    table = LookupTable.simple(
        bin_width=32.0,
        cells=statistics.cells,
        weights=weights,
        default_weights=weights[0],
        default_rmse=1.0,
        cell_origin=np.full(len(weights), "fitted"),
    )
    table.check_arrays(3)
    table.check()
    assert (table.axes, table.default_intercept) == ("predictions", 0.0)
    assert not table.intercepts.any()
    assert not len(table.ancestor_levels)


@pytest.mark.parametrize("width", [0.0, -1.0, np.inf, np.nan])
def test_arrays_of_a_table_without_a_bin_width_are_not_looked_at(statistics, width):
    table = solve_table(statistics, settings())._replace(bin_width=width)
    with pytest.raises(ValueError, match=f"bin_width_ == {width} are none"):
        table.check_arrays(3)


@pytest.mark.parametrize("field", FIELDS)
def test_arrays_of_other_shapes_are_named(statistics, field):
    table = solve_table(statistics, settings())
    table.check_arrays(3)
    if field not in ("bin_width", "axes", "cells", "ancestor_levels"):  # which are asked before
        value = np.asarray(getattr(table, field))
        with pytest.raises(ValueError, match=f"^{field}_ must have dtype"):
            table._replace(**{field: np.stack([value, value])}).check_arrays(3)


@pytest.mark.parametrize(
    ("largest", "off", "fits"),
    [
        (1.0, 0.9e-6, True),
        (1.0, 1.1e-6, False),
        (1e8, 1.00e-4, True),  # a millionth, and 1e-12 of the largest weight
        (1e8, 1.02e-4, False),
        (0.9e9, 0.0, True),
        (1.1e9, 0.0, False),
    ],
)
def test_weights_sum_to_one_but_for_rounding(statistics, largest, off, fits):
    table = solve_table(statistics, settings())
    weights = table.weights.copy()
    weights[3] = [0.0, largest, 1 - largest + off]
    table = table._replace(weights=weights)
    if fits:
        table.check(convex=False)
    else:
        with pytest.raises(ValueError, match=r"^weights_ must (sum to one|be at most 1e\+09)"):
            table.check(convex=False)


def test_what_is_unknown_of_released_cells_is_known_of_others(statistics):
    """And of rows in no cell, unless all of them are released."""
    table = solve_table(statistics, settings())
    fields = ("cell_counts", "cell_rmse", "means", "variances")

    def released(which, names):
        origin = np.where(which, "released", table.cell_origin)
        spoilt = {name: getattr(table, name).astype(np.float64) for name in names}
        for values in spoilt.values():
            values[which] = np.nan
        return table._replace(cell_origin=origin, **spoilt)

    some = np.arange(statistics.n_cells) == 2
    released(some, fields).check()
    released(~some, fields).check()
    released(some | ~some, fields)._replace(default_rmse=np.nan).check()
    with pytest.raises(ValueError, match="default_rmse_ must be finite"):
        released(~some, fields)._replace(default_rmse=np.nan).check()
    for name in fields:
        fitted = released(some, [name])._replace(cell_origin=table.cell_origin)
        with pytest.raises(ValueError, match=f"{name}_ must be finite"):
            fitted.check()


@pytest.mark.parametrize("scale", [0.25, 2.0**600, 2.0**-600])
def test_a_table_in_another_unit_says_the_same_of_rows_in_it(statistics, scale):
    lengths = {"bin_width", "means", "intercepts", "default_intercept", "ancestor_intercepts"}
    lengths |= {"cell_rmse", "default_rmse", "ancestor_rmse"}
    table = solve_table(statistics, settings())
    table = table._replace(intercepts=table.cell_rmse - 1, default_intercept=3.5)
    scaled = table.in_unit_of(scale)._asdict()
    for name, values in table._asdict().items():
        if name == "variances":
            largest, exact = np.finfo(np.float64).max, np.frompyfunc(Fraction, 1, 1)
            squares = np.minimum(exact(values) * Fraction(scale) ** 2, Fraction(largest))
            np.testing.assert_array_equal(scaled[name], squares.astype(np.float64))
        elif name in lengths:
            np.testing.assert_array_equal(scaled[name], np.multiply(values, scale))
        else:
            np.testing.assert_array_equal(scaled[name], values)
