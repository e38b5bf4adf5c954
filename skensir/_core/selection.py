"""From held-out errors to shares: which of many tables are taken, and how much of each."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from skensir._typing import FloatArray

# A gain counts if it would be as large by chance in this share of the cases, by Student's t.
_SIGNIFICANCE = 0.025
# A table whose error is larger by this much, as a logarithm, has a share smaller by 1 / e.
_TEMPERATURE = {"auto": 0.03, "average": 0.02}
# Logarithms that differ by less are equal.
_ROUNDING = 1e-9
# Of the largest error in a split; smaller ones count as this.
_LEAST_ERROR = 2.0**-500
# Smaller shares than this one of the best table's are none.
_LEAST_SHARE = 1e-3

SELECT = ("auto", "average", "best")


def log_errors(errors: FloatArray) -> FloatArray:
    """Return logarithms of mean squared errors, of which none counts as the smallest number."""
    return np.log(np.maximum(errors, np.finfo(np.float64).tiny))


def _log_ratios(errors: FloatArray, best: int) -> FloatArray:
    """Return logarithms of errors over those of the best, (n_candidates, n_splits).

    They are of quotients, which are the same in any unit to the last bit. None at all counts as so
    little of the largest in the split that no quotient is zero or infinite.
    """
    least = np.maximum(_LEAST_ERROR * errors.max(axis=0), np.finfo(np.float64).tiny)
    floored = np.maximum(errors, least)
    return np.asarray(np.log(floored / floored[best]))


def standard_error(values: FloatArray, ratio: float) -> float:
    """Return that of the mean of a value per split.

    Training rows are shared between splits, so that their values are not independent: the
    correction of Nadeau and Bengio adds the ratio of held-out to training rows.
    """
    return float(values.std(ddof=1) * np.sqrt(1 / len(values) + ratio))


def least_by_chance(std_error: float, n_splits: int) -> float:
    """Return what the mean over some splits must exceed to be more than chance."""
    return float(student.isf(_SIGNIFICANCE, max(n_splits - 1, 1)) * std_error)


def _chance_of_few(std_error: float, n_splits: int) -> float:
    """Return by how much more that is than over many splits, for the same standard error."""
    return least_by_chance(std_error, n_splits) - float(norm.isf(_SIGNIFICANCE) * std_error)


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
    excess = _log_ratios(errors, best)
    mean = excess.mean(axis=1)
    mean[mean < _ROUNDING] = 0.0  # by any other score the best may be another one
    exponents = mean / _TEMPERATURE[select]
    if select == "average":
        error = excess.std(axis=1, ddof=1) / np.sqrt(n_splits)
        z = np.divide(mean, error, out=np.zeros(n_candidates), where=error > 0)
        exponents = np.maximum(exponents, z**2 / 2)
    return _shares_of(exponents)


def _shares_of(exponents: FloatArray) -> FloatArray:
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
    all tables are drawn, is no sound start. Tables have the benefit of the doubt: by what few
    splits may pretend, the advantage of the best rival does not count against them.
    """
    n_tables, n_splits = errors.shape
    if select == "auto" and n_splits > 1:
        logs = _log_ratios(np.concatenate([errors, rivals]), best)
        means = logs.mean(axis=1)
        rival = n_tables + int(means[n_tables:].argmin())
        advantage = -float(means[rival])
        if advantage > _ROUNDING:
            doubt = _chance_of_few(standard_error(logs[rival], ratio), n_splits)
            takes_part = means < -_ROUNDING
            takes_part[:n_tables] = True
            means[:n_tables] = np.maximum(means[:n_tables], 0.0) - min(doubt, advantage)
            exponents = np.where(takes_part, (means + advantage) / _TEMPERATURE[select], np.inf)
            shares = _shares_of(exponents)
            return shares[:n_tables], shares[n_tables:]
    return find_shares(errors, best, select), np.zeros(len(rivals))
