"""Whatever is called in whatever order: the estimator is that of all rows it has been given.

Beside the estimator a plain list keeps the rows. After each call the fitted attributes are, to the
last bit, those of a fresh `fit` on that list, which knows no batches, no mergers and no history. A
call that raises leaves the estimator as it was, all that hangs on it included.
"""

import copy
from unittest import mock

import numpy as np
import pytest
from drawn import FITTED, OBJECTIVES, SEEDS, assert_same_fit, quiet, share_of_cases
from frozen import frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from rows_beside import RowsBeside
from sklearn.base import clone
from witnesses import WithWitnesses

from skensir import EnsIRRegressor
from skensir import _ensir as ensir_module
from skensir import _fitted_table as table_module

WIDTHS = st.sampled_from(["auto", 32.0, 8.0, 300.0])
# What the sums of the rows do not depend on, and what they do.
CHANGES = st.one_of(
    st.fixed_dictionaries({"min_samples_cell": st.sampled_from([0, 12, 100])}),
    st.fixed_dictionaries({"default_weights": st.sampled_from(["auto", "uniform", "pooled"])}),
    st.fixed_dictionaries({"shrinkage": st.sampled_from([0.0, 8.0, 512.0])}),
    st.fixed_dictionaries({"n_jobs": st.sampled_from([None, 2])}),
)
OTHER_SUMS = st.one_of(
    st.fixed_dictionaries({"bin_width": WIDTHS}),
    st.fixed_dictionaries({"max_iter": st.sampled_from([0, 1, 5])}),  # none is not allowed
    st.fixed_dictionaries({"fit_intercept": st.booleans()}),
    OBJECTIVES,
)
BAD_ROWS = st.sampled_from(["NaN", "columns", "length", "negative weight"])
BATCHES = st.tuples(SEEDS, st.integers(1, 60), st.sampled_from(["none", "some zero", "zero"]))


def with_fault(rows, fault):
    """Return the rows with something in them that no method takes."""
    X, y, weight = rows.X, rows.y, np.ones(rows.n_rows)
    if fault == "NaN":
        return np.where(np.arange(X.size).reshape(X.shape) == 0, np.nan, X), y, weight
    if fault == "columns":
        return np.hstack([X, X]), y[:-1], weight  # of another length too, as fit takes columns
    if fault == "length":
        return X, y, weight[:-1]
    assert fault == "negative weight"
    return X, y, -weight


