"""What an estimator should be, told from a plain list of the rows that it has been given."""

import numpy as np
from drawn import Rows, quiet

from skensir import EnsIRRegressor


class RowsBeside:
    """A list of rows, with the parameters, beside the estimator that is tested.

    Attributes that others set: `model`, the estimator, and its `params`; `n_models` and `dtype` of
    the rows.
    """

    def new_model(self):
        self.kept = []  # batches that it has been given
        self.sums = None  # how they were summed up, once there is a row with weight
        self.table = None  # the estimator fitted on them at once, once that is solved
        self.forgotten = False
        self.calibrated_on = []

    def batch(self, drawn):
        seed, n_rows, weights = drawn
        rng = np.random.default_rng(seed)
        y = rng.choice([20, 60, 61, 200], n_rows) + rng.integers(-15, 16, n_rows)
        X = np.clip(y[:, None] + rng.integers(-9, 10, (n_rows, self.n_models)), 0, 255)
        weight = None if weights == "none" else rng.integers(0, 3, n_rows) / 2
        if weights == "zero":
            weight = np.zeros(n_rows)
        return Rows(X.astype(self.dtype), y.astype(np.float64), weight)

    @staticmethod
    def together(batches):
        X, y = (np.concatenate([part[i] for part in batches]) for i in (0, 1))
        weights = [np.ones(part.n_rows) if part.weight is None else part.weight for part in batches]
        return Rows(X, y, np.concatenate(weights))

    def width(self):
        return 32.0 if self.params["bin_width"] == "auto" else self.params["bin_width"]

    def how(self):
        """Return what sums have to hold for the parameters as they are now."""
        known = {"axes": "predictions", "fit_intercept": False, **self.params}
        objective = self.params["objective"]
        return self.width(), known["axes"], known["fit_intercept"], objective == "likelihood"

    def params_are_good(self):
        likely = self.params["objective"] == "likelihood"
        plain = {"axes": "predictions", "shrink_to": "pooled", "positive": True}
        plain["fit_intercept"] = False
        odd = any(self.params.get(name, value) != value for name, value in plain.items())
        return self.params.get("max_iter", 1) > 0 and not (likely and odd)

    def fits_params(self):
        """Tell whether what is known of the rows is enough for the parameters as they are."""
        if not self.params_are_good():
            return False
        if self.sums is None:
            return True
        (width, axes, errors, truth), needed = self.sums, self.how()
        return (width, axes) == needed[:2] and errors >= needed[2] and truth >= needed[3]

    def can_be_solved(self):
        return self.table is not None or (self.sums is not None and self.fits_params())

    def solved(self):
        """Expect the table of all rows, with the parameters as they are."""
        if self.table is None:
            self.table = EnsIRRegressor(**self.params)
            with quiet():
                self.table.fit(*self.together(self.kept))
            self.sums = self.how()  # what is not needed is let go

    def added(self, batches):
        self.kept += batches
        self.table, self.calibrated_on = None, []
        if self.sums is not None or any(part.has_weight() for part in batches):
            self.sums = self.how()
