"""What a table gains on held-out rows, without the flattery of its having been chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skensir._core.cross_validation import RIVALS, SplitStatistics
from skensir._core.selection import least_by_chance, share_with_rivals, standard_error
from skensir._search.candidates import Results
from skensir._typing import FloatArray

_LABELS = {
    "average": "the average",
    "best_model": "the best base model",
    "convex": "one convex weight vector",
    "ridge": "ridge regression",
}


# A rival that is better by this share is told of, unless a fold holds next to no rows.
_LOSS = 0.1
MIN_ROWS_OF_LOSS = 50
# Two that predict the same differ by as much, as a share of the error, and in no split by more.
_ROUNDING = 1e-9


def find_rivals(splits: Sequence[SplitStatistics]) -> dict[str, FloatArray]:
    """Return the mean squared errors on each split of what needs no table."""
    found = [split.held_out_errors_of_rivals() for split in splits]
    return {name: np.array([of_split[name] for of_split in found]) for name in found[0]}


def held_out_ratio(splits: Sequence[SplitStatistics]) -> float:
    """Return the ratio of held-out to training rows, on average."""
    return float(np.mean([s.test.weight.sum() / s.train.weight.sum() for s in splits]))


def find_gains(
    results: Results,
    rivals: dict[str, FloatArray],
    select: str,
    splits: Sequence[SplitStatistics],
) -> tuple[FloatArray, dict[str, dict[str, Any]]]:
    """Compare candidates with what needs no table.

    The best of many candidates looks better on the rows that chose it than it is. So for each
    split the candidate is chosen by the scores of the other splits.

    Parameters
    ----------
    results : Results
        Of the candidates on each split.
    rivals : dict of ndarray of shape (n_splits,)
        What `find_rivals` found.
    select : str
        How they become one: see `skensir._core.selection`. An average of tables errs no more than
        the tables do on average, which is what counts here.
    splits : sequence of SplitStatistics

    Returns
    -------
    errors : ndarray of shape (n_splits,)
        Mean squared errors of the chosen candidates.
    gains : dict of dict
        `gains_` of `skensir.EnsIRRegressorCV`.
    """
    n_splits = len(splits)
    ratio = held_out_ratio(splits)
    errors = _held_out_errors(results, rivals, select, ratio)
    gains = {}
    for name, rival in rivals.items():
        mse = float(rival.mean())
        saved = (rival - errors) / mse if mse else np.where(errors > 0, -np.inf, 0.0)
        std_error, is_gain = np.inf, False
        if not mse:  # no luck is needed to be worse than that
            std_error = 0.0
        elif n_splits > 1:
            std_error = standard_error(saved, ratio)
            is_gain = bool(saved.mean() > least_by_chance(std_error, n_splits))
        gain = float(saved.mean())
        gains[name] = {"mse": mse, "gain": gain, "std_error": std_error, "is_gain": is_gain}
    return errors, gains


def _held_out_errors(
    results: Results, rivals: dict[str, FloatArray], select: str, ratio: float
) -> FloatArray:
    """Return the error on each split of what the other splits select."""
    plain = np.array([rivals[name] for name in RIVALS])
    scores, errors = results.scores, results.errors
    n_splits = errors.shape[1]
    if n_splits == 1:
        return np.asarray(errors[results.best_index(scores)])
    held_out = np.empty(n_splits)
    for split in range(n_splits):
        best = results.best_index(np.delete(scores, split, axis=1))
        if n_splits == 2:
            held_out[split] = errors[best, split]
            continue
        of_tables, of_plain = np.delete(errors, split, axis=1), np.delete(plain, split, axis=1)
        shares, of_rivals = share_with_rivals(of_tables, of_plain, best, select, ratio)
        held_out[split] = shares @ errors[:, split] + of_rivals @ plain[:, split]
    return held_out


def say_loss(gains: dict[str, dict[str, Any]], n_splits: int) -> str | None:
    """Say that something else does clearly better, None where nothing does."""
    for name, gain in gains.items():
        if _is_loss(gain, n_splits) and gain["gain"] < -_LOSS:
            less = 1 - 1 / (1 - gain["gain"])
            return (
                f"On held-out rows {_LABELS[name]} has a mean squared error of {gain['mse']:.6g}, "
                f"{less:.0%} less than this search: take that, or see whether the columns of X are "
                "predictions of y on its scale."
            )
    return None


def _is_loss(gain: dict[str, Any], n_splits: int) -> bool:
    """Tell whether a rival does better by as much as a gain has to be above zero."""
    by_chance = least_by_chance(gain["std_error"], n_splits)
    return bool(gain["gain"] < -max(by_chance, _ROUNDING))


def describe_gains(mse: float, gains: dict[str, dict[str, Any]], n_splits: int) -> list[str]:
    """Return a line of text for the search, of this mean squared error, and one per rival."""
    labels = ["this search", *(_LABELS[name] for name in gains)]
    errors = _write_alike([np.sqrt(mse), *(np.sqrt(gain["mse"]) for gain in gains.values())])
    words = ["", *(f"  {_describe_gain(gain, n_splits)}" for gain in gains.values())]
    return [
        f"  {label:<25}{error}{said}"
        for label, error, said in zip(labels, errors, words, strict=True)
    ]


def _write_alike(errors: Sequence[float]) -> list[str]:
    """Return numbers in one format, of as many places: the least has five digits."""
    known = [error for error in errors if error > 0 and np.isfinite(error)]
    low, high = (min(known), max(known)) if known else (1.0, 1.0)
    form = ".4e"
    if low >= 1e-4 and high < 1e7:
        form = f".{max(4 - int(np.floor(np.log10(low))), 0)}f"
    written = [f"{error:{form}}" for error in errors]
    width = max(map(len, written))
    return [number.rjust(width) for number in written]


def _describe_gain(gain: dict[str, Any], n_splits: int) -> str:
    """Return in words what is gained over a rival."""
    if not np.isfinite(gain["gain"]):
        return "it makes no error"
    word = "loss" if _is_loss(gain, n_splits) else "no clear gain"
    return (
        f"{'gain' if gain['is_gain'] else word} "
        f"({100 * gain['gain']:+.2f} % ± {100 * gain['std_error']:.2f} %)"
    )
