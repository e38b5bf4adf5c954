"""Chunks of dask collections: lining them up, mapping a function over them, adding up in a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from sklearn.utils.validation import validate_data

from skensir._base import StackedRegressor
from skensir._checks import type_name
from skensir._optional import import_optional
from skensir._typing import AnyArray

dask = import_optional("dask", "skensir.interop.dask")
da = import_optional("dask.array", "skensir.interop.dask")

Lazy: TypeAlias = Any
"""A dask array, data frame or series."""

# So many sums are added up at once.
_SPLIT_EVERY = 8


def is_lazy(data: object) -> bool:
    """Tell whether data are a collection of dask."""
    return bool(dask.is_dask_collection(data))


def _is_frame(X: Lazy) -> bool:
    return bool(dask.utils.is_dataframe_like(X))


def _description(data: Any) -> str:
    """Return in a few words what somebody has passed."""
    shape = f" of shape {data.shape}" if hasattr(data, "shape") else ""
    return f"of type {type_name(data)}{shape}"


def check_predictions(estimator: StackedRegressor, X: Lazy, *, reset: bool) -> Lazy:
    """Check number and names of the models, which needs no data; return X with whole rows."""
    if _is_frame(X):
        validate_data(estimator, X._meta, skip_check_array=True, reset=reset)
        return X
    if not isinstance(X, da.Array) or X.ndim != 2:
        raise ValueError(
            f"X is {_description(X)}, must be a dask array of two dimensions or a dask data frame."
        )
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    return X.rechunk({1: -1})


def chunk_lengths(X: Lazy) -> tuple[int, ...] | None:
    """Return the number of rows of each chunk; None where it is unknown."""
    return None if _is_frame(X) or np.isnan(X.shape[0]) else X.chunks[0]


def _ends(frame: Lazy) -> tuple[Any, Any]:
    """Return the ends of the index of a data frame or series, None where they are unknown."""
    return frame.divisions[0], frame.divisions[-1]


def like_rows(X: Lazy, column: Lazy, name: str) -> Lazy:
    """Return one value per row in chunks like those of X, without computing anything."""
    lazy = isinstance(column, da.Array) or (is_lazy(column) and dask.utils.is_series_like(column))
    if not lazy or column.ndim != 1:
        raise ValueError(
            f"{name} is {_description(column)}, must be a dask array or series, one value per row."
        )
    if _is_frame(X):
        if isinstance(column, da.Array):
            from dask.dataframe import from_dask_array

            column = from_dask_array(column)
        elif _ends(X) == _ends(column) != (None, None) and X.divisions != column.divisions:
            column = column.repartition(divisions=X.divisions)
    else:
        if not isinstance(column, da.Array):
            column = column.to_dask_array()
        if not np.isnan([X.shape[0], column.shape[0]]).any():
            if X.shape[0] != column.shape[0]:
                raise ValueError(f"{name} has {column.shape[0]} rows, must have {X.shape[0]} as X.")
            return column.rechunk(X.chunks[:1])
    if X.npartitions != column.npartitions:
        raise ValueError(
            f"{name} has {column.npartitions} chunks, must have {X.npartitions} as X: where the "
            "lengths of chunks are unknown they cannot be matched."
        )
    return column


def line_up(
    estimator: StackedRegressor, X: Lazy, y: Lazy, sample_weight: Lazy | None, *, reset: bool
) -> tuple[Lazy, Lazy, Lazy | None]:
    """Check what needs no data; return the arguments of `fit` in chunks that line up."""
    X = check_predictions(estimator, X, reset=reset)
    if sample_weight is not None:
        sample_weight = like_rows(X, sample_weight, "sample_weight")
    return X, like_rows(X, y, "y"), sample_weight


def dtype_of(X: Lazy) -> np.dtype[Any]:
    """Return the dtype of the predictions, which those of all columns of a data frame share."""
    return np.asarray(X._meta).dtype


def map_chunks(
    function: Callable[..., Any],
    X: Lazy,
    estimator: Any,
    *columns: Any,
    n_columns: int = 1,
    dtype: Any = float,
) -> Lazy:
    """Return what `function` makes of each chunk of rows, as a lazy array of `n_columns`.

    It is called with the chunk of `X`, the estimator, and the chunks of `columns`, among which
    None and delayed objects go to every chunk.
    """
    # With the names of these models it has neither to warn of others nor to let them pass.
    check_predictions(estimator, X, reset=True)
    estimator = dask.delayed(estimator)  # once in the graph, however many chunks there are
    meta = np.empty((0, n_columns), dtype)
    if _is_frame(X):
        # Tuning would read small files together, as many as suit the columns of each data frame:
        # then partitions of different files would no longer line up.
        with dask.config.set({"optimization.tune.active": False}):
            return X.map_partitions(
                function,
                estimator,
                *columns,
                meta=meta,
                enforce_metadata=False,
                align_dataframes=False,
            )
    indexed = [(column, "i" if isinstance(column, da.Array) else None) for column in columns]
    return da.blockwise(
        function,
        "ij",
        X,
        "ij",
        estimator,
        None,
        *(argument for pair in indexed for argument in pair),
        adjust_chunks={"j": n_columns},
        align_arrays=False,
        meta=meta,
    )


def compute_sum(merge: Callable[[list[Any]], Any], parts: Lazy) -> Any:
    """Compute the chunks, not arrays here, and merge what they are in a tree."""
    merge = dask.delayed(merge)
    level = list(parts.to_delayed().ravel())
    while len(level) > 1:
        level = [merge(level[i : i + _SPLIT_EVERY]) for i in range(0, len(level), _SPLIT_EVERY)]
    return level[0].compute()


def rows_of_chunk(
    estimator: StackedRegressor, X: Any, y: Any, sample_weight: Any, **others: Any
) -> tuple[AnyArray, AnyArray, AnyArray | None] | None:
    """Validate the rows of a chunk as `fit` does all rows; return None where there are none."""
    for name, column in {"y": y, "sample_weight": sample_weight, **others}.items():
        if column is not None and len(column) != len(X):
            raise ValueError(
                f"{name} has {len(column)} rows in a chunk where X has {len(X)}; the chunks must "
                "line up."
            )
    return estimator._validate_rows(X, y, sample_weight, reset=False) if len(X) else None
