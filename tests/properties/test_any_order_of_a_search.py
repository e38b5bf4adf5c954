"""A search that is called in any order is the search on all rows that it has been given.

The oracle is a fresh `fit`, with one group of rows held out after the other, on a plain list of the
rows; what is measured, chosen and predicted is the same to the last bit.
"""

import copy

import numpy as np
from drawn import SEEDS, Rows, quiet, share_of_cases
from frozen import frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from search_results import assert_same_search
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut
from witnesses import WithWitnesses

from skensir import EnsIRRegressorCV

SEARCHES = st.sampled_from(
    [
        {},
        {"axes": "deviations", "positive": True, "select": "best"},
        {"axes": ["summary", "predictions"], "select": "average", "fit_intercept": True},
        {"axes": "predictions", "shrink_to": "pooled", "positive": True, "fit_intercept": False},
        {"objectives": ("likelihood",), "max_iter": 3, "tol": 0},
    ]
)
BATCHES = st.tuples(SEEDS, st.integers(1, 40), st.integers(1, 4), st.booleans())


class SearchAndRows(WithWitnesses):
    """A search, and the list of rows and groups that it should be the search on."""

    @initialize(params=SEARCHES)
    def begin(self, params):
        self.model = EnsIRRegressorCV(
            [32.0], data_range=255.0, shrinkages=[30.0, 256.0], cv=LeaveOneGroupOut(), **params
        )
        self.kept, self.table, self.forgotten = [], None, False

    def batch(self, drawn):
        seed, n_rows, n_groups, weighted = drawn
        rng = np.random.default_rng(seed)
        y = rng.choice([20, 60, 61, 200], n_rows) + rng.integers(-15, 16, n_rows)
        X = y[:, None] + rng.integers(-9, 10, (n_rows, 3)).astype(np.float64)
        weight = rng.integers(1, 4, n_rows) / 2 if weighted else np.ones(n_rows)
        return Rows(X, y, weight), rng.integers(0, n_groups, n_rows)

    def together(self):
        rows = [part for part, _ in self.kept]
        X, y, weight = (np.concatenate([part[i] for part in rows]) for i in range(3))
        return X, y, weight, np.concatenate([groups for _, groups in self.kept])

    def could_solve(self):
        return bool(self.kept) and len(np.unique(self.together()[3])) > 1

    def solved(self):
        if self.table is None:
            with quiet():
                self.table = clone(self.model).fit(*self.together())

    @rule(drawn=BATCHES)
    def fit(self, drawn):
        rows, groups = self.batch(drawn)
        if len(np.unique(groups)) < 2:
            self.refused(lambda: self.model.fit(*rows, groups=groups))
            return
        with quiet():
            self.model.fit(*rows, groups=groups)
        self.kept, self.table, self.forgotten = [(rows, groups)], None, False
        self.solved()

    @rule(drawn=BATCHES)
    def partial_fit(self, drawn):
        rows, groups = self.batch(drawn)
        if self.forgotten:
            self.refused(lambda: self.model.partial_fit(rows.X, rows.y, groups, rows.weight))
            return
        with quiet():
            self.model.partial_fit(rows.X, rows.y, groups, rows.weight)
        self.kept.append((rows, groups))
        self.table = None

    @rule(drawn=BATCHES)
    def take_bad_rows(self, drawn):
        rows, groups = self.batch(drawn)
        self.refused(lambda: self.model.partial_fit(rows.X, rows.y, groups[1:], rows.weight))
        self.refused(lambda: self.model.partial_fit(rows.X, rows.y, groups, -rows.weight))
        self.refused(lambda: self.model.fit(rows.X * np.nan, rows.y, groups=groups))
        self.refused(lambda: self.model.merge(clone(self.model)))

    @rule(drawn=BATCHES)
    def merge(self, drawn):
        rows, groups = self.batch(drawn)
        other = clone(self.model)
        with quiet():
            other.partial_fit(rows.X, rows.y, groups, rows.weight)
        before = frozen(other)
        if self.forgotten:
            self.refused(lambda: self.model.merge(other))
        else:
            with quiet():
                self.model.merge(other)
            self.kept.append((rows, groups))
            self.table = None
        assert frozen(other) == before

    @rule(drawn=BATCHES)
    def predict(self, drawn):
        X = self.batch(drawn)[0].X
        if self.table is None and not self.could_solve():
            self.refused(lambda: self.model.predict(X))
            return
        with quiet():
            found, std = self.model.predict(X, return_std=True)
        self.solved()
        expected, expected_std = self.table.predict(X, return_std=True)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(std, expected_std)
        np.testing.assert_array_equal(self.model.predict_weights(X), self.table.predict_weights(X))

    @rule()
    def forget_rows(self):
        if self.table is None and not self.could_solve():
            self.refused(self.model.forget_rows)
            return
        with quiet():
            self.model.forget_rows()
        self.solved()
        self.forgotten = True

    @rule(drawn=BATCHES, coverage=st.sampled_from([0.5, 0.9]))
    def calibrate(self, drawn, coverage):
        rows, _ = self.batch(drawn)
        if self.table is None and not self.could_solve():
            self.refused(lambda: self.model.calibrate(*rows))
            return
        with quiet():
            self.model.calibrate(*rows)
        self.solved()
        expected = copy.copy(self.table).calibrate(*rows).predict_interval(rows.X, coverage)
        for one, other in zip(self.model.predict_interval(rows.X, coverage), expected, strict=True):
            np.testing.assert_array_equal(one, other)

    @rule()
    def go_on_with_a_clone(self):
        self.witnesses.append((self.model, frozen(self.model)))
        self.model = clone(self.model)
        self.kept, self.table, self.forgotten = [], None, False

    @invariant()
    def what_was_chosen_is_that_of_all_rows(self):
        if hasattr(self, "model"):
            assert hasattr(self.model, "cv_results_") == (self.table is not None)
            if self.table is not None:
                assert_same_search(self.model, self.table, calibrated=False)


TestSearchAndRows = SearchAndRows.TestCase
TestSearchAndRows.settings = settings(share_of_cases(0.1), stateful_step_count=15)
