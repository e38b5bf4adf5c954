"""Rows in parts: the sums of the rows seen so far, from which a table is solved when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skensir._base import whole_or_nothing
from skensir._core.statistics import CellStatistics
from skensir._table_regressor import TableRegressor
from skensir._track import Track, untracked
from skensir._typing import AnyArray, FloatArray


class IncrementalRegressor(TableRegressor):
    """A regressor whose fitted attributes follow from sums of the rows.

    A subclass says how rows are summed up and checked, and publishes what follows from the sums.
    """

    _statistics: list[CellStatistics]
    # What `_solve_and_publish` sets; without the first the table is still to be solved.
    _solved_attributes: Sequence[str]

    def _check_params(self, n_models: int) -> None:
        """Raise an error that names the argument if one is out of its range."""
        raise NotImplementedError

    def _sum_up(
        self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None, track: Track = untracked
    ) -> CellStatistics:
        """Return the sufficient statistics of validated rows."""
        raise NotImplementedError

    def _check_statistics(self, part: CellStatistics) -> CellStatistics:
        """Return what is needed of the sums of some rows, if they are as the parameters say."""
        raise NotImplementedError

    def _solve_and_publish(self, track: Track = untracked) -> Self:
        """Set the fitted attributes that follow from the statistics of all rows."""
        raise NotImplementedError

    @whole_or_nothing
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows to those seen so far; without any, begin.

        The table is the one of `fit` on all these rows, however they are split and in whatever
        order. `predict` and whatever else needs it solves it, and `solve` does nothing else; until
        then its attributes are not there. So many small batches cost little more than one large.
        Threads must not call it on one estimator at a time: give each thread one of its own, and
        `merge` them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : EnsIRRegressor
            The estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range, or `bin_width`, `target_resolution` or the number
            of models is not that of the rows before. The rows seen so far are kept.
        """
        rows = self._validate_rows(
            X, y, sample_weight, reset=not self._has_statistics("partial_fit")
        )
        self._check_params(rows[0].shape[1])
        return self._add_statistics([self._sum_up(*rows)])

    @whole_or_nothing
    def merge(self, other: IncrementalRegressor) -> Self:
        """Add the rows that another estimator has seen, such as a part of the data.

        Estimators that were fitted on parts of the data, in other processes or on other machines,
        merge to the one that `fit` makes of the whole. The table is solved as after `partial_fit`.

        Parameters
        ----------
        other : EnsIRRegressor
            Fitted with the same bin width on predictions of the same models. It stays as it is.

        Returns
        -------
        self : EnsIRRegressor
            The estimator. It need not be fitted before.

        Raises
        ------
        ValueError
            If the estimators differ in bin width, target resolution or models. Then nothing has
            changed.
        """
        if not isinstance(other, IncrementalRegressor):
            raise TypeError(f"other == {other!r}, must be an EnsIRRegressor.")
        if not other._has_statistics("merge"):
            check_is_fitted(other)  # which it is not
        names = [name for name in ("n_features_in_", "feature_names_in_") if hasattr(other, name)]
        if self._has_statistics("merge"):
            for name in ("n_features_in_", "feature_names_in_"):
                mine: Any = getattr(self, name, None)
                theirs: Any = getattr(other, name, None)
                if not np.array_equal(mine, theirs):
                    raise ValueError(f"{name} of other is {theirs}, must be {mine}.")
        self._check_params(other.n_features_in_)
        for name in names:
            setattr(self, name, getattr(other, name))
        return self._add_statistics(other._statistics)

    @whole_or_nothing
    def solve(self) -> Self:
        """Solve the table of the rows that `partial_fit` or `merge` have added.

        Does nothing where that is done: after `fit`, `predict` and the like.

        Returns
        -------
        self : EnsIRRegressor
            The estimator, which has all fitted attributes now.
        """
        check_is_fitted(self)
        if not self._is_solved():
            self._solve_and_publish()
        return self

    def forget_rows(self) -> Self:
        """Keep the table and forget the sums of the rows, which take most of the memory.

        Predictions stay the same; `partial_fit` and `merge` are not possible any more.

        Returns
        -------
        self : EnsIRRegressor
            The estimator.
        """
        self.solve().__dict__.pop("_statistics", None)
        return self

    def _has_statistics(self, method: str) -> bool:
        """Tell whether rows have been seen whose sums `method` can add to."""
        if "_statistics" in vars(self):
            return True
        if self._is_solved():
            raise ValueError(
                f"{method} needs the statistics of the rows seen before, which are neither in a "
                "table file nor there after forget_rows(): fit the estimator anew."
            )
        return False

    def _is_solved(self) -> bool:
        """Tell whether the attributes are there that follow from the sums."""
        return self._solved_attributes[0] in vars(self)

    def _has_rows(self) -> bool:
        """Tell whether rows have been seen that have weight, and their sums are here."""
        return any(part.n_cells for part in vars(self).get("_statistics", ()))

    def _add_statistics(self, parts: list[CellStatistics]) -> Self:
        """Keep the statistics of more rows; the table is then to be solved anew."""
        parts = [*vars(self).get("_statistics", []), *parts]
        parts = [self._check_statistics(part) for part in parts]
        # To wait for as many sums as there are keeps the cost of a batch that of its own sums.
        if sum(part.size for part in parts) > 2 * parts[0].size:
            parts = [CellStatistics.merge(parts)]
        self._statistics = parts
        for name in self._solved_attributes:
            self.__dict__.pop(name, None)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_solved() or self._has_rows()

    def __getattr__(self, name: str) -> Any:
        # Only asked where there is no such attribute. It is no place to solve the table: `hasattr`
        # would then do so, and raise what goes wrong.
        reason = ""
        needs_table = name in self._solved_attributes or hasattr(type(self), name)  # a property
        if needs_table and self._has_rows():
            reason = "; the table of the added rows is not solved yet: call solve() or predict()"
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{reason}")
