"""How large errors are against what was expected of them, and the intervals that follow.

Errors have heavy tails, so that a standard deviation says little about an interval. What does are
quantiles of the errors over their standard deviation, on rows that were not fitted on.
"""

from __future__ import annotations

import numpy as np

from skensir._typing import FloatArray

# Ratios of error and standard deviation are counted on a logarithmic grid from 2**-20 to 2**20.
_PER_OCTAVE, _N_OCTAVES = 16, 40
N_PLACES = _PER_OCTAVE * _N_OCTAVES


def count_ratios(
    errors: FloatArray, std: FloatArray, sample_weight: FloatArray | None = None
) -> FloatArray:
    """Return the weight of the rows by the ratio of error and standard deviation, (n_places,).

    Counts of parts of the data add up. No error at all is in the first place, and an error where
    none is expected in the last.
    """
    errors = np.abs(errors)
    ratio = np.divide(errors, std, out=np.where(errors > 0, np.inf, 0.0), where=std > 0)
    with np.errstate(divide="ignore"):
        place = _PER_OCTAVE * (np.log2(ratio) + _N_OCTAVES // 2)
    place = np.clip(place, 0, N_PLACES - 1).astype(np.intp)
    return np.asarray(np.bincount(place, sample_weight, N_PLACES), dtype=np.float64)


def ratio_that_covers(counts: FloatArray, coverage: float) -> float:
    """Return what ratio is not exceeded with this probability, by a row like those counted.

    One row more than there were is asked for, as the new row may be the worst of all. Beyond the
    grid nothing is known but that it is more, which only infinity is sure to cover.
    """
    total = np.cumsum(counts)
    wanted = min(coverage * (total[-1] + 1), total[-1])
    place = int(np.searchsorted(total, wanted))
    if place == N_PLACES - 1:
        return np.inf
    share = (wanted - (total[place] - counts[place])) / counts[place]
    if place == 0:  # from zero on
        return float(share * 2.0 ** (1 / _PER_OCTAVE - _N_OCTAVES / 2))
    return float(2.0 ** ((place + share) / _PER_OCTAVE - _N_OCTAVES / 2))
