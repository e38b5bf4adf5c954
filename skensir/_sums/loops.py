"""The loops of the two hot paths, written to be compiled by numba, and their compilation.

They do what `accumulate`, `histogram` and `combine` do in NumPy, operation by operation and in the
same order, so that sums and predictions are the same to the last bit.

A key is packed as in `cells`: with three models of two bins each, bin i of the first one adds
i * 4 to it, of the second i * 2, of the third i. These are the place values, and 8, the size of the
table, is what a bin that is not among the known ones takes away, so that the key is below zero.

What is None is known when a loop is compiled, so that no branch is left. `parts` holds what each
value adds to the key of its row, and `values` holds it as a double, which is read twice as fast as
it is converted. Deviations from the mean of the models are taken times the number of models, and
their `parts` lie in one line. Where there are no `parts`, `bins` has a line with the first bin of
each model, one with the number of the last, and one with the place values, and a division by the
width is a multiplication with `factor` where that is exact. A bin outside of the table's counts to
the nearest one, but takes `beyond` from the key; a key below zero has the last number of the table.

`lines` has for each number the intercept and the weights of all models but the first, one behind
the other; the place of a line is the number times the number of models. Where there is no table,
keys are such places.

A loop runs in the thread that calls it, without the interpreter's lock, and starts no others:
numba's own threads abort the process where two callers meet, and would crowd joblib's workers.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skensir._sums.cells import EMPTY
from skensir._typing import AnyArray, FloatArray, IntArray

# To be silent is a setting of the whole process, which threads have to make one by one.
_LOCK = threading.Lock()


def _look_up(
    X: AnyArray,
    models: tuple[int, ...],
    values: FloatArray | None,
    parts: IntArray | None,
    deviations: bool | None,
    factor: float | None,
    divisor: float,
    bins: FloatArray,
    beyond: int,
    table: IntArray | None,
    lines: FloatArray | None,
    convex: bool | None,
    out: AnyArray,
) -> None:
    """Write down the cell number of each row, or its weighted sum where `lines` are given."""
    # An unsigned number needs no check that it is not below zero.
    for row in range(np.uint64(len(X))):
        key = 0
        if deviations is not None:
            if parts is not None:
                # Of 8 bits; no row adds up to more. Numbers that are known here are cheaper.
                rest = np.uint64(255 * len(models))
                for model in range(len(models)):
                    rest -= np.uint64(X[row, model])
            else:
                origin, distance = np.float64(X[row, 0]), 0.0
                for model in range(len(models)):
                    distance += np.float64(X[row, model]) - origin
        for model in range(len(models)):
            if parts is not None:
                if deviations is None:
                    key += parts[model, X[row, model]]
                else:
                    place = np.uint64(len(models)) * np.uint64(X[row, model]) + rest
                    place += np.uint64(model) * np.uint64(2 * 255 * len(models) + 1)
                    key += parts[0, place]
            else:
                value = np.float64(X[row, model])
                if deviations is not None:
                    value = (value - origin) * len(models) - distance
                quotient = value / divisor if factor is None else value * factor
                digit = np.floor(quotient) - bins[0, model]
                inside = min(max(digit, 0.0), bins[1, model])
                key += int(inside * bins[2, model])
                if digit != inside:
                    key -= beyond
        if lines is None:
            if table is not None:
                out[row] = table[np.uint64(key if key >= 0 else len(table) - 1)]
        else:
            line = np.uint64(key) if table is None else np.uint64(table[np.uint64(key)])
            first = np.float64(X[row, 0]) if values is None else values[X[row, 0]]
            total = lowest = highest = first
            for model in range(1, len(models)):
                value = np.float64(X[row, model]) if values is None else values[X[row, model]]
                total += (value - first) * lines[line + np.uint64(model)]
                lowest, highest = min(lowest, value), max(highest, value)
            # Of a sum that is to lie within the predictions it is known that it is.
            out[row] = min(max(total, lowest), highest) if convex is None else total + lines[line]


def _add_rows(
    X: AnyArray,
    models: tuple[int, ...],
    values: FloatArray | None,
    numbers: IntArray,
    truth: FloatArray,
    weight: FloatArray | None,
    minus_corners: FloatArray | None,
    sums: FloatArray,
) -> None:
    """Add each row to the sums of its cell, one line per cell; leave out rows of unseen cells.

    Without corners there are no sums of the predictions themselves.
    """
    for row in range(np.uint64(len(X))):
        number = np.uint64(numbers[row])
        if number == np.uint64(len(sums)):
            continue
        sums[number, 0] += 1.0 if weight is None else weight[row]
        place = np.uint64(1)
        if minus_corners is not None:
            place += np.uint64(2 * len(models))
        for model in range(len(models)):
            value = np.float64(X[row, model]) if values is None else values[X[row, model]]
            if minus_corners is not None:
                offset = minus_corners[number, model] + value
                weighted = offset if weight is None else offset * weight[row]
                sums[number, 1 + model] += weighted
                sums[number, 1 + len(models) + model] += weighted * offset
            error = value - truth[row]
            weighted = error if weight is None else error * weight[row]
            for other in range(model, len(models)):
                value = np.float64(X[row, other]) if values is None else values[X[row, other]]
                sums[number, place] += weighted * (value - truth[row])
                place += np.uint64(1)
        if place < np.uint64(sums.shape[1]):  # the errors were asked for
            for model in range(len(models)):
                value = np.float64(X[row, model]) if values is None else values[X[row, model]]
                error = value - truth[row]
                weighted = error if weight is None else error * weight[row]
                sums[number, place + np.uint64(model)] += weighted


def _count_truth(
    numbers: IntArray,
    truth: FloatArray,
    weight: FloatArray | None,
    factor: float | None,
    resolution: float,
    first: int,
    counts: FloatArray,
) -> None:
    """Add each row's weight and weighted excess to the place of its truth."""
    for row in range(np.uint64(len(numbers))):
        step = np.floor(truth[row] / resolution if factor is None else truth[row] * factor)
        place = np.uint64(np.int64(step) - first)
        number = np.uint64(numbers[row])
        excess = truth[row] - step * resolution
        counts[number, place, 0] += 1.0 if weight is None else weight[row]
        counts[number, place, 1] += excess if weight is None else excess * weight[row]


