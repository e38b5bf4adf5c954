"""What `fit` warns of: data on which it cannot do what its user has in mind."""

from __future__ import annotations

import numpy as np

from skensir._core.table import FITTED, LookupTable
from skensir._sample import Sample
from skensir._sums.scale import quantiles
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

# The ends of a distribution say little about fewer rows.
MIN_ROWS = 250
# Fewer rows than ten cells of the default size need make no table that is worth its name, however
# they are cut; to combine them with default weights is what there is to do.
_MIN_ROWS_OF_TABLE = 1000

# Batches whose range is this many times the one that bins were laid for fall into cells that few
# rows share: with K models there are up to 4**K times as many.
_FAR = 4.0

# Less weight per row than this is hardly meant: rows are rarely worth a twentieth of a row.
_FEW_PER_ROW = 0.05

# What cameras and array operations leave in numbers of 16 bits.
_RANGE_OF_16_BITS = 65535.0
_FEWER_BITS = (8, 10, 12)

# The middle of a distribution lies within these quantiles, with a wide margin.
_MIDDLE = (0.05, 0.95)
# No model's predictions spread so much further than the truth, not even noise on a black image.
_MANY_TIMES = 100.0


def find_other_scales(sample: Sample, pixel_range: float | None = None) -> IntArray:
    """Return the columns that are plainly no predictions on the scale of the truth.

    A weak model is not told apart by its error, nor by the slope of the truth over it: strong
    regularisation gives any slope above one, and on an even image any error is larger than the
    spread of the truth. But its predictions lie where the truth lies. So a column is on another
    scale if all of this holds:

    - the median of each lies outside the middle 90 % of the other, which outliers cannot bring
      about, nor many equal predictions in the middle of the truth;
    - their means differ by more than half a standard deviation of the truth, which no model with
      an intercept brings about, even where the truth is very skewed;
    - the medians differ by more than half of the larger one, and pixels by an eighth of their
      range, which rules out a model that is a little off on an even or black image;

    or if it spreads a hundred times as far as the truth.
    """
    truth, columns = sample.truth, sample.predictions.T
    lower, median, upper = quantiles(truth, None, (_MIDDLE[0], 0.5, _MIDDLE[1]))
    found = []
    with np.errstate(over="ignore", invalid="ignore"):  # told where rows are summed up
        for number, column in enumerate(columns):
            low, middle, high = quantiles(column, None, (_MIDDLE[0], 0.5, _MIDDLE[1]))
            apart = not lower <= middle <= upper and not low <= median <= high
            apart &= bool(abs(column.mean() - truth.mean()) > truth.std() / 2)
            distance = max(abs(middle), abs(median)) / 2, (pixel_range or 0.0) / 8
            apart &= bool(abs(middle - median) > max(distance))
            wider = 0 < _MANY_TIMES * (upper - lower) < high - low
            if apart or wider:
                found.append(number)
    return np.array(found, dtype=np.intp)


def say_other_scales(columns: IntArray, names: AnyArray | None) -> str | None:
    """Say which columns of X are on another scale than y, and what to do about it."""
    if not columns.size:
        return None
    listed = [str(column) if names is None else repr(str(names[column])) for column in columns]
    rest = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return (
        f"X has columns that are plainly not on the scale of y ({', '.join(listed[:5])}{rest}), "
        "but the weights average predictions of y as they are; take away what changes the scale "
        "of one of the two, such as a StandardScaler in front or a TransformedTargetRegressor "
        "around, or what adds columns that are no predictions, such as passthrough=True."
    )


def say_other_range(expected: float, found: float | None) -> str | None:
    """Say that later rows leave the range of the first ones by far."""
    if found is None or found < _FAR * expected:
        return None
    return (
        f"The range of these predictions is about {found:g}, that of the first rows was "
        f"{expected:g}, by which bins and units are laid: start anew with data_range={found:g}."
    )


def say_fewer_bits(sample: Sample, pixel_range: float | None) -> str | None:
    """Say that 16-bit numbers hold values of fewer bits, whose range is not theirs."""
    if pixel_range != _RANGE_OF_16_BITS or not sample.predictions.size:
        return None
    largest = max(sample.predictions.max(), sample.truth.max())
    bits = next((bits for bits in _FEWER_BITS if largest < 2**bits), None)
    if bits is None or 2 * largest < 2 ** _FEWER_BITS[0]:  # or all is nearly black
        return None
    return (
        f"No value of X and y is above {largest:.0f}, and uint16 counts as from 0 to 65535, by "
        f"which bins are laid: if these are values of {bits} bits, multiply them by "
        f"{2 ** (16 - bits)}; or set data_range={2**bits - 1}."
    )


def say_small_weights(sample_weight: FloatArray, *, in_fit: bool = True) -> str | None:
    """Say that sample weights are far below one, where they count as rows, and what to do."""
    n_rows, total = int(np.count_nonzero(sample_weight)), float(sample_weight.sum())
    if n_rows < MIN_ROWS or total > _FEW_PER_ROW * n_rows:
        return None
    cells = "a cell with so little of them gets default weights or those of wider cells, and "
    return (
        f"sample_weight sums to {total:.3g} over {n_rows} rows, and weights count as rows: "
        f"{cells if in_fit else ''}intervals by so few are too wide. Divide them by their mean."
    )


def say_thin(cell_counts: FloatArray, thin: BoolArray, min_samples_cell: float) -> str | None:
    """Say that most rows lie in cells of too few rows, and what to do about it."""
    total, few = float(cell_counts.sum()), float(cell_counts[thin].sum())
    if total < _MIN_ROWS_OF_TABLE or 2 * few <= total:
        return None
    return (
        f"Most rows, {few / total:.0%}, lie in cells of fewer than {min_samples_cell:g} rows, "
        "which get default weights: take a wider `bin_width`, or let EnsIRRegressorCV choose; the "
        f"limit is min_samples_cell={min_samples_cell:g}."
    )


def say_unfinished(table: LookupTable, max_iter: int, tol: float) -> str | None:
    """Return what to say where EM has not converged in cells of a table, if it has not."""
    unfinished = np.count_nonzero(~table.converged & (table.cell_origin == FITTED))
    # Fewer steps than that are what a callback has asked for.
    if not unfinished or table.n_iter.max() < max_iter:
        return None
    return (
        f"EM came to its limit of {max_iter} steps in {unfinished} of {len(table.cells)} cells "
        f"before the log-likelihood rose by less than {tol}; "
        f"raise max_iter={max_iter} or tol={tol}."
    )