class EstimatorAndRows(RowsBeside, WithWitnesses):
    """An estimator, and the list of rows that it should be the estimator of."""

    @initialize(
        params=OBJECTIVES,
        bin_width=WIDTHS,
        n_models=st.sampled_from([1, 2, 3, 25]),
        dtype=st.sampled_from(["u1", "f8"]),
    )
    def begin(self, params, bin_width, n_models, dtype):
        data_range = "auto" if dtype == "u1" else 255.0  # which 8 bits tell
        self.params = {**params, "bin_width": bin_width, "data_range": data_range}
        self.model = EnsIRRegressor(**self.params)
        self.n_models, self.dtype = n_models, dtype
        self.new_model()

    @rule(drawn=BATCHES)
    def fit(self, drawn):
        rows = self.batch(drawn)
        if not (self.params_are_good() and rows.has_weight()):
            self.refused(lambda: self.model.fit(*rows))
            return
        with quiet():
            assert self.model.fit(*rows) is self.model
        self.new_model()
        self.added([rows])
        self.solved()

    @rule(drawn=BATCHES, fault=BAD_ROWS, method=st.sampled_from(["fit", "partial_fit"]))
    def take_bad_rows(self, drawn, fault, method):
        rows = with_fault(self.batch((drawn[0], drawn[1] + 1, "none")), fault)
        self.refused(lambda: getattr(self.model, method)(*rows))

    @rule(drawn=BATCHES, error=st.sampled_from([MemoryError, KeyboardInterrupt]))
    def be_interrupted(self, drawn, error):
        rows = self.batch(drawn)
        if not (self.params_are_good() and rows.has_weight()):
            return
        with mock.patch.object(ensir_module, "solve_table", side_effect=error):
            self.refused(lambda: self.model.fit(*rows), error)
        with mock.patch.object(table_module, "accumulate", side_effect=error):
            self.refused(lambda: self.model.partial_fit(*rows), (error, ValueError))

    @rule(drawn=BATCHES, empty=st.booleans())
    def add_rows(self, drawn, empty):
        self.partial_fit(drawn, empty)

    def partial_fit(self, drawn, empty):
        rows = self.batch(drawn)
        rows = rows.take(slice(0)) if empty else rows
        if self.forgotten or not self.fits_params() or (empty and not self.kept):
            self.refused(lambda: self.model.partial_fit(*rows))
            return
        with quiet():
            assert self.model.partial_fit(*rows) is self.model
        self.added([rows])

    @rule(drawn=st.lists(BATCHES, min_size=1, max_size=3), solve=st.booleans())
    def merge(self, drawn, solve):
        if not self.params_are_good():
            return
        batches = [self.batch(of_batch) for of_batch in drawn]
        other = clone(self.model)
        with quiet():
            for batch in batches:
                other.partial_fit(*batch)
            if solve and any(batch.has_weight() for batch in batches):
                other.solve()
        before = frozen(other)
        if self.forgotten or not self.fits_params():
            self.refused(lambda: self.model.merge(other))
        else:
            with quiet():
                assert self.model.merge(other) is self.model
            self.added(batches)
        assert frozen(other) == before

    @rule(drawn=BATCHES, fault=st.sampled_from(["width", "columns", "unfitted", "no estimator"]))
    def merge_what_does_not_fit(self, drawn, fault):
        rows = self.batch((*drawn[:2], "none"))
        other = EnsIRRegressor(**{**self.params, "max_iter": 1, "bin_width": 77.0})
        if fault == "columns":
            if not self.kept:
                return
            other.set_params(bin_width=self.params["bin_width"])
            rows = rows._replace(X=np.hstack([rows.X, rows.X]))
        if fault != "unfitted":
            try:
                other.partial_fit(*rows)
            except ValueError:  # the parameters are not good
                return
        self.refused(lambda: self.model.merge("rows" if fault == "no estimator" else other))

    @rule(changes=CHANGES)
    def set_params(self, changes):
        self.params |= changes
        assert self.model.set_params(**changes) is self.model
        self.refused(lambda: self.model.set_params(nonsense=1))

    @rule(changes=OTHER_SUMS, drawn=BATCHES, empty=st.booleans(), stay=st.booleans())
    def set_other_params(self, changes, drawn, empty, stay):
        """Where the rows so far do not fit to them they are refused, and mostly taken back."""
        before, params = self.params, {**self.params, **changes}
        if "objective" in changes:  # all that belongs to the other one goes
            defaults = EnsIRRegressor().get_params()
            names = ("axes", "shrink_to", "positive", "fit_intercept")
            params |= {name: changes.get(name, defaults[name]) for name in names}
        self.params = params
        self.model.set_params(**params)
        self.partial_fit(drawn, empty)
        if not (self.fits_params() or (stay and not self.kept)):
            self.model.set_params(**{**EnsIRRegressor().get_params(), **before})
            self.params = before

    @rule(drawn=BATCHES, method=st.sampled_from(["predict", "predict_weights", "solve"]))
    def predict(self, drawn, method):
        X = self.batch(drawn).X
        arguments = () if method == "solve" else (X,)
        if not self.can_be_solved():
            self.refused(lambda: getattr(self.model, method)(*arguments))
            return
        with quiet():
            found = getattr(self.model, method)(*arguments)
        self.solved()
        if method == "solve":
            assert found is self.model
        else:
            np.testing.assert_array_equal(found, getattr(self.table, method)(X), strict=True)

    @precondition(lambda self: self.table is not None)
    @rule(drawn=BATCHES, fault=st.sampled_from(["NaN", "columns"]))
    def predict_bad_rows(self, drawn, fault):
        X = with_fault(self.batch(drawn), fault)[0]
        for method in ("predict", "predict_weights", "predict_interval"):
            self.refused(lambda method=method: getattr(self.model, method)(X))

    @rule(calls=st.lists(st.tuples(BATCHES, st.booleans()), min_size=1, max_size=3))
    def calibrate(self, calls):
        for drawn, add in calls:
            rows = self.batch(drawn)
            earlier = self.calibrated_on if add and self.table is not None else []
            if not self.can_be_solved() or not (rows.has_weight() or earlier):
                self.refused(lambda rows=rows, add=add: self.model.calibrate(*rows, add=add))
                continue
            with quiet():
                assert self.model.calibrate(*rows, add=add) is self.model
            self.solved()
            self.calibrated_on = [*earlier, rows]
            expected = copy.copy(self.table).calibrate(*self.together(self.calibrated_on))
            np.testing.assert_array_equal(self.model.calibration_, expected.calibration_)

    @rule(drawn=BATCHES, coverage=st.sampled_from([0.5, 0.9]))
    def predict_interval(self, drawn, coverage):
        if not self.calibrated_on:
            if self.table is not None:
                self.refused(lambda: self.model.predict_interval(self.batch(drawn).X, coverage))
            return
        X = self.batch(drawn).X
        expected = copy.copy(self.table).calibrate(*self.together(self.calibrated_on))
        for one, other in zip(
            self.model.predict_interval(X, coverage),
            expected.predict_interval(X, coverage),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)

    @rule()
    def forget_rows(self):
        if not self.can_be_solved():
            self.refused(self.model.forget_rows)
            return
        with quiet():
            assert self.model.forget_rows() is self.model
        self.solved()
        self.forgotten = True

    @rule(go_on=st.booleans())
    def clone(self, go_on):
        before = frozen(self.model)
        made = clone(self.model)
        assert frozen(self.model) == before
        assert frozen(made) == frozen(EnsIRRegressor(**self.params))
        if go_on:
            self.witnesses.append((self.model, before))
            self.model = made
            self.new_model()

    # ---- what always holds

    @invariant()
    def parameters_are_those_set(self):
        if hasattr(self, "params"):
            found = self.model.get_params()
            assert {name: found[name] for name in self.params} == self.params

    @invariant()
    def fitted_attributes_are_those_of_all_rows(self):
        if not hasattr(self, "params"):
            return
        assert hasattr(self.model, "weights_") == (self.table is not None)
        assert hasattr(self.model, "calibration_") == bool(self.calibrated_on)
        if self.table is not None:
            for name in FITTED:
                np.testing.assert_array_equal(
                    getattr(self.model, name), getattr(self.table, name), name, strict=True
                )


TestEstimatorAndRows = EstimatorAndRows.TestCase
TestEstimatorAndRows.settings = settings(share_of_cases(0.5), stateful_step_count=20)


@pytest.mark.parametrize("changed", [{"fit_intercept": True}, {"axes": "deviations"}])
def test_rows_without_weight_do_not_settle_the_parameters(changed):
    """What was summed up for them had lines that did not fit to those of other rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 300).astype(np.float64)
    X = y[:, None] + rng.integers(-9, 10, (300, 3))
    model = EnsIRRegressor(32, objective="squared_error", data_range=255)
    model.partial_fit(X, y, np.zeros(300)).set_params(**changed).partial_fit(X, y)
    assert_same_fit(model, clone(model).fit(X, y))
