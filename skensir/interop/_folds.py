"""Folds of rows that are never together in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, check_cv
from sklearn.utils import check_array

from skensir._checks import in_one_line, shown
from skensir._core.cross_validation import Grid
from skensir._core.folds import FoldSums, rows_by_label, sum_up_folds
from skensir._ensir import EnsIRRegressor
from skensir._sample import Sample
from skensir._search.splits import check_known_splitter, check_order
from skensir._sums.histogram import is_whole
from skensir._typing import AnyArray, IntArray
from skensir.interop._chunks import (
    Lazy,
    chunk_lengths,
    compute_sum,
    da,
    dask,
    like_rows,
    map_chunks,
    rows_of_chunk,
)

# So many predictions of a chunk tell its range; what comes together stays small.
_VALUES_OF_CHUNK = 2**16


def check_splitter(cv: Any, groups: Lazy | None) -> Any:
    """Return the splitter that `cv` stands for, if it deals rows out by their place or group."""
    check_known_splitter(cv)
    try:
        splitter = check_cv(cv)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"cv == {shown(cv)}: {in_one_line(str(error))}") from error
    kind, shuffled = type(splitter), getattr(splitter, "shuffle", False)
    if kind not in (KFold, GroupKFold, LeaveOneGroupOut) or shuffled:
        raise ValueError(
            f"cv == {shown(cv)}, must be None, a number of folds or KFold, which hold out "
            "neighbouring rows, or LeaveOneGroupOut or GroupKFold with groups; none of them "
            "shuffled."
        )
    if (kind is KFold) != (groups is None):
        raise ValueError(
            f"cv == {shown(cv)} needs groups, one value per row."
            if groups is None
            else f"cv == {shown(cv)} does not use groups, must be LeaveOneGroupOut() or "
            "GroupKFold()."
        )
    return splitter


def look_for_range(X: Any, estimator: EnsIRRegressor, y: Any, sample_weight: Any) -> Sample | None:
    """Return rows that stand for those of a chunk, None where it is empty."""
    rows = rows_of_chunk(estimator, X, y, sample_weight)
    return None if rows is None else Sample.of(*rows, _VALUES_OF_CHUNK)


def merge_samples(parts: list[Sample | None]) -> Sample | None:
    """Put together samples of chunks."""
    samples = [sample for sample in parts if sample is not None]
    return Sample.merge(samples) if samples else None


class Look(NamedTuple):
    """What has to be known of the rows before they can be summed up on the right grids."""

    lengths: list[int]  # of the chunks
    sample: Sample | None  # of the rows, which tells their range; None where there are none
    whole: bool  # whether all of the truth is whole numbers
    group_sizes: Counter[Any]


def look_at_chunk(
    X: Any, estimator: EnsIRRegressor, y: Any, sample_weight: Any, groups: Any
) -> Look:
    """Look at the rows of a chunk."""
    rows = rows_of_chunk(estimator, X, y, sample_weight, groups=groups)
    if rows is None:
        return Look([0], None, True, Counter())
    X, y, sample_weight = rows
    sizes: Counter[Any] = Counter()
    if groups is not None:
        groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        check_order(groups)
        labels, counts = np.unique(groups, return_counts=True)
        sizes.update(dict(zip(labels.tolist(), counts.tolist(), strict=True)))
    whole = is_whole(y, sample_weight)
    sample = Sample.of(X, y, sample_weight, _VALUES_OF_CHUNK)
    return Look([len(X)], sample, whole, sizes)


def merge_looks(parts: list[Look]) -> Look:
    """Put together what was seen in several chunks, in their order."""
    return Look(
        [length for part in parts for length in part.lengths],
        merge_samples([part.sample for part in parts]),
        all(part.whole for part in parts),
        sum((part.group_sizes for part in parts), Counter()),
    )


class Folds(NamedTuple):
    """How rows are dealt out: from `starts[i]` to below `starts[i + 1]` they lie in `folds[i]`."""

    starts: AnyArray
    folds: IntArray

    @property
    def n_splits(self) -> int:
        return int(self.folds.max()) + 1

    def of(self, labels: Any) -> IntArray:
        """Return the fold of each row, by its group or by its number."""
        return self.folds[np.searchsorted(self.starts, np.asarray(labels), side="right") - 1]


def contiguous_folds(n_splits: int, n_rows: int) -> Folds:
    """Deal rows out as KFold does: neighbours into one fold."""
    if n_splits > n_rows:
        raise ValueError(f"cv == {shown(n_splits)}, must be at most the {n_rows} rows.")
    sizes = np.full(n_splits, n_rows // n_splits)
    sizes[: n_rows % n_splits] += 1
    return Folds(np.cumsum(sizes) - sizes, np.arange(n_splits))


def group_folds(cv: Any, group_sizes: Counter[Any]) -> Folds:
    """Deal groups out as LeaveOneGroupOut or GroupKFold does."""
    check_order(np.array(list(group_sizes), dtype=object))  # of several chunks
    labels = sorted(group_sizes)
    n_splits = cv.n_splits if isinstance(cv, GroupKFold) else max(2, len(labels))
    if n_splits > len(labels):
        raise ValueError(
            f"groups has {len(labels)} different values, must have at least {n_splits} for {cv}."
        )
    folds = np.arange(len(labels))
    if isinstance(cv, GroupKFold):  # the largest group first, each into the lightest fold
        sizes = np.array([group_sizes[label] for label in labels])
        loads = np.zeros(n_splits)
        for group in np.argsort(sizes, kind="stable")[::-1]:
            folds[group] = loads.argmin()
            loads[folds[group]] += sizes[group]
    return Folds(np.array(labels), folds)


def sum_up_chunk(
    X: Any,
    estimator: EnsIRRegressor,
    y: Any,
    sample_weight: Any,
    labels: Any,
    folds: Folds,
    *,
    grids: Sequence[Grid],
) -> list[FoldSums]:
    """Return the sums of the folds of a chunk in a list, which is empty as the chunk is."""
    rows = rows_of_chunk(estimator, X, y, sample_weight, groups=labels)
    if rows is None:
        return []
    numbers, rows_of_folds = rows_by_label(folds.of(labels))
    return [sum_up_folds(*rows, rows_of_folds, numbers, grids)]


def merge_folds(parts: list[list[FoldSums]]) -> list[FoldSums]:
    """Add up the sums of chunks, in a list where there are any."""
    sums = [sums for part in parts for sums in part]
    return [FoldSums.merge(sums)] if sums else []


class LazyRows:
    """Rows in chunks that line up, to be dealt out to folds and summed up fold by fold."""

    def __init__(self, X: Lazy, y: Lazy, sample_weight: Lazy | None, groups: Lazy | None) -> None:
        self.X, self.y, self.sample_weight, self.groups = X, y, sample_weight, groups

    @cached_property
    def look(self) -> Look:
        """What has to be known before, if anything has: this passes over the rows."""
        columns = self.y, self.sample_weight, self.groups
        seen: Look = compute_sum(
            merge_looks, map_chunks(look_at_chunk, self.X, EnsIRRegressor(), *columns)
        )
        return seen

    def deal_out(self, splitter: Any) -> tuple[Folds, Lazy]:
        """Return the folds, and by what they know each row: its number or its group."""
        if self.groups is not None:
            return group_folds(splitter, self.look.group_sizes), self.groups
        lengths = chunk_lengths(self.X) or self.look.lengths
        numbers = da.arange(sum(lengths), chunks=(tuple(lengths),))
        labels = like_rows(self.X, numbers, "row numbers")
        return contiguous_folds(splitter.n_splits, sum(lengths)), labels

    def sum_up(self, folds: Folds, labels: Lazy, grids: Sequence[Grid]) -> FoldSums:
        """Pass over the rows; return the sums of each fold, in the order of their numbers."""
        function = partial(sum_up_chunk, grids=grids)
        columns = self.y, self.sample_weight, labels, dask.delayed(folds)
        parts = map_chunks(function, self.X, EnsIRRegressor(), *columns)
        sums: FoldSums = compute_sum(merge_folds, parts)[0].in_order()
        if folds.n_splits == len(folds.starts) and self.groups is not None:
            # Each fold is a group: it is known by that.
            names = folds.starts[np.argsort(folds.folds)].tolist()
            sums = sums._replace(labels=[names[number] for number in sums.labels])
        return sums
