"""A comparison in text: the table, and the notes on what its numbers and rows are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from skensir import EnsIRRegressor
from skensir._text import plural
from skensir.comparison.ensembles import (
    CROSS_VALIDATED,
    MAX_SAMPLES,
    SAMPLE,
    SHRINKAGE,
    WITH_INPUT,
    Fitted,
)
from skensir.image import ReferenceSet
from skensir.image.search import MAX_FOLDS, N_AREAS

ORACLE = "Oracle"
BEST = "* best of the column but for the oracle."  # stands below a table


class Row(NamedTuple):
    """A row of the table: means over the test scenes, and None where there is no time to tell."""

    name: str
    psnr: float
    ssim: float
    seconds_fit: float | None = None
    seconds_image: float | None = None


def is_best(
    row: Mapping[str, Any],
    column: str,
    table: Iterable[Mapping[str, Any]],
    digits: int,
    better: Callable[[list[float]], float] = max,
) -> bool:
    """Tell whether a number is the best of its column, ties after rounding to digits included.

    The oracle is no competitor, nor is a number that is None or NaN, and one alone is not the best.
    """
    numbers = [rival[column] for rival in table if rival["name"] != ORACLE]
    shown = [round(n, digits) for n in numbers if n is not None and not math.isnan(n)]
    is_rival = row["name"] != ORACLE and len(shown) > 1
    return is_rival and round(row[column], digits) == better(shown)


def format_table(rows: Sequence[Row]) -> str:
    """Lay out the rows as aligned lines, the best PSNR and SSIM but for the oracle's marked."""
    table = [row._asdict() for row in rows]
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  PSNR (dB)     SSIM    fit (s)    s/image"]
    for row in table:
        psnr = f"{row['psnr']:.3f}" + ("*" if is_best(row, "psnr", table, 3) else " ")
        ssim = f"{row['ssim']:.4f}" + ("*" if is_best(row, "ssim", table, 4) else " ")
        times = (row["seconds_fit"], row["seconds_image"])
        fit, image = ("-" if seconds is None else f"{seconds:.2f}" for seconds in times)
        lines.append(f"{row['name']:{width}}  {psnr:>10} {ssim:>8} {fit:>9} {image:>10}")
    return "\n".join(lines)


def explain_numbers(reference: ReferenceSet, test: ReferenceSet, convention: dict[str, Any]) -> str:
    """Say what is measured on what."""
    sentences = [
        f"PSNR and SSIM compare {explain_convention(**convention)}",
        f"Numbers are means over {plural(len(test), 'scene')} of {test.folder}; the ensembles were "
        f"fitted on {plural(len(reference), 'scene')} of {reference.folder}, and their images are "
        "not rounded. Seconds are those of this machine, without reading files.",
    ]
    if test.folder.resolve() == reference.folder.resolve():
        sentences.append(
            "These are the same, so the ensembles know the truth and look better than they are."
        )
    return " ".join(sentences)


def explain_convention(channel: str, crop_border: int, data_range: int) -> str:
    """Name the convention of PSNR and SSIM."""
    compared = {"rgb": "all channels", "luma": "luma (BT.601, studio range)"}[channel]
    border = f" without {plural(crop_border, 'pixel')} at every side" if crop_border else ""
    return (
        f"{compared}{border}, with peak {data_range}; SSIM has a Gaussian window of standard "
        "deviation 1.5."
    )


def explain_methods(fitted: Sequence[Fitted], n_scenes: int) -> str:
    """Say what the rows of the table are."""
    tables = (ensemble.regressors_[0] for _, ensemble, _ in fitted)
    bin_width = next(table.bin_width_ for table in tables if isinstance(table, EnsIRRegressor))
    if n_scenes == 1:
        held_out = f"one of {N_AREAS} parts of the scene"
    else:
        held_out = "one scene after the other" if n_scenes <= MAX_FOLDS else "a tenth of the scenes"
    ours = (
        "Convex is one convex weight vector of least squared error per channel. EnsIR is one "
        f"lookup table per channel, as published and for the squared error with bin width "
        f"{bin_width:g}, the latter with a shrinkage of {SHRINKAGE:,} rows. {CROSS_VALIDATED}, has "
        "cells of the models' predictions or of their deviations from each other, whichever do "
        f"better with {held_out} held out, averaged where several do."
    )
    if any(method.include_input for method, _, _ in fitted):
        ours += (
            f" {WITH_INPUT}, is the same with the degraded image as one more model, which no other "
            "row has."
        )
    paragraphs = [f"{ours} ZZPM takes its weights from each whole image."]
    names = [method.name for method, _, _ in fitted if method.fitted_on == SAMPLE]
    if names:
        paragraphs.append(
            f"{', '.join(names)} are scikit-learn's bagging, AdaBoost, random forest, gradient "
            "boosting and histogram gradient boosting with their defaults: one regressor for all "
            f"channels, fitted on at most {MAX_SAMPLES:,} values drawn at random."
        )
    paragraphs.append(
        f"{ORACLE} is the truth, clipped to the range of the base models' values in each pixel and "
        "channel: no convex combination of these has a higher PSNR over all channels."
    )
    return "\n\n".join(paragraphs)
