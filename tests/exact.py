"""The same formulas in 50 digits: what double precision is measured against."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from mpmath import matrix, mp, mpf

DIGITS = 50


def exactly(values):
    """Return the numbers in nested sequences, rounded to 50 digits if they are fractions."""
    if hasattr(values, "__len__"):
        return [exactly(value) for value in values]
    if isinstance(values, Fraction):
        return mpf(values.numerator) / values.denominator
    return values if isinstance(values, mpf) else mpf(float(values))


def mixture(
    truth,
    sample_weight,
    means,
    variances,
    weights,
    *,
    n_steps,
    reg_var=0.0,
    shrinkage=0.0,
    prior_weights=None,
):
    """Return weights and variances of one cell after so many steps of EM (Eq. 9 to 11)."""
    with mp.workdps(DIGITS):
        truth, sample_weight, means, variances, weights = (
            exactly(values) for values in (truth, sample_weight, means, variances, weights)
        )
        prior = exactly([0.0] * len(means) if prior_weights is None else prior_weights)
        reg_var, shrinkage = mpf(reg_var), mpf(shrinkage)
        variances = [max(variance, reg_var) for variance in variances]
        n_rows = sum(sample_weight)
        for _ in range(n_steps):
            resp = []
            for target in truth:
                logs = [
                    mp.log(weight) - mp.log(variance) / 2 - (target - mean) ** 2 / (2 * variance)
                    if weight
                    else -mp.inf
                    for mean, variance, weight in zip(means, variances, weights, strict=True)
                ]
                highest = max(logs)
                powers = [mp.exp(log - highest) for log in logs]
                total = sum(powers)
                resp.append([power / total for power in powers])
            for m, mean in enumerate(means):
                shares = [share * r[m] for share, r in zip(sample_weight, resp, strict=True)]
                total = sum(shares)
                if total > 0:
                    squares = sum(
                        s * (target - mean) ** 2 for s, target in zip(shares, truth, strict=True)
                    )
                    variances[m] = max(squares / total, reg_var)
                weights[m] = (total + shrinkage * prior[m]) / (n_rows + shrinkage)
        total = sum(weights)
        return [weight / total for weight in weights], variances


def quadratic(moments, weights):
    """Return ``w' C w``."""
    n_models = len(weights)
    return sum(
        weights[i] * moments[i][j] * weights[j] for i in range(n_models) for j in range(n_models)
    )


def _stationary(moments, support):
    """Return the weights that sum to one and have least error among signed ones, or None."""
    size = len(support)
    system = matrix(size + 1, size + 1)
    rhs = matrix(size + 1, 1)
    rhs[size] = 1
    for row, i in enumerate(support):
        system[row, size] = system[size, row] = 1
        for column, j in enumerate(support):
            system[row, column] = moments[i][j]
    try:
        solution = mp.lu_solve(system, rhs)
    except (
        ZeroDivisionError,
        TypeError,
    ):  # singular (mpmath has two ways to say it): on a smaller support there is one as good
        return None
    weights = [mpf(0)] * len(moments)
    for row, i in enumerate(support):
        weights[i] = solution[row]
    return weights


def simplex(moments):
    """Return convex weights of least ``w' C w``: the best of all supports, tried one by one."""
    with mp.workdps(DIGITS):
        moments, best = exactly(moments), None
        for size in range(1, len(moments) + 1):
            for support in combinations(range(len(moments)), size):
                weights = _stationary(moments, support)
                if weights is None or min(weights) < 0:
                    continue
                error = quadratic(moments, weights)
                if best is None or error < best[0]:
                    best = error, weights
        return best[1]


def signed(moments, ridge):
    """Return weights that sum to one, given what is added to moments of unit diagonal."""
    with mp.workdps(DIGITS):
        moments = exactly(moments)
        for i, line in enumerate(moments):
            line[i] *= 1 + mpf(ridge)
        return _stationary(moments, range(len(moments)))
