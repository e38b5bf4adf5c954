"""From held-out errors to shares: which of many tables are taken, and how much of each."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from skensir._typing import FloatArray

# A gain counts if it would be as large by chance in this share of the cases, by Student's t.
_SIGNIFICANCE = 0.025
# A table whose error is larger by this much, as a logarithm, has a share smaller by 1 / e.
_TEMPERATURE = {"auto": 0.03, "average": 0.02}
# Logarithms that differ by less are equal.
_ROUNDING = 1e-9
# Smaller shares than this one of the best table's are none.
_LEAST_SHARE = 1e-3

SELECT = ("auto", "average", "best")


def log_errors(errors: FloatArray) -> FloatArray:
    """Return logarithms of mean squared errors."""
    return np.log(_floored(errors))


def _floored(errors: FloatArray) -> FloatArray:
    """Return errors of which none at all counts as the smallest number."""
    return np.maximum(errors, np.finfo(np.float64).tiny)


def _log_quotients(errors: FloatArray, others: FloatArray) -> FloatArray:
    """Return logarithms of quotients, which are the same in any unit to the last bit."""
    limits = np.finfo(np.float64)
    with np.errstate(over="ignore", under="ignore"):  # where one of them is none
        quotients = _floored(errors) / _floored(others)
    return np.asarray(np.log(np.clip(quotients, limits.tiny, limits.max)))


def standard_error(values: FloatArray, ratio: float) -> float:
    """Return that of the mean of a value per split.

    Training rows are shared between splits, so that their values are not independent: the
    correction of Nadeau and Bengio adds the ratio of held-out to training rows.
    """
    return float(values.std(ddof=1) * np.sqrt(1 / len(values) + ratio))


def least_by_chance(std_error: float, n_splits: int) -> float:
    """Return what the mean over some splits must exceed to be more than chance."""
    return float(student.isf(_SIGNIFICANCE, max(n_splits - 1, 1)) * std_error)


def find_shares(errors: FloatArray, best: int, select: str) -> FloatArray:
    """Return what share each table gets, (n_candidates,), which sum to one.

    `errors` are mean squared errors on held-out rows, (n_candidates, n_splits). With d the mean
    over the splits of the logarithm of a table's error, above that of the best, a share is

    - "auto": ``exp(-d / 0.03)``, up to their sum;
    - "average": ``exp(-max(d / 0.02, z**2 / 2))``, with z the mean over its standard error: tables
      that cannot be told apart count alike, and of few splits little can be told;
    - "best": one for the best, nothing for the others.

    A single split says too little to average by.
    """
    n_candidates, n_splits = errors.shape
    if select == "best" or n_splits < 2:
        return np.asarray(np.arange(n_candidates) == best, dtype=np.float64)
    excess = _log_quotients(errors, errors[best])
    mean = excess.mean(axis=1)
    mean[mean < _ROUNDING] = 0.0  # by any other score the best may be another one
    exponents = mean / _TEMPERATURE[select]
    if select == "average":
        error = excess.std(axis=1, ddof=1) / np.sqrt(n_splits)
        z = np.divide(mean, error, out=np.zeros(n_candidates), where=error > 0)
        exponents = np.maximum(exponents, z**2 / 2)
    shares = np.exp(-exponents)
    shares[shares < _LEAST_SHARE] = 0.0
    return np.asarray(shares / shares.sum())


def share_with_rivals(
    errors: FloatArray, rivals: FloatArray, best: int, select: str, ratio: float
) -> tuple[FloatArray, FloatArray]:
    """Return the shares of tables and of rivals, which sum to one together.

    `rivals` are errors of what needs no table, (n_rivals, n_splits), and `ratio` is that of
    held-out to training rows. Where tables are averaged automatically, rivals that do better than
    the best table take part: then there is nothing that a table can know, or averaging, to which
    all tables are drawn, is no sound start. Tables have the benefit of the doubt: what may be
    chance in the advantage of the best rival does not count against them.
    """
    of_rivals = np.zeros(len(rivals))
    if select != "auto" or errors.shape[1] < 2:
        return find_shares(errors, best, select), of_rivals
    advantages = _log_quotients(errors[best], rivals)
    means = advantages.mean(axis=1)
    better = np.flatnonzero(means > _ROUNDING)
    if better.size:
        rival = int(means.argmax())
        chance = least_by_chance(standard_error(advantages[rival], ratio), errors.shape[1])
        errors = _floored(errors) * np.exp(-min(chance, means[rival]))
        best = len(errors) + int(means[better].argmax())
    shares = find_shares(np.concatenate([errors, rivals[better]]), best, select)
    of_rivals[better] = shares[len(errors) :]
    return shares[: len(errors)], of_rivals
