"""`skensir compare`: base models and ensembles, measured on images that were not fitted on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skensir._text import wrap
from skensir.cli.arguments import PERCEPTUAL, SCORING, TABLES, Command
from skensir.cli.common import (
    CommandError,
    check_files,
    check_installed,
    check_tables,
    perceptual_measures,
    print_files,
    print_json,
)
from skensir.cli.reading import HOLD_OUT, READING, open_set, split
from skensir.comparison.measure import (
    ComparedScene,
    Comparison,
    as_dicts,
    compare_with_each,
    explain_each,
)
from skensir.comparison.report import write_report
from skensir.comparison.table_files import to_text, write_tables
from skensir.comparison.tables import MEAN, Row, mean_rows, results_table, short_names
from skensir.comparison.telling import MAX_MEGABYTES, choose_scenes
from skensir.comparison.text import BEST
from skensir.image import ReferenceSet

_KEYS = """\
With --json an object is printed:
  channel, crop_border, data_range  the convention of PSNR and SSIM
  table                             a list of the rows, in order, each with
    name                            of the base model or the ensemble
    psnr, ssim                      means over the test scenes; psnr in dB, null
                                    where it is infinite
    seconds_fit, seconds_image      null where there is nothing to measure
    lpips, dists                    where they were measured
  notes                             how it was measured, in paragraphs
With several test sets there is instead of table:
  sets                              an object with such a list for each test set
  mean                              such a list of the means over the sets, null
                                    where one of them has no such number
