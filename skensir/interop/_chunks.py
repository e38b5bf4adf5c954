"""Chunks of dask collections: lining them up, mapping a function over them, adding up in a tree."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
from dask.base import is_dask_collection
from dask.utils import is_dataframe_like, is_series_like
from sklearn.utils.validation import validate_data

# So many sums are added up at once.
_SPLIT_EVERY = 8


def _description(data):
    """Return in a few words what somebody has passed."""
    shape = f" of shape {data.shape}" if hasattr(data, "shape") else ""
    return f"of type {type(data).__module__}.{type(data).__qualname__}{shape}"


def check_predictions(estimator, X, *, reset):
    """Check number and names of the models, which needs no data; return X with whole rows."""
    if is_dataframe_like(X):
        validate_data(estimator, X._meta, skip_check_array=True, reset=reset)
        return X
    if not isinstance(X, da.Array) or X.ndim != 2:
        raise ValueError(
            f"X is {_description(X)}, must be a dask array of two dimensions or a dask data frame."
        )
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    return X.rechunk({1: -1})


def chunk_lengths(X):
    """Return the number of rows of each chunk; None where it is unknown."""
    return None if is_dataframe_like(X) or np.isnan(X.shape[0]) else X.chunks[0]


def _ends(frame):
    """Return the ends of the index of a data frame or series, None where they are unknown."""
    return frame.divisions[0], frame.divisions[-1]


def like_rows(X, column, name):
    """Return one value a row in chunks like those of X, without computing anything."""
    lazy = isinstance(column, da.Array) or (is_dask_collection(column) and is_series_like(column))
    if not lazy or column.ndim != 1:
        raise ValueError(
            f"{name} is {_description(column)}, must be a dask array or series, one value a row."
        )
    if is_dataframe_like(X):
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


def line_up(estimator, X, y, sample_weight, *, reset):
    """Check what needs no data; return the arguments of `fit` in chunks that line up."""
    X = check_predictions(estimator, X, reset=reset)
    if sample_weight is not None:
        sample_weight = like_rows(X, sample_weight, "sample_weight")
    return X, like_rows(X, y, "y"), sample_weight


def map_chunks(function, X, estimator, *columns, n_columns=1):
    """Return what `function` makes of each chunk of rows, as a lazy array of `n_columns`.

    It is called with the chunk of `X`, the estimator, and the chunks of `columns`, among which
    None and delayed objects go to every chunk.
    """
    # With the names of these models it has neither to warn of others nor to let them pass.
    check_predictions(estimator, X, reset=True)
    estimator = dask.delayed(estimator)  # once in the graph, however many chunks there are
    meta = np.empty((0, n_columns))
    if is_dataframe_like(X):
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


def compute_sum(merge, parts):
    """Compute the chunks, not arrays here, and merge what they are in a tree."""
    merge = dask.delayed(merge)
    level = list(parts.to_delayed().ravel())
    while len(level) > 1:
        level = [merge(level[i : i + _SPLIT_EVERY]) for i in range(0, len(level), _SPLIT_EVERY)]
    return level[0].compute()


def rows_of_chunk(estimator, X, y, sample_weight, **others):
    """Validate the rows of a chunk as `fit` does all rows; return None where there are none."""
    for name, column in {"y": y, "sample_weight": sample_weight, **others}.items():
        if column is not None and len(column) != len(X):
            raise ValueError(
                f"{name} has {len(column)} rows in a chunk where X has {len(X)}; the chunks must "
                "line up."
            )
    return estimator._validate_rows(X, y, sample_weight, reset=False) if len(X) else None
