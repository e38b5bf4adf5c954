"""What a table gains on held-out rows, without the flattery of its having been chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from skensir._core.cross_validation import SplitStatistics
from skensir._core.selection import find_shares
from skensir._search.candidates import Results
from skensir._typing import FloatArray

# A gain counts if it would be as large by chance in this share of the cases, by Student's t.
_SIGNIFICANCE = 0.025
_LABELS = {
    "average": "the average",
    "best_model": "the best base model",
    "convex": "one convex weight vector",
    "ridge": "ridge regression",
}


def find_gains(
    results: Results, select: str, splits: Sequence[SplitStatistics]
) -> tuple[float, dict[str, dict[str, Any]]]:
    """Compare candidates with what needs no table.

    The best of many candidates looks better on the rows that chose it than it is. So for each
    split the candidate is chosen by the scores of the other splits.

    Parameters
    ----------
    results : Results
        Of the candidates on each split.
    select : str
        How they become one: see `skensir._core.selection`. An average of tables errs no more than
        the tables do on average, which is what counts here.
    splits : sequence of SplitStatistics

    Returns
    -------
    held_out_mse : float
        Mean squared error of the chosen candidates.
    gains : dict of dict
        `gains_` of `skensir.EnsIRRegressorCV`.
    """
    n_splits = len(splits)
    rivals = [split.held_out_errors_of_rivals() for split in splits]
    # Training rows are shared between splits, so that their errors are not independent: the
    # correction of Nadeau and Bengio adds the ratio of held-out to training rows.
    ratio = np.mean([s.test.weight.sum() / s.train.weight.sum() for s in splits])
    errors = _held_out_errors(results, select)
    gains = {}
    for name in rivals[0]:
        rival = np.array([split_rivals[name] for split_rivals in rivals])
        mse = float(rival.mean())
        saved = (rival - errors) / mse if mse else np.zeros(n_splits)
        std_error, is_gain = np.inf, False
        if n_splits > 1:
            std_error = float(saved.std(ddof=1) * np.sqrt(1 / n_splits + ratio))
            is_gain = bool(saved.mean() > student.isf(_SIGNIFICANCE, n_splits - 1) * std_error)
        gain = float(saved.mean())
        gains[name] = {"mse": mse, "gain": gain, "std_error": std_error, "is_gain": is_gain}
    return float(errors.mean()), gains


def _held_out_errors(results: Results, select: str) -> FloatArray:
    """Return the error on each split of what the other splits select."""
    scores, errors = results.scores, results.errors
    n_splits = errors.shape[1]
    if n_splits == 1:
        return np.asarray(errors[results.best_index()])
    others = (scores.sum(axis=1, keepdims=True) - scores) / (n_splits - 1)
    held_out = np.empty(n_splits)
    for split, best in enumerate(others.argmax(axis=0).tolist()):
        rest = np.delete(errors, split, axis=1)
        shares = find_shares(rest, best, select) if n_splits > 2 else np.eye(len(rest))[best]
        held_out[split] = shares @ errors[:, split]
    return held_out


def describe_gains(gains: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line of text per rival."""
    return [
        f"  {_LABELS[name]:<25}{gain['mse']:.6g}  "
        f"{'gain' if gain['is_gain'] else 'no clear gain'} "
        f"({100 * gain['gain']:+.2f} % ± {100 * gain['std_error']:.2f} %)"
        for name, gain in gains.items()
    ]
