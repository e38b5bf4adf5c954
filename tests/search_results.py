"""Comparison of two searches."""

import numpy as np
import pytest
from drawn import assert_same_fit, quiet


def assert_same_search(model, other, *, calibrated=True):
    """Compare what was measured, what was chosen and what is predicted, to the last bit."""
    with quiet():
        model.solve()
        other.solve()
    assert model.best_params_ == other.best_params_
    assert model.plain_shares_ == other.plain_shares_
    assert model.held_out_mse_ == other.held_out_mse_
    # Ridge regression measures from means, with rounding, of which all else may consist.
    for name, gain in other.gains_.items():
        found = model.gains_[name]
        assert found["mse"] == pytest.approx(gain["mse"], rel=1e-6, abs=1e-6)
        assert name == "ridge" or found == gain
    for key, expected in other.cv_results_.items():
        if "time" not in key:
            np.testing.assert_array_equal(model.cv_results_[key], expected, err_msg=key)
    np.testing.assert_array_equal(model.shares_, other.shares_)
    for one, expected in zip(model.estimators_, other.estimators_, strict=True):
        assert_same_fit(one, expected)
    if calibrated:
        np.testing.assert_array_equal(model.calibration_, other.calibration_)
