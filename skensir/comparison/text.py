"""A comparison in text: the table, and the notes on what its numbers and rows are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os.path import realpath
from typing import Any

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
from skensir.comparison.scores import explain_convention, explain_perceptual
from skensir.comparison.table_files import to_text
from skensir.comparison.tables import ORACLE, Row, results_table
from skensir.image import ReferenceSet
from skensir.image.search import MAX_FOLDS, N_AREAS

BEST = "* best of the column but for the oracle."  # stands below a table


def format_table(rows: Sequence[Row]) -> str:
    """Lay out the rows as aligned lines, the best but for the oracle's marked."""
    return to_text(results_table({"": rows}))


def explain_numbers(
    reference: ReferenceSet,
    tests: Sequence[ReferenceSet],
    convention: dict[str, Any],
    perceptual: Iterable[str] = (),
) -> str:
    """Say what is measured on what."""
    scenes = " and over ".join(f"{plural(len(test), 'scene')} of {test.folder}" for test in tests)
    sentences = [
        f"PSNR and SSIM compare {explain_convention(**convention)}",
        explain_perceptual(perceptual, convention["channel"]),
        f"Numbers are means over {scenes}; the ensembles were fitted on "
        f"{plural(len(reference), 'scene')} of {reference.folder}, and their images are not "
        "rounded. Seconds are those of this machine, without reading files.",
    ]
    if len(tests) > 1:
        sentences.append("The mean is that of the test sets, each of which counts the same.")
    for test in tests:
        known = set(test.names).intersection(reference.names)
        if known and realpath(test.folder) == realpath(reference.folder):
            which = f"{len(known)} of the scenes of {test.folder} are"
            which = f"The test set {test.folder} is" if len(known) == len(test) else which
            sentences.append(
                f"{which} in the reference set too, so the ensembles know the truth and look "
                "better there than they are."
            )
    return " ".join(filter(None, sentences))


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
