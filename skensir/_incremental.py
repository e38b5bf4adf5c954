"""Rows in parts: the sums of the rows seen so far, from which a table is solved when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted, validate_data

from skensir._base import PREDICTION_DTYPES, whole_or_nothing
from skensir._checks import shown
from skensir._core.combine import Combiner
from skensir._core.lookup import AveragedLookups, Lookup
from skensir._jobs import count_threads
from skensir._table_regressor import TableRegressor
from skensir._track import Track, untracked
from skensir._typing import AnyArray, FloatArray
from skensir._units import InUnits

if TYPE_CHECKING:
    from skensir._array_api import LookupElsewhere


class IncrementalRegressor(InUnits, TableRegressor):
    """A regressor whose fitted attributes follow from sums of the rows.

    A subclass says how rows are summed up and checked, and publishes what follows from the sums.
    """

    n_jobs: int | None = None  # of what was pickled before there was such a parameter
    _statistics: list[Any]
    # What `_solve_and_publish` sets; without the first the table is still to be solved.
    _solved_attributes: Sequence[str]

    def _check_params(self, n_models: int) -> None:
        """Raise an error that names the argument if one is out of its range."""
        raise NotImplementedError

    def _sum_up(
        self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None, track: Track = untracked
    ) -> Any:
        """Return the sufficient statistics of validated rows."""
        raise NotImplementedError

    def _check_statistics(self, part: Any) -> Any:
        """Return what is needed of the sums of some rows, if they are as the parameters say."""
        raise NotImplementedError

    def _parts_of(self, other: Any) -> list[Any]:
        """Return the sums of another estimator, to be added to those of this one."""
        return list(other._statistics)

    @classmethod
    def _merges_with(cls) -> type[IncrementalRegressor]:
        """Return the class of estimators whose sums are of the same kind."""
        raise NotImplementedError

    def _solve_and_publish(self, track: Track = untracked) -> Self:
        """Set the fitted attributes that follow from the statistics of all rows."""
        raise NotImplementedError

    def _lookup(self) -> Lookup | AveragedLookups:
        """Return what rows are combined by; the table is solved."""
        raise NotImplementedError

    def _solved_for(self, predictions: AnyArray) -> Lookup | AveragedLookups:
        """Return the same of a table that may still be to solve, if predictions may be given."""
        if not self._is_solved():
            self.solve()
        self._check_scale(predictions)
        return self._lookup()

    def _combiner(self, predictions: AnyArray) -> Combiner | None:
        """Return what combines chunks of predictions, None where they have to be converted."""
        if predictions.dtype not in PREDICTION_DTYPES:
            return None
        return self._solved_for(predictions).combiner(predictions)

    def _elsewhere(self, X: Any, method: str) -> LookupElsewhere | None:
        """Return what predicts for an array of another library, None where NumPy does."""
        if isinstance(X, np.ndarray):
            return None
        from skensir._array_api import LookupElsewhere, check_rows, namespace_of

        xp = namespace_of(X, method)
        if xp is None:
            return None
        check_is_fitted(self)
        check_rows(xp, X, self.n_features_in_)
        validate_data(self, X, reset=False, skip_check_array=True)  # the number of columns
        if not self._is_solved():
            self.solve()
        if self._may_be_small(X.shape[0]) and xp.isdtype(X.dtype, "real floating"):
            self._refuse_small(X.shape[0], bool(xp.all((X >= 0) & (X <= 1)) and xp.any(X % 1 != 0)))
        return LookupElsewhere(xp, self._lookup(), X)

    def _predict_rows(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        elsewhere = self._elsewhere(X, "predict")
        if elsewhere is not None:
            if not return_std:
                return cast(FloatArray, elsewhere.combine())
            return cast(FloatArray, elsewhere.combine()), cast(FloatArray, elsewhere.errors())
        predictions = self._validate_predictions(X)
        lookup = self._solved_for(predictions)
        n_threads = count_threads(self.n_jobs)
        if not return_std:
            return lookup.combine(predictions, n_threads)
        errors = lookup.errors(predictions, n_threads)  # may be an error, which comes first
        return lookup.combine(predictions, n_threads), errors

    def _weigh_rows(self, X: ArrayLike) -> FloatArray:
        elsewhere = self._elsewhere(X, "predict_weights")
        if elsewhere is not None:
            return cast(FloatArray, elsewhere.weigh())
        predictions = self._validate_predictions(X)
        return self._solved_for(predictions).weigh(predictions, count_threads(self.n_jobs))

    @whole_or_nothing
    def merge(self, other: IncrementalRegressor) -> Self:
        """Add the rows that another estimator has seen, such as a part of the data.

        Estimators that were fitted on parts of the data, in other processes or on other machines,
        merge to the one that `fit` makes of the whole. The table is solved as after `partial_fit`.

        Parameters
        ----------
        other : estimator of the same kind
            Fitted with the same bins on predictions of the same models, and a search with the same
            candidates. It stays as it is.

        Returns
        -------
        self : estimator
            The estimator. It need not be fitted before.

        Raises
        ------
        ValueError
            If the estimators differ in bins, be they given or found, in target resolution or
            models. Then nothing has changed.
        TypeError
            If one is a search and the other is not.
        """
        kind = self._merges_with()
        if not isinstance(other, kind):
            raise TypeError(f"other == {shown(other)}, must be an {kind.__name__}.")
        if not other._has_statistics("merge"):
            check_is_fitted(other)  # which it is not
        names = [name for name in ("n_features_in_", "feature_names_in_") if hasattr(other, name)]
        if self._has_statistics("merge"):
            for name in ("n_features_in_", "feature_names_in_"):
                mine: Any = getattr(self, name, None)
                theirs: Any = getattr(other, name, None)
                if not np.array_equal(mine, theirs):
                    raise ValueError(f"{name} of other is {theirs}, must be {mine}.")
        for name in names:
            setattr(self, name, getattr(other, name))
        self._adopt_range(other)
        self._check_params(other.n_features_in_)
        return self._add_statistics(self._parts_of(other))

    def solve(self) -> Self:
        """Solve the table of the rows that `partial_fit` or `merge` have added.

        Does nothing where that is done: after `fit`, `predict` and the like. Threads may do so at
        a time, as they do if all of them predict with an estimator that is not solved yet.

        Returns
        -------
        self : estimator
            The estimator, which has all fitted attributes now.
        """
        check_is_fitted(self)
        if not self._is_solved():
            # A thread that looks at the attributes meanwhile finds all of them or none.
            solved = object.__new__(type(self))
            solved.__dict__.update(self.__dict__)
            self.__dict__.update(solved._solve_and_publish().__dict__)
        return self

    def forget_rows(self) -> Self:
        """Keep the table and forget the sums of the rows, which take most of the memory.

        Predictions stay the same; `partial_fit` and `merge` are not possible any more.

        Returns
        -------
        self : estimator
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
                "table file, nor there after forget_rows(), nor kept of values so large or small "
                "that their squares leave the range of floats: fit the estimator anew."
            )
        return False

    def _is_solved(self) -> bool:
        """Tell whether the attributes are there that follow from the sums."""
        return self._solved_attributes[0] in vars(self)

    def _has_rows(self) -> bool:
        """Tell whether rows have been seen that have weight, and their sums are here."""
        return any(part.n_cells for part in vars(self).get("_statistics", ()))

    def _add_statistics(self, parts: list[Any]) -> Self:
        """Keep the statistics of more rows; the table is then to be solved anew."""
        parts = [*vars(self).get("_statistics", []), *parts]
        parts = [self._check_statistics(part) for part in parts]
        # To wait for as many sums as there are keeps the cost of a batch that of its own sums.
        if sum(part.size for part in parts) > 2 * parts[0].size:
            parts = [type(parts[0]).merge(parts)]
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
