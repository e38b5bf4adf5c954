"""Rows dealt out to both sides of splits, as scikit-learn's splitters and users say it."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from skensir._checks import in_one_line, saying_of, shown
from skensir._core.cross_validation import Split
from skensir._typing import AnyArray, FloatArray, IntArray

# Folds where nothing else is said, dealt out by chance or of neighbours.
N_FOLDS, N_NEIGHBOURING = 10, 5


def find_splits(cv: Any, X: AnyArray, y: AnyArray, groups: Any, *, shuffle: bool) -> list[Split]:
    """Return the row numbers of both sides of each split.

    Without a splitter there are ten folds, of whole groups where there are groups, else of rows
    that are dealt out by chance, the same each time. Without a shuffle there are five, of
    neighbours, as in version 0.1.
    """
    # Here, to keep the package's import cheap.
    from sklearn.model_selection import GroupKFold, KFold, check_cv

    check_known_splitter(cv)
    if groups is not None:
        _check_shape(groups, len(X), "group")
    n_folds = N_FOLDS if shuffle else N_NEIGHBOURING
    splitter, n_groups = cv, 1
    if cv is None and groups is not None:
        check_order(groups)
        n_groups = len(np.unique(groups))
    if n_groups > 1:
        splitter = GroupKFold(min(n_folds, n_groups))
    elif cv is None:
        n_folds, groups = max(2, min(n_folds, len(X))), None
        splitter = KFold(n_folds, shuffle=True, random_state=0) if shuffle else KFold(n_folds)
    try:
        pairs = [(train, test) for train, test in check_cv(splitter).split(X, y, groups)]
    except (TypeError, ValueError) as error:  # of scikit-learn, of the splitter, or no pairs
        if groups is not None:
            check_order(groups)
        said = in_one_line(str(error)) if len(str(error)) < 300 else type(error).__name__
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"cv == {shown(cv)} does not split the rows: {said}") from error
    splits = [(row_numbers(train, len(X)), row_numbers(test, len(X))) for train, test in pairs]
    if not splits:
        raise ValueError(f"cv == {shown(cv)} gives no split; at least one is needed.")
    return splits


def check_known_splitter(cv: Any) -> None:
    """Raise an error unless `cv` may be what scikit-learn splits by, which it then sees itself."""
    known = cv is None or isinstance(cv, Integral) or hasattr(cv, "split") or np.iterable(cv)
    if not known or isinstance(cv, str | bytes):
        raise ValueError(
            f"cv == {shown(cv)} does not split the rows: must be None, a number of folds, a "
            "splitter, or pairs of row numbers."
        )


def without_absent(
    X: AnyArray, y: AnyArray, sample_weight: FloatArray | None, groups: Any
) -> tuple[AnyArray, AnyArray, FloatArray | None, Any]:
    """Leave out rows of weight zero, which are not to be dealt out either."""
    if sample_weight is None or sample_weight.all() or not sample_weight.any():
        return X, y, sample_weight, groups
    if groups is not None:
        _check_shape(groups, len(X), "group")
        groups = np.asarray(groups)[sample_weight > 0]
    there = np.flatnonzero(sample_weight)
    return X[there], y[there], sample_weight[there], groups


def row_numbers(rows: ArrayLike, n_samples: int) -> IntArray:
    """Return one side of a split as row numbers; a mask of all rows will do as well."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_samples,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not rows.size or rows.dtype.kind not in "iu":
        raise ValueError(
            f"cv gives {shown(rows)} for one side of a split, must be row numbers or a mask of the "
            f"{n_samples} rows, and at least one row."
        )
    lowest, highest = rows.min(), rows.max()
    if lowest < -n_samples or highest >= n_samples:
        outside = highest if highest >= n_samples else lowest
        raise ValueError(f"cv gives row number {outside}, must be below the {n_samples} rows.")
    # Splitters count from the start, and there are as many numbers as rows times splits.
    return rows % n_samples if lowest < 0 else rows


def check_folds(groups: ArrayLike, n_samples: int) -> AnyArray:
    """Return the fold of each row, a whole number or a name."""
    _check_shape(groups, n_samples, "fold")
    with saying_of("groups"):
        labels: AnyArray = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
    check_order(labels)
    if labels.dtype.kind == "f" and (labels % 1).any():
        raise ValueError(
            f"groups holds {labels[labels % 1 != 0][0]}, must be whole numbers or names of folds."
        )
    return labels


def check_order(groups: ArrayLike) -> None:
    """Raise an error unless groups have an order, by which they are told apart."""
    values = np.asarray(groups)
    if values.dtype != object:
        return
    try:
        np.unique(values)
    except TypeError:
        types = " and ".join(sorted({type(group).__name__ for group in values.flat}))
        raise TypeError(
            f"groups has values of type {types}, must have only numbers or only names."
        ) from None


def _check_shape(groups: ArrayLike, n_samples: int, meaning: str) -> None:
    """Raise an error unless there is one group per row."""
    with saying_of("groups"):
        shape, values = np.shape(groups), np.asarray(groups)
        missing = np.asarray(values != values) | np.asarray(values == np.array(None))
    if shape != (n_samples,):
        raise ValueError(
            f"groups.shape == {shape}, must be ({n_samples},): one {meaning} per sample."
        )
    if missing.any():
        raise ValueError(f"groups has NaN or None, must have a {meaning} for each sample.")
