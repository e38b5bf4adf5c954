"""Which scenes of a comparison tell most, for a report that cannot show all of them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skensir.comparison.tables import Scores

MAX_MEGABYTES = 50  # of a report, unless the number of scenes is given


class Choice(NamedTuple):
    """What a report has images of, and what it opens on.

    Attributes
    ----------
    scenes : tuple of str
        Names of scenes, the most telling first.
    lead, rival : str or None
        The rows of the table that the report sets against each other at first.
    reason : str
        How the scenes were chosen, as the end of a sentence: "by ...".
    max_bytes : float
        As large may the report become; its first scene is there in any case.
    """

    scenes: tuple[str, ...] = ()
    lead: str | None = None
    rival: str | None = None
    reason: str = ""
    max_bytes: float = math.inf


def choose_scenes(scores: Scores, models: Sequence[str], n_scenes: int | None = None) -> Choice:
    """Choose by the gain in PSNR of the best row of EnsIR over the best base model.

    The scenes of the largest, the smallest and the median gain come first, and then those in the
    middle between these, and so on, so that however many are taken, they stand for all.

    Parameters
    ----------
    scores : Scores
        What was measured of each scene, by rows of the table.
    models : sequence of str
        The rows of the base models.
    n_scenes : int, default=None
        How many scenes to take, at most all. None takes as many as fit in `MAX_MEGABYTES`.

    Raises
    ------
    ValueError
        If the number is negative.
    """
    if n_scenes is not None and n_scenes < 0:
        raise ValueError(f"The number of scenes in the report is {n_scenes}, must be 0 or more.")
    everywhere = set.intersection(*map(set, scores.values()))
    ours = [name for name in next(iter(scores.values())) if name.startswith("EnsIR")]
    lead, rival = (
        max(everywhere.intersection(names), key=lambda name: (_mean_psnr(scores, name), name))
        for names in (set(ours).difference(models), models)
    )
    gains = {
        name: gain(of_rows[lead]["psnr"], of_rows[rival]["psnr"])
        for name, of_rows in scores.items()
    }
    ranked = sorted(gains, key=gains.__getitem__, reverse=True)
    scenes = tuple(ranked[place] for place in spread(len(ranked)))
    fits = f", as many as fit in {MAX_MEGABYTES} MB" if n_scenes is None else ""
    reason = (
        f"by the gain in PSNR of {lead} over {rival}, the best base model: the largest first, then "
        f"the smallest, the median, and evenly between these{fits}"
    )
    max_bytes = MAX_MEGABYTES * 1e6 if n_scenes is None else math.inf
    return Choice(scenes[:n_scenes], lead, rival, reason, max_bytes)


def _mean_psnr(scores: Scores, row: str) -> float:
    return float(np.mean([of_rows[row]["psnr"] for of_rows in scores.values()]))


def gain(ours: float, theirs: float) -> float:
    """Return by how much a number is larger than another, which may both be infinite."""
    return 0.0 if ours == theirs else ours - theirs


def spread(n: int) -> list[int]:
    """Return the numbers below n: the ends, then the middle of each gap, the widest gaps first."""
    order, gaps = [0, n - 1][:n], deque([(0, n - 1)])
    while gaps:
        low, high = gaps.popleft()
        middle = (low + high) // 2
        if low < middle:
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return order
