"""Sample weights are repetition and absence; rows in parts are the rows at once."""

import numpy as np
from drawn import (
    PARAMS,
    SEEDS,
    Rows,
    assert_same_fit,
    assert_same_predictions,
    drawn_rows,
    fitted,
    make,
    quiet,
)
from hypothesis import given
from hypothesis import strategies as st


@given(drawn_rows(weights=False), PARAMS, SEEDS)
def test_whole_weights_are_repetition(rows, params, seed):
    times = np.random.default_rng(seed).integers(0, 4, rows.n_rows)
    times[0] = 2
    weighted = fitted(params, rows._replace(weight=times))
    repeated = fitted(params, rows.take(np.repeat(np.arange(rows.n_rows), times)))
    assert_same_fit(weighted, repeated)
    assert_same_predictions(weighted, repeated, rows.X)


@given(
    drawn_rows(),
    PARAMS,
    st.sampled_from(["auto", 255.0]),
    st.sampled_from([0.0, 7.0, -3e4, 1e60, -1e300]),
    SEEDS,
)
def test_rows_of_weight_zero_are_absent_whatever_is_in_them(rows, params, data_range, value, seed):
    """Automatic widths and the grid of the truth do not see them either."""
    rng = np.random.default_rng(seed)
    params = {**params, "data_range": data_range}
    expected = fitted(params, rows)
    n_more = int(rng.integers(1, 30))
    more_X = rows.X[rng.integers(rows.n_rows, size=n_more)].copy()
    more_X[rng.random(more_X.shape) < 0.5] = value
    more_y = rng.choice([0.3, value], n_more)
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    X, y = np.vstack([rows.X, more_X]), np.append(rows.y, more_y)
    order = rng.permutation(len(y))
    padded = Rows(X, y, np.append(weight, np.zeros(n_more))).take(order)
    assert_same_fit(fitted(params, padded), expected)
    if data_range == "auto":  # which the first part with weight would tell
        return
    in_parts = make(params)
    with quiet():
        for part in np.array_split(np.arange(len(y)), 3):
            if len(part):
                in_parts.partial_fit(*padded.take(part))
    assert_same_fit(in_parts, expected)


@given(drawn_rows(), PARAMS, st.integers(-30, 30))
def test_thresholds_count_weight_and_nothing_else_does(rows, params, power):
    """In another unit of weight, with the parameters that count rows in it too, all is the same."""
    if params.get("variance_center") == "responsibility":
        return  # adds a millionth of a row
    unit = 2.0**power
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    in_unit = {name: unit * params[name] for name in ("min_samples_cell", "shrinkage")}
    model = fitted({**params, **in_unit}, rows._replace(weight=unit * weight))
    expected = fitted(params, rows)
    np.testing.assert_array_equal(model.cell_counts_, unit * expected.cell_counts_)
    assert_same_predictions(model, expected, rows.X)


@st.composite
def batches(draw):
    """Return a function that cuts rows into batches, some of them empty, in any order."""
    rng = np.random.default_rng(draw(SEEDS))
    n_cuts, shuffled = draw(st.integers(0, 7)), draw(st.booleans())

    def cut(n_rows):
        order = rng.permutation(n_rows) if shuffled else np.arange(n_rows)
        return np.split(order, np.sort(rng.integers(0, n_rows + 1, n_cuts)))

    return cut, rng


@given(drawn_rows(), PARAMS, batches())
def test_any_batches_and_any_tree_of_mergers_are_one_fit(rows, params, cut_and_rng):
    cut, rng = cut_and_rng
    whole = fitted(params, rows, data_range=255)
    one_by_one, parts = make(params, data_range=255), []
    with quiet():
        for numbers in cut(rows.n_rows):
            batch = rows.take(numbers)
            if not batch.n_rows:
                continue  # where there are none before, that is an error
            one_by_one.partial_fit(*batch)
            if batch.has_weight():
                parts.append(make(params, data_range=255).partial_fit(*batch))
            if rng.random() < 0.3 and one_by_one.__sklearn_is_fitted__():
                one_by_one.predict(rows.X)  # between, a table is solved, and changes nothing
        assert_same_fit(one_by_one, whole)
        while len(parts) > 1:
            other = parts.pop(int(rng.integers(len(parts))))
            parts[int(rng.integers(len(parts)))].merge(other)
    assert_same_fit(parts[0], whole)
    assert_same_predictions(parts[0], whole, rows.X)


@given(drawn_rows(), PARAMS)
def test_rows_taken_in_twice_are_rows_of_weight_two(rows, params):
    with quiet():
        model = make(params, data_range=255).partial_fit(*rows)
        model.merge(model)  # with itself
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    assert_same_fit(model, fitted(params, rows._replace(weight=2 * weight), data_range=255))


@given(drawn_rows(max_models=6), drawn_rows(max_models=6, weights=False), PARAMS, SEEDS)
def test_intervals_come_from_weights_of_rows_too_and_are_nested(rows, others, params, seed):
    """Rows to calibrate by may be repeated, weighted and given in parts."""
    n_models = min(rows.X.shape[1], others.X.shape[1])
    rows, others = rows._replace(X=rows.X[:, :n_models]), others._replace(X=others.X[:, :n_models])
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 3, others.n_rows)
    times[0] = 1
    model = fitted(params, rows).calibrate(*others._replace(weight=times))
    repeated = others.take(rng.permutation(np.repeat(np.arange(others.n_rows), times)))
    in_parts = fitted(params, rows)
    for part in np.array_split(np.arange(repeated.n_rows), 3):
        if len(part):
            in_parts.calibrate(*repeated.take(part), add=True)
    np.testing.assert_array_equal(in_parts.calibration_, model.calibration_)
    assert model.calibration_.sum() == times.sum()
    predicted = model.predict(rows.X)
    inner = predicted, predicted
    for coverage in (0.01, 0.5, 0.9, 0.999):
        lower, upper = model.predict_interval(rows.X, coverage)
        assert (lower <= inner[0]).all()
        assert (upper >= inner[1]).all()
        inner = lower, upper
