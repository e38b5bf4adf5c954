"""Rows that stand for all rows, where a look at some is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skensir._sums.scale import find_data_range
from skensir._typing import AnyArray, FloatArray, IntArray

# Quantiles of this many values are exact. Of more, evenly spaced rows are taken: the power of two
# above the spread needs no more digits, and sorting all would cost more than the pass over them.
MAX_VALUES = 2**20


class Sample(NamedTuple):
    """Rows from all over the data, (n_rows, n_models), the truth in them and their weights."""

    predictions: FloatArray
    truth: FloatArray
    weight: FloatArray

    @staticmethod
    def of(
        X: AnyArray, y: AnyArray, sample_weight: FloatArray | None, max_values: int = MAX_VALUES
    ) -> Sample:
        """Take rows of positive weight that stand for all of them."""
        n_rows = len(X) if sample_weight is None else np.count_nonzero(sample_weight)
        step = -(-n_rows * X.shape[1] // max_values) or 1
        rows: slice | IntArray = slice(None, None, step)
        if sample_weight is not None:
            rows = np.flatnonzero(sample_weight)[::step]
        predictions = X[rows].astype(np.float64)
        weight = np.ones(len(predictions)) if sample_weight is None else sample_weight[rows]
        return Sample(predictions, y[rows].astype(np.float64), weight * step)

    @staticmethod
    def merge(parts: Sequence[Sample]) -> Sample:
        """Put together samples of parts of the data."""
        return Sample(*map(np.concatenate, zip(*parts, strict=True))).thin_out(MAX_VALUES)

    def thin_out(self, max_values: int) -> Sample:
        """Return a sample of the sample."""
        return Sample.of(*self, max_values=max_values)

    def find_data_range(self) -> float | None:
        """Return the range of the predictions, None where there are no rows."""
        if not len(self.predictions):
            return None
        return find_data_range(self.predictions, self.weight)