def _walk(
    bins: AnyArray,
    low: AnyArray,
    high: AnyArray,
    stops: IntArray,
    shifts: IntArray,
    multipliers: AnyArray,
    keys_from: IntArray,
    numbers_from: IntArray,
    keys: IntArray,
    numbers: IntArray,
    out: IntArray,
) -> None:
    """Write down the cell number of each row of bins: see `cells.CellIndex` and `cells.Steps`."""
    for row in range(np.uint64(bins.shape[1])):
        node, model = np.int64(0), 0
        for level in range(len(stops)):
            key = node
            for model in range(model, stops[level]):  # noqa: B020
                digit = min(max(bins[model, row], low[model]), high[model]) - low[model]
                key = key * np.int64(high[model] - low[model] + 1) + np.int64(digit)
            model = stops[level]
            place = key
            if shifts[level] < np.uint64(64):
                last = keys_from[level + 1] - keys_from[level] - 1
                place = np.int64((np.uint64(key) * multipliers[level]) >> shifts[level])
                found = keys[keys_from[level] + place]
                while found not in (key, EMPTY):
                    place = (place + 1) & last
                    found = keys[keys_from[level] + place]
            node = numbers[numbers_from[level] + place]
        out[row] = node


def _combine_found(
    X: AnyArray,
    values: FloatArray | None,
    numbers: IntArray,
    lines: FloatArray,
    convex: bool,
    out: FloatArray,
) -> None:
    """Write down the weighted sum of each row, whose cell is known, for any number of models."""
    n_models = np.uint64(X.shape[1])
    for row in range(np.uint64(len(X))):
        line = np.uint64(numbers[row]) * n_models
        first = np.float64(X[row, 0]) if values is None else values[X[row, 0]]
        total = lowest = highest = first
        for model in range(np.uint64(1), n_models):
            value = np.float64(X[row, model]) if values is None else values[X[row, model]]
            total += (value - first) * lines[line + np.uint64(model)]
            lowest, highest = min(lowest, value), max(highest, value)
        out[row] = min(max(total, lowest), highest) if convex else total + lines[line]