"""


def compare(
    reference: Path,
    test: list[Path] | None = None,
    *,
    hold_out: str | None = None,
    channel: str = "rgb",
    crop_border: int = 0,
    bin_width: float | None = None,
    no_trees: bool = False,
    no_perceptual: bool = False,
    table: list[Path] | None = None,
    scenes_table: list[Path] | None = None,
    json: bool = False,
    report: Path | None = None,
    report_scenes: int | None = None,
    **reading: Any,
) -> None:
    """Print a table of base models and ensembles.

    Parameters
    ----------
    reference : Path
        Folder as `skensir.image.ReferenceSet` reads it, on which the ensembles are fitted.
    test : list of Path, default=None
        Such folders, on which they are measured. The table has the numbers of each, and their mean.
    hold_out : str, default=None
        In their place, scenes of the first folder, as in `skensir.cli.reading.split_names`.
    channel, crop_border, bin_width
        As in `skensir.comparison.measure.compare_with_each`.
    no_trees, no_perceptual : bool, default=False
        Whether to leave out the ensembles of trees, and LPIPS and DISTS.
    table, scenes_table : list of Path, default=None
        Where to write the table, and the numbers of each scene, in the formats of the suffixes.
    json : bool, default=False
        Whether to print JSON instead of a table.
    report : Path, default=None
        Where to write the report: HTML with the tables, and images.
    report_scenes : int, default=None
        How many scenes have images there, as in `skensir.comparison.telling.choose_scenes`.
    **reading
        As in `skensir.cli.reading.open_set`; `scenes` are those to measure on.
    """
    check_installed("skensir compare", "cv2", "tifffile", "tqdm")
    _check_report(report, report_scenes)
    check_tables(table, scenes_table)
    reference_set, tests = _open(reference, test or [], hold_out, reading)
    compared = compare_with_each(
        reference_set,
        list(tests.values()),
        channel=channel,
        crop_border=crop_border,
        bin_width=bin_width,
        trees=not no_trees,
        perceptual=perceptual_measures(left_out=no_perceptual),
    )
    comparisons = dict(zip(tests, compared, strict=True))
    _write(comparisons, table, scenes_table, report, report_scenes)
    _print(comparisons, json=json)
    if not json:
        print_files({"Table": table, "Scenes": scenes_table, "Report": report})


def _open(
    reference: Path, test: list[Path], hold_out: str | None, reading: dict[str, Any]
) -> tuple[ReferenceSet, dict[str, ReferenceSet]]:
    """Return what to fit on, and what to measure on by the names in the table."""
    if bool(test) == (hold_out is not None):
        raise CommandError(
            "Name either folders to measure on, or scenes of the first folder by --hold-out."
        )
    if hold_out is not None:
        kept, held = split(open_set(reference, **reading), hold_out)
        return kept, {reference.name: held}
    scenes = reading.pop("scenes", None)
    reference_set = open_set(reference, **reading)
    reading |= {"models": list(reference_set.models), "scenes": scenes}
    names = short_names(test, reserved={MEAN})
    return reference_set, {
        name: open_set(folder, **reading) for name, folder in zip(names, test, strict=True)
    }


def _rows(comparisons: dict[str, Comparison]) -> dict[str, list[Row]]:
    return {name: comparison.rows for name, comparison in comparisons.items()}


def _write(
    comparisons: dict[str, Comparison],
    table: list[Path] | None,
    scenes_table: list[Path] | None,
    report: Path | None,
    report_scenes: int | None,
) -> None:
    """Write the files that the user asks for."""
    results = _rows(comparisons)
    scores = {name: comparison.scores for name, comparison in comparisons.items()}
    write_tables(table, results, scenes_table, scores)
    if report is not None:
        _write_report(report, comparisons, report_scenes)


def _print(comparisons: dict[str, Comparison], *, json: bool) -> None:
    """Print the table and what it means."""
    results, compared = _rows(comparisons), list(comparisons.values())
    notes = explain_each(compared)
    if json:
        print_json({**compared[0].convention, **_as_json(results), "notes": notes})
    else:
        print(f"{to_text(results_table(results))}\n\n{BEST}\n\n{wrap(notes)}")


def _as_json(results: dict[str, list[Row]]) -> dict[str, Any]:
    """Return the table of the only test set, or those of each and of the mean."""
    mean = as_dicts(mean_rows(results))
    if len(results) == 1:
        return {"table": mean}
    return {"sets": {name: as_dicts(rows) for name, rows in results.items()}, "mean": mean}


def _check_report(report: Path | None, n_scenes: int | None) -> None:
    """Raise an error now if the report could not be written later."""
    check_files([report] if report else [], (".html", ".htm"), "the report is a page of HTML")
    if report is None and n_scenes is not None:
        raise CommandError("--report-scenes says what is in a report, which needs --report.")
    if n_scenes is not None and n_scenes < 0:
        raise CommandError(f"--report-scenes is {n_scenes}, must be 0 or more.")


def _write_report(path: Path, comparisons: dict[str, Comparison], n_scenes: int | None) -> None:
    """Write the report with the images of the most telling scenes, and the scores of all.

    The scenes of several test sets are named after their set too.
    """
    places = {
        f"{name}/{scene}" if len(comparisons) > 1 else scene: (comparison, scene)
        for name, comparison in comparisons.items()
        for scene in comparison.scores
    }
    scores = {name: comparison.scores[scene] for name, (comparison, scene) in places.items()}
    compared = list(comparisons.values())
    choice = choose_scenes(scores, compared[0].test.models, n_scenes)

    def scenes() -> Iterator[ComparedScene]:
        for name in choice.scenes:
            comparison, scene = places[name]
            for made in comparison.scenes([scene]):
                yield {**made, "name": name}
                del made  # before the next is made

    write_report(
        path,
        f"Ensembles on {', '.join(str(comparison.test.folder) for comparison in compared)}",
        as_dicts(mean_rows(_rows(comparisons))),
        scenes(),
        notes=explain_each(compared),
        scores=scores,
        choice=choice,
    )


_FOLDER = "one sub-folder per base model, gt with the truth, and lq with the input if you like"
COMMAND = Command(
    compare,
    "Fit the ensembles on one set of images and measure them on another, beside base models.",
    {
        "reference REFERENCE_SET": f"folder to fit on: {_FOLDER}",
        "test TEST_SET": "such a folder to measure on, of other scenes; several get one table with "
        "their mean",
        **READING,
        "--scenes FILE|GLOB": "measure on these scenes only: a file with a name in each line, or a "
        "pattern such as 'clip1/*'; with --hold-out, fit on no others either",
        **HOLD_OUT,
        **SCORING,
        "--bin-width W": "of EnsIR, where it is not chosen by cross-validation (default: 32 for 8 "
        "bits, 8224 for 16)",
        "--no-trees": "leave out the ensembles of trees, which take most of the time",
        **PERCEPTUAL,
        **TABLES,
        "--json": "print JSON instead of a table",
        "--report OUT": "write a report: HTML with tables and images",
        "--report-scenes N": "scenes whose images are in it (default: the most telling ones, as "
        f"many as fit in {MAX_MEGABYTES} MB)",
    },
    epilog=_KEYS,
    passes_to=(open_set,),
)
