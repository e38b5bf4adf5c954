"""Tables whose predictions are averaged: as fitted attributes, and prediction by them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skensir._core.lookup import AveragedLookups, Lookup, average_lookups
from skensir._ensir import EnsIRRegressor
from skensir._incremental import IncrementalRegressor
from skensir._typing import FloatArray


class AveragedTables(IncrementalRegressor):
    """What an estimator does with several tables, one per kind of axes, and their shares."""

    estimators_: list[EnsIRRegressor]
    shares_: FloatArray
    best_estimator_: EnsIRRegressor
    n_iter_: int

    def _set_tables(self, estimators: list[EnsIRRegressor], shares: FloatArray) -> Self:
        """Publish the estimators whose predictions are averaged, and their shares."""
        for name in ("calibration_", "best_estimator_"):  # of other tables
            self.__dict__.pop(name, None)
        self.estimators_, self.shares_ = estimators, shares
        first = estimators[0]
        self.n_features_in_, self.data_range_ = first.n_features_in_, first.data_range_
        if hasattr(first, "feature_names_in_"):
            self.feature_names_in_ = first.feature_names_in_
        if len(estimators) == 1:
            self.best_estimator_ = first
        self.n_iter_ = max(1, *(int(model.n_iter_.max()) for model in estimators))
        return self

    def _take_state(self, state: dict[str, Any]) -> None:
        super()._take_state(state)
        if "estimators_" in vars(self):
            n_models = {model.n_features_in_ for model in self.estimators_}
            n_shares = np.isfinite(np.asarray(self.shares_)).sum()
            if n_models != {self.n_features_in_} or n_shares != len(self.estimators_):
                raise ValueError("estimators_, shares_ and n_features_in_ do not fit together.")

    def forget_rows(self) -> Self:
        """Keep the tables and forget the sums of the rows, which take most of the memory.

        Predictions stay the same; `partial_fit` and `merge` are not possible any more, neither here
        nor with the estimators in `estimators_`.

        Returns
        -------
        self : EnsIRRegressorCV
            The estimator.
        """
        super().forget_rows()
        for model in self.estimators_:
            model.forget_rows()
        return self

    def _lookup(self) -> Lookup | AveragedLookups:
        return average_lookups([model._lookup() for model in self.estimators_], self.shares_)

    def _of_tables(self, name: str) -> Any:
        """Return an attribute of the table, or a list with those of several."""
        found = [getattr(model, name) for model in self.estimators_]
        return found[0] if len(found) == 1 else found

    @property
    def weights_(self) -> Any:
        """Weights of the occupied cells, (n_cells, n_models); a list for several tables."""
        return self._of_tables("weights_")

    @property
    def cells_(self) -> Any:
        """Bin indices of the occupied cells, (n_cells, n_axes); a list for several tables."""
        return self._of_tables("cells_")

    @property
    def default_weights_(self) -> Any:
        """Weights of rows in no known cell, (n_models,); a list for several tables."""
        return self._of_tables("default_weights_")

    @property
    def bin_edges_(self) -> Any:
        """Lower and upper edges of the bins of each axis; a list for several tables."""
        return self._of_tables("bin_edges_")

    def __getattr__(self, name: str) -> Any:
        if name == "best_estimator_" and len(vars(self).get("estimators_", ())) > 1:
            raise AttributeError(
                "EnsIRRegressorCV has averaged tables on several axes, which no single estimator "
                "holds: see estimators_ and shares_."
            )
        return super().__getattr__(name)
