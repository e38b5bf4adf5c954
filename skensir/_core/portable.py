"""The look-up as plain steps over whole arrays, for libraries that are not NumPy, and for graphs.

`combine` and the compiled loops are the fast way in this process. Where predictions lie on another
device, or where a runtime has no Python, what they do has to be said in the few operations that
every library of arrays has: here once, for all of them. Every step is elementwise or takes lines
of a table, so that arrays may have any shape, and what is computed in double precision is what
NumPy computes, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from skensir._core.lookup import AveragedLookups, Lookup
from skensir._sums.axes import Axes
from skensir._sums.cells import CellIndex, NestedCellIndex
from skensir._typing import AnyArray, IntArray

# With as many places in a table, the weights of all of them are looked up there at once.
_FEW_PLACES = 2**13
# Bins of the spread between the outermost that occur; all of them have an edge.
_MOST_EDGES = 2**24

Record = TypeVar("Record")


class Operations(Protocol):
    """What the library of some arrays can do; the operators of Python are taken for granted.

    Arithmetic of an array and a number keeps the dtype of the array.
    """

    def divide(self, values: Any, divisor: Any) -> Any:
        """Divide by a table of one number, and not multiply by its inverse."""

    def floor(self, values: Any) -> Any:
        """Round down."""

    def within(self, sums: Any, columns: Sequence[Any]) -> Any:
        """Bring sums that rounding has carried beyond the range of some arrays back into it."""

    def where(self, condition: Any, values: Any, others: Any) -> Any:
        """Choose from two arrays or numbers, at least one of which is an array."""

    def clip(self, values: Any, low: float, high: float) -> Any:
        """Bring values into a range."""

    def whole(self, values: Any) -> Any:
        """Convert doubles that are whole to integers of 64 bits."""

    def place(self, values: Any, size: int) -> Any:
        """Convert them to places of a table; what is no number may get any place in it."""

    def double(self, values: Any) -> Any:
        """Convert to double precision."""

    def root(self, values: Any) -> Any:
        """Return square roots."""

    def take(self, table: Any, places: Any) -> Any:
        """Return entries of a table of one dimension."""

    def take_lines(self, table: Any, places: Any, n_columns: int) -> Sequence[Any]:
        """Return the columns of lines of a table of two dimensions, in the dtype of the sums."""


class Level(NamedTuple):
    """One step down the trie of an index: see `cells.CellIndex`.

    Attributes
    ----------
    axes : tuple of int
        Those whose bins are digits of its keys.
    keys : table or None
        Keys in rising order, filled up to a power of two; None where a key is its own place.
    numbers : table or None
        The number of each; None where a place is its own number.
    n_keys : int
        Their number, which stands for what is not among them.
    """

    axes: tuple[int, ...]
    keys: Any
    numbers: Any
    n_keys: int


class Trie(NamedTuple):
    """The levels of an index, and its first and last bin on each axis.

    Attributes
    ----------
    low, high : tuple of float
        Whole numbers.
    levels : tuple of Level
    n_cells : int
        The number that stands for unseen cells.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    levels: tuple[Level, ...]
    n_cells: int


class Wider(NamedTuple):
    """Wider cells, which serve rows in unseen ones.

    Attributes
    ----------
    factor : float
        How many bins one of theirs holds.
    first : int
        The line of the first of them.
    trie : Trie
    """

    factor: float
    first: int
    trie: Trie


class PortableTable(NamedTuple):
    """What one table needs to predict. Where `table` is said, `with_tables` tells what it is.

    Attributes
    ----------
    axes : Axes
    n_models : int
    divisor : table
        By which values become bins. A number would not do: to divide by it, GPUs multiply by its
        inverse, which carries values over edges.
    spread_edges : table or None
        Of a summary: from which spread on each bin but the first is, filled up to a power of two.
    own : Trie
        Finds the cells.
    wider : tuple of Wider
        From the narrowest up.
    unseen : int
        The line for all else.
    lines : table
        The weights of all models but the first, and at last the intercept where there are any.
    first_weights, rmse : table
        Of the first model, and what predictions err, by line; not a number where that is unknown.
    has_intercepts : bool
    is_convex : bool
        Whether weights are; predictions without intercepts are clipped to the row's range then.
    share : float
        Of this table, where several are averaged.
    """

    axes: Axes
    n_models: int
    divisor: Any
    spread_edges: Any
    own: Trie
    wider: tuple[Wider, ...]
    unseen: int
    lines: Any
    first_weights: Any
    rmse: Any
    has_intercepts: bool
    is_convex: bool
    share: float


def portable_tables(lookup: Lookup | AveragedLookups) -> tuple[PortableTable, ...]:
    """Return the tables of what predicts, as arrays of NumPy."""
    if isinstance(lookup, Lookup):
        return (_portable(lookup, 1.0),)
    pairs = zip(lookup.lookups, lookup.shares, strict=True)
    return tuple(_portable(one, float(share)) for one, share in pairs)


