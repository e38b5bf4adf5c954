"""Whatever an argument is given, an error names it, and the estimator is as before."""

import inspect
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from skensir import EnsIRRegressor, EnsIRRegressorCV, baselines
from skensir.image import ImageEnsemble

FAULTS = {
    "fraction": Fraction(1, 3),
    "decimal": Decimal(3),
    "huge": 10**400,
    "tiny": 5e-324,
    "near overflow": 1e308,
    "flag": True,
    "digits": "32",
    "nothing": None,
    "not a number": np.nan,
    "infinite": -np.inf,
    "negative": -1.5,
    "zero": 0,
    "complex": 1j,
    "empty": [],
    "list": [1, 2],
    "array": np.array([32.0, 16.0]),
    "date": np.datetime64("2020"),
    "class": EnsIRRegressor,
}
ESTIMATORS = [EnsIRRegressor, EnsIRRegressorCV, ImageEnsemble]
ESTIMATORS += [getattr(baselines, name) for name in baselines.__all__]
CASES = [
    (estimator, name)
    for estimator in ESTIMATORS
    if inspect.isclass(estimator)
    for name in inspect.signature(estimator).parameters
]


def rows(n_rows=40):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    return y[:, np.newaxis] + rng.normal(size=(n_rows, 3)), y


# What makes a fit quick, unless it is what is tried.
QUICK = {
    EnsIRRegressorCV: {"bin_widths": [64.0], "axes": "predictions", "cv": 2},
    ImageEnsemble: {"channel_axis": None},
}


def fit(model):
    X, y = rows()
    if isinstance(model, ImageEnsemble):
        stack = np.clip(X, 0, 255).astype(np.uint8).T.reshape(3, 5, 8)
        return model.fit([stack], [np.clip(y, 0, 255).astype(np.uint8).reshape(5, 8)])
    return model.fit(X, y)


@pytest.mark.parametrize(("estimator", "name"), CASES)
def test_an_argument_is_taken_or_named(estimator, name, recwarn):
    for kind, value in FAULTS.items():
        model = estimator(**QUICK.get(estimator, {}) | {name: value})
        before = dict(vars(model))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit(model)
        except (TypeError, ValueError) as error:
            said = str(error)
        else:
            continue
        assert name.removesuffix("s") in said, (kind, said)  # or one of several values
        assert "\n" not in said, (kind, said)
        assert len(said) < 500, (kind, said)
        after = vars(model)
        assert after.keys() == before.keys(), kind
        assert all(after[key] is before[key] for key in before), kind