def has_parts(dtype: np.dtype[Any], kind: str) -> bool:
    """Tell whether there is a table of what each value adds to a key."""
    return dtype == np.uint8 or (dtype == np.uint16 and kind == "predictions")


LOOPS: dict[str, Callable[..., None]] = {
    "find": _look_up,  # without lines
    "combine": _look_up,  # and with them
    "add": _add_rows,
    "count": _count_truth,
    "walk": _walk,
    "combine found": _combine_found,
}


class Case(NamedTuple):
    """What a loop is compiled for."""

    loop: str  # in `LOOPS`
    dtype: np.dtype[Any]
    n_models: int
    kind: str = "predictions"
    has_factor: bool = False
    has_table: bool = False
    has_weight: bool = False
    is_convex: bool = False
    is_dense: bool = False  # what it writes to


def _signature(case: Case) -> tuple[Any, ...]:
    """Return the types of the arguments of a loop."""
    import numba

    types: Any = numba.types

    def given(dtype: Any, n_dimensions: int, layout: str = "C") -> Any:
        # Arrays that may be written to and are aligned can be given as well: one version for all.
        return types.Array(dtype, n_dimensions, layout, readonly=True, aligned=False)

    def unless(absent: bool, kind: Any) -> Any:
        return types.none if absent else kind

    real, whole = types.float64, types.int64
    no_parts = not has_parts(case.dtype, case.kind)
    on_predictions = case.kind == "predictions"
    factor, numbers = unless(not case.has_factor, real), given(whole, 1)
    weight = unless(not case.has_weight, given(real, 1, "A"))
    truth = numbers, given(real, 1), weight
    if case.loop == "count":
        return *truth, factor, real, whole, real[:, :, ::1]
    if case.loop == "walk":
        bin_type = numba.from_dtype(case.dtype)
        ends = given(real if case.dtype.kind == "f" else whole, 1)
        hashing = given(types.uint64, 1)
        steps = numbers, hashing, hashing, numbers, numbers, numbers, numbers
        return given(bin_type, 2, "A"), ends, ends, *steps, whole[::1]
    if case.loop == "combine found":
        rows_of_any = given(numba.from_dtype(case.dtype), 2, "A")
        values = unless(no_parts, given(real, 1))
        return (
            rows_of_any,
            values,
            numbers,
            given(real, 1),
            types.boolean,
            types.Array(real, 1, "A"),
        )
    # Rows with any strides. The length of a tuple is known here: loops over it are unrolled.
    rows = given(numba.from_dtype(case.dtype), 2, "A"), types.UniTuple(whole, case.n_models)
    values = unless(no_parts, given(real, 1))
    if case.loop == "add":
        return *rows, values, *truth, unless(not on_predictions, given(real, 2)), real[:, ::1]
    parts = given(types.int32 if on_predictions else whole, 2)
    parts = unless(no_parts, parts)
    deviations = unless(on_predictions, types.boolean)
    table = unless(not case.has_table, numbers)
    index = *rows, values, parts, deviations, factor, real, given(real, 2), whole, table
    if case.loop == "find":
        return *index, types.none, types.none, whole[::1]
    out = types.Array(real, 1, "C" if case.is_dense else "A")
    return *index, given(real, 1), unless(case.is_convex, types.boolean), out


def _compile(case: Case, *, cache: bool) -> Callable[..., None]:
    """Compile a loop, or load it from the folder where numba has kept it."""
    import numba

    config: Any = numba.config
    if config.DISABLE_JIT:
        raise RuntimeError("numba has been told not to compile")
    # Nothing here may change the order of sums, as fastmath would.
    signature = numba.types.void(*_signature(case))
    jit: Any = numba.njit(signature, nogil=True, error_model="numpy", cache=cache)
    compiled: Callable[..., None] = jit(LOOPS[case.loop])
    return compiled


@functools.cache
def compiled_loop(case: Case) -> Callable[..., None] | None:
    """Return the compiled loop, None where numba is absent or fails for whatever reason."""
    for cache in (True, False):  # without, where no folder can be written to
        try:
            with _LOCK, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _compile(case, cache=cache)
        except Exception:
            continue
    return None