def _portable(lookup: Lookup, share: float) -> PortableTable:
    """Return one table."""
    index, axes = lookup.cells, lookup.axes
    n_lines, n_models = lookup.weights.shape
    own = _trie(index)
    lines: IntArray = np.arange(n_lines)
    wider: tuple[Wider, ...] = ()
    if index.table is not None:  # holds the wider cells as well
        numbers: IntArray | None = index.table
        if index.table.size <= _FEW_PLACES:
            numbers, lines = None, index.table
        own = own._replace(levels=(own.levels[0]._replace(numbers=numbers),))
    elif isinstance(index, NestedCellIndex):
        wider = tuple(Wider(2.0**by, first, _trie(own)) for by, first, own in index.wider)
    spread_edges = None
    if axes.kind == "summary":
        bins = np.arange(*_bins_of_spread(index, axes))
        edges = axes.spread_edges(bins, n_models)
        spread_edges = _filled(np.append(0.0, edges), np.inf)
    columns = [*lookup.weights.T[1:], *([lookup.intercepts] if lookup.has_intercepts else [])]
    return PortableTable(
        axes,
        n_models,
        np.array(axes.bin_width if axes.kind == "predictions" else n_models * axes.bin_width),
        spread_edges,
        own,
        wider,
        n_lines - 1,
        np.stack(columns, axis=1)[lines] if columns else np.empty((len(lines), 0)),
        lookup.weights[lines, 0],
        lookup.rmse[lines],
        lookup.has_intercepts,
        lookup.is_convex,
        share,
    )


def _bins_of_spread(index: CellIndex, axes: Axes) -> tuple[int, int]:
    """Return the first and last bin of the spread that has an edge, if these are not too many."""
    first, last = int(index.low[1]) + 1, int(index.high[1]) + 1
    if last - first > _MOST_EDGES:
        raise ValueError(
            f"bin_width_ == {axes.bin_width} makes {last - first} bins of the spread, and at most "
            f"{_MOST_EDGES} can be deployed."
        )
    return first, last


def _trie(index: CellIndex) -> Trie:
    """Return the levels of an index, with sorted keys in place of hashed ones."""
    steps, levels, first = index.steps(), [], 0
    for level, stop in enumerate(steps.stops.tolist()):
        numbers = steps.numbers[steps.numbers_from[level] : steps.numbers_from[level + 1]]
        keys = steps.keys[steps.keys_from[level] : steps.keys_from[level + 1]]
        taken = np.flatnonzero(keys >= 0)
        order = taken[np.argsort(keys[taken])]
        if keys.size:
            found: IntArray | None = _filled(keys[order], np.iinfo(np.int64).max)
            numbers, n_keys = _filled(numbers[order], 0), order.size
        else:
            found, n_keys = None, index.n_cells
        levels.append(Level(tuple(range(first, stop)), found, numbers, n_keys))
        first = stop
    low, high = (tuple(ends.astype(np.float64).tolist()) for ends in (index.low, index.high))
    return Trie(low, high, tuple(levels), levels[-1].n_keys)


def _filled(values: AnyArray, filler: float) -> AnyArray:
    """Return values filled up to a power of two."""
    size = 1 << (len(values) - 1).bit_length()
    return np.append(values, np.full(size - len(values), filler, dtype=values.dtype))


def with_tables(record: Record, made: Callable[[AnyArray], Any]) -> Record:
    """Return the same record with what is made of each of its arrays."""
    if isinstance(record, np.ndarray):
        return cast(Record, made(record))
    if not isinstance(record, tuple):
        return record
    fields: Any = [with_tables(field, made) for field in record]
    is_named = hasattr(record, "_fields")
    return cast(Record, type(record)(*fields) if is_named else tuple(fields))


def find_line(
    ops: Operations, table: PortableTable, columns: Sequence[Any], rounding: float = 0.0
) -> Any:
    """Return the line of each row.

    Parameters
    ----------
    ops : Operations
        Of the library that the arrays are of.
    table : PortableTable
    columns : sequence of array
        What each model predicts, in double precision.
    rounding : float, default=0.0
        Values below an edge by up to this are on it.
    """
    bins = _lay_bins(ops, table, columns, rounding)
    line = _walk(ops, table.own, bins)
    if not table.wider:  # or they are in the one table
        return line
    unseen = line == table.own.n_cells
    line = ops.where(unseen, table.unseen, line)
    inside = [
        ops.clip(axis, low, high)
        for axis, low, high in zip(bins, table.own.low, table.own.high, strict=True)
    ]
    for wider in table.wider:
        around = _walk(ops, wider.trie, [ops.floor(axis / wider.factor) for axis in inside])
        known = (line == table.unseen) & (around < wider.trie.n_cells)
        line = ops.where(known, around + wider.first, line)
    return line


