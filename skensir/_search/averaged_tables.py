"""Tables whose predictions are averaged: as fitted attributes, and prediction by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skensir._ensir import EnsIRRegressor
from skensir._incremental import IncrementalRegressor
from skensir._typing import AnyArray, FloatArray


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

    def _combine_rows(
        self, predictions: AnyArray, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Do so for validated predictions."""
        return combine_tables(self.estimators_, self.shares_, predictions, return_std=return_std)

    def _weights_of_rows(self, predictions: AnyArray) -> FloatArray:
        weights = np.zeros(predictions.shape)
        for share, model in zip(self.shares_, self.estimators_, strict=True):
            weights += share * model._weights_of_rows(predictions)
        return weights

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


def combine_tables(
    estimators: Sequence[EnsIRRegressor],
    shares: FloatArray,
    predictions: AnyArray,
    *,
    return_std: bool,
) -> FloatArray | tuple[FloatArray, FloatArray]:
    """Average what tables make of validated predictions, and the squares of their errors."""
    if len(estimators) == 1:
        return estimators[0]._combine_rows(predictions, return_std)
    combined, squares = np.zeros(len(predictions)), np.zeros(len(predictions))
    for share, model in zip(shares, estimators, strict=True):
        part = model._combine_rows(predictions, return_std)
        if return_std:
            # An average errs no more than what is averaged.
            squares += share * part[1] ** 2
            part = part[0]
        combined += share * part
    return (combined, np.sqrt(squares)) if return_std else combined