def _lay_bins(
    ops: Operations, table: PortableTable, columns: Sequence[Any], rounding: float
) -> list[Any]:
    """Return the bins on each axis, as `Axes.bins` lays them, in double precision."""
    axes, n_models = table.axes, table.n_models
    slack = rounding / axes.bin_width

    def floor_of(values: Any) -> Any:
        ratio = ops.divide(values, table.divisor)
        return ops.floor(ratio + slack if slack else ratio)

    if axes.kind == "predictions":
        return [floor_of(column) for column in columns]
    differences = [column - columns[0] for column in columns]
    total = _sum(differences)
    if axes.kind == "deviations":
        return [floor_of(difference * n_models - total) for difference in differences]
    squares = _sum([difference * difference for difference in differences]) * n_models
    squares = squares - total * total
    if rounding:  # a standard deviation is off by no more than the values are
        spread = ops.root(ops.where(squares < 0.0, 0.0, squares)) + n_models * rounding
        squares = spread * spread
    mean = floor_of(columns[0] * n_models + total)
    low, high = table.own.low[1], table.own.high[1]
    place = _last_place(
        *(ops, table.spread_edges, int(high - low) + 1, ops.place(ops.clip(total, 0.0, 0.0), 1)),
        lambda edge: ~(squares < edge),  # what overflows is no number, and beyond all edges
    )
    return [mean, ops.double(place) + low]


def _sum(values: Sequence[Any]) -> Any:
    """Add up arrays, one after the other."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _last_place(
    ops: Operations, table: Any, n_entries: int, place: Any, is_not_above: Callable[[Any], Any]
) -> Any:
    """Return the last place of a rising table whose entry is not above a value, else the first.

    `place` has zeros; `is_not_above` compares entries with the values.
    """
    step = 1 << (n_entries - 1).bit_length() >> 1
    while step:
        further = place + step
        place = ops.where(is_not_above(ops.take(table, further)), further, place)
        step >>= 1
    return place


def _walk(ops: Operations, trie: Trie, bins: Sequence[Any]) -> Any:
    """Return the number of each row's cell, `n_cells` where it is not known."""
    node: Any = None
    for level in trie.levels:
        key = node
        for axis in level.axes:
            low, high = trie.low[axis], trie.high[axis]
            digit = ops.clip(bins[axis], low, high)
            if low:
                digit = digit - low
            if level.keys is not None:
                digit = ops.whole(digit)
            key = digit if key is None else key * int(high - low + 1) + digit
        if level.keys is None:  # keys are small, and exact in double precision
            node = ops.place(key, _size(trie, level))
            if level.numbers is not None:
                node = ops.take(level.numbers, node)
            continue
        place = _last_place(*(ops, level.keys, level.n_keys, key * 0), _at_most(key))
        known = ops.take(level.keys, place) == key
        node = ops.where(known, ops.take(level.numbers, place), level.n_keys)
    return node


def _size(trie: Trie, level: Level) -> int:
    """Return how many keys a level has room for that starts at the root."""
    size = 1
    for axis in level.axes:
        size *= int(trie.high[axis] - trie.low[axis]) + 1
    return size


def _at_most(key: Any) -> Callable[[Any], Any]:
    """Return what compares entries of a table with keys."""
    return lambda entry: entry <= key


def combine(
    ops: Operations,
    tables: Sequence[PortableTable],
    columns: Sequence[Any],
    lines: Sequence[Any],
) -> Any:
    """Return the weighted sum of each row, as `combine` makes it of chunks.

    Parameters
    ----------
    ops : Operations
        Of the library that the arrays are of.
    tables : sequence of PortableTable
        Whose sums are averaged.
    columns : sequence of array
        What each model predicts, in the dtype of the sums.
    lines : sequence of array
        Those of the rows in each table.
    """
    sums = [
        _weighted_sum(ops, table, columns, line) for table, line in zip(tables, lines, strict=True)
    ]
    if len(tables) == 1:
        return sums[0]
    return _sum([total * table.share for total, table in zip(sums, tables, strict=True)])


def _weighted_sum(ops: Operations, table: PortableTable, columns: Sequence[Any], line: Any) -> Any:
    """Return the sums of one table: of differences from the first model, clipped if convex."""
    n_others = len(columns) - 1
    first = total = columns[0]
    taken = ops.take_lines(table.lines, line, n_others + table.has_intercepts)
    for weight, column in zip(taken[:n_others], columns[1:], strict=True):
        total = total + (column - first) * weight
    if table.has_intercepts:
        return total + taken[-1]
    return ops.within(total, columns) if table.is_convex else total


def weigh(ops: Operations, tables: Sequence[PortableTable], lines: Sequence[Any]) -> list[Any]:
    """Return the weights of each model in each row, averaged over the tables."""
    weights = []
    for table, line in zip(tables, lines, strict=True):
        n_others = table.n_models - 1
        taken = ops.take_lines(table.lines, line, n_others + table.has_intercepts)
        weights.append([ops.take(table.first_weights, line), *taken[:n_others]])
    if len(tables) == 1:
        return weights[0]
    shares = [table.share for table in tables]
    return [
        _sum([weight * share for weight, share in zip(of_model, shares, strict=True)])
        for of_model in zip(*weights, strict=True)
    ]
